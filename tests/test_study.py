"""A study is validated whole: each bad field gives one message that names it and what may stand."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import study
from bench.errors import InputError
from bench.study.arms import ARMS, PRIMARY

BAD = {
    "seeds=0": ("seeds", "at least 1 seed"),
    "seeds=-3": ("seeds", "at least 1 seed"),
    "seeds=[3,3]": ("seeds", "3 stands twice"),
    "seeds=[]": ("seeds", "at least one value"),
    "seeds=[1,-1]": ("seeds.1", "greater than or equal to 0"),
    "seeds=true": ("seeds", "a valid integer"),
    "seeds=many": ("seeds", "a valid integer"),
    "seeds=2.5": ("seeds", "a valid integer"),
    "budgets=0": ("budgets", "allowed: at least 1; 0 for a model() of your own"),
    "budgets=[1,2,1]": ("budgets", "1 stands twice"),
    "extra=[0]": ("extra", "greater than or equal to 1"),
    "alpha=0": ("alpha", "greater than 0"),
    "alpha=1": ("alpha", "less than 1"),
    "alpha=nan": ("alpha", "than"),
    "delta=-0.5": ("delta", "greater than or equal to 0.001"),
    "learning_rate=inf": ("learning_rate", "a finite number"),
    "optimizer=adan": ("optimizer", "'adam'"),
    "batch_size=0": ("batch_size", "greater than or equal to 1"),
    "train_examples=some": ("train_examples", "a valid integer"),
    "calibration_examples=[]": ("calibration_examples", "at least one value"),
    "datasets=digts": ("datasets", "did you mean 'digits'?"),
    "models=resnet9": ("models", "did you mean 'resnet8'?"),
    "arms=qta": ("arms", "did you mean 'qat'?"),
    "arms=[]": ("arms", "at least one value"),
    'primary=["ptq - flot"]': ("primary", "did you mean 'ptq - float'?"),
    "seds=3": ("seds", "did you mean 'seeds'?"),
    "pin.ordr=3": ("pin", "'order'"),
    "pin.order=-1": ("pin.order", "greater than or equal to 0"),
    "title=3": ("title", "a valid string"),
}


@pytest.mark.parametrize("override", BAD)
def test_each_bad_field_is_named_with_what_is_allowed(override):
    field, allowed = BAD[override]
    with pytest.raises(InputError) as caught:
        study.load("digits", [override])
    message = str(caught.value)
    assert f"{field}" in message
    assert allowed in message
    assert message.startswith("digits: ")


def test_all_bad_fields_are_named_at_once():
    with pytest.raises(InputError) as caught:
        study.load("digits", ["seeds=0", "alpha=7", "bugdets=[1]"])
    assert all(name in str(caught.value) for name in ("seeds", "alpha", "bugdets"))


def test_a_primary_contrast_needs_its_arms():
    with pytest.raises(InputError, match="'qat - ptq' needs the arm 'qat'"):
        study.load("digits", ["arms=[float, ptq]", 'primary="qat - ptq"'])


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'digits'"):
        study.load("digit")


def test_a_file_that_is_no_toml_is_named(tmp_path):
    broken = tmp_path / "mine.toml"
    broken.write_text("seeds = [1,")
    with pytest.raises(InputError, match=r"mine\.toml"):
        study.load(str(broken))


def test_a_single_value_is_a_list_of_one():
    made = study.load("digits", ["budgets=3", "datasets=digits", "learning_rate=1"])
    assert (made.budgets, made.datasets, made.learning_rate) == ((3,), ("digits",), (1.0,))


def test_words_need_no_quotes_on_the_command_line():
    made = study.load("digits", ["arms=[ptq,float]", "title=My study", "pin.order=3"])
    assert (made.arms, made.title, made.pin) == (("float", "ptq"), "My study", {"order": 3})
    assert made.primary_contrasts == ("ptq - float",)


def test_the_default_study_is_the_issue_of_the_thread():
    made = study.load("digits")
    assert made.seeds == tuple(range(20))
    assert made.budgets == (1, 2, 4, 8)
    assert made.extra == (1,)
    assert made.arms == tuple(ARMS)
    assert set(made.primary_contrasts) == set(PRIMARY)


@given(
    seeds=st.one_of(
        st.integers(1, 50), st.lists(st.integers(0, 2**40), min_size=1, max_size=5, unique=True)
    ),
    budgets=st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True),
    arms=st.lists(st.sampled_from(list(ARMS)), min_size=1, unique=True),
    learning_rate=st.lists(st.floats(1e-6, 10), min_size=1, max_size=3, unique=True),
    train_examples=st.lists(
        st.one_of(st.integers(1, 1000), st.just("all")), min_size=1, max_size=3, unique=True
    ),
    pin=st.dictionaries(st.sampled_from(["order", "calibration"]), st.integers(0, 9)),
    title=st.text(st.characters(codec="utf-8", exclude_categories=("C",))),
)
def test_a_study_reads_back_from_its_own_toml(**fields):
    made = study.validate({**fields, "primary": []}, "test")
    assert study.validate(tomllib.loads(made.to_toml()), "test") == made
