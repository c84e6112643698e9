"""A whole pipeline of one's own in a file: what is taken from it, and what identifies it."""

from pathlib import Path

import pytest

from bench import study
from bench.errors import InputError
from bench.plan.cells import cells
from bench.plan.data import check_data
from bench.plan.forecast import describe, forecast
from bench.plan.trajectories import OWN, trajectories

LABELS = "def labels(): return [0, 1, 2] * 4\n"

PIPELINE = LABELS + (
    "def start(seed, budget): return seed\n"
    "def arm_float(net): return [0, 1, 2] * 4\n"
    "def arm_ptq(net): return [0, 1, 1] * 4\n"
    "def arm_qat(net, extra): return [0, 1, 1] * 4\n"
)

COMMAND = LABELS + (
    "command = 'python train.py --seed {seed} --arm {arm} --out {out}'\narms = ['float', 'ptq']\n"
)


def made(written, text, *overrides):
    return study.load(written(text), overrides)


# What a file gives.


def test_functions_after_arm_are_the_arms_and_extra_multiplies_only_those_that_take_it(written):
    found = made(written, PIPELINE, "seeds=2", "extra=[1, 3]")
    assert found.arms == ("float", "ptq", "qat")
    assert found.budgets == (1,)
    planned = [(c.seed, c.arm, c.extra) for c in cells(found)]
    assert planned == [
        (seed, arm, extra)
        for seed in (0, 1)
        for arm, extra in (("float", None), ("ptq", None), ("qat", 1), ("qat", 3))
    ]


def test_names_that_are_no_identifiers_stand_in_arms(written):
    text = PIPELINE + "arms = {'ptq+k': arm_qat, 'other': lambda net: [0] * 12}\n"
    assert made(written, text).arms == ("float", "ptq", "qat", "ptq+k", "other")
    assert made(written, text, "arms=[other, float]").arms == ("float", "other")


def test_contrasts_follow_the_rule_for_tables(written):
    known = made(written, PIPELINE)
    assert [c.name for c in known.contrasts] == ["ptq - float", "qat - ptq", "qat - float"]
    assert known.primary_contrasts == ("ptq - float", "qat - ptq")
    others = made(written, PIPELINE.replace("arm_qat", "arm_mine"))
    names = ("ptq - float", "mine - float", "mine - ptq")
    assert tuple(c.name for c in others.contrasts) == names == others.primary_contrasts
    chosen = made(written, PIPELINE + 'contrasts = ["float - qat"]\n')
    assert tuple(c.name for c in chosen.contrasts) == ("float - qat",) == chosen.primary_contrasts


def test_all_arms_of_a_seed_and_budget_are_one_task_and_each_command_is_its_own(written):
    planned = trajectories(cells(made(written, PIPELINE, "seeds=3", "budgets=[1, 2]")))
    assert len(planned) == 3 * 2
    forks = [fork for each in planned for segment in each.segments for fork in segment.forks]
    assert {fork.training for fork in forks} == {OWN}
    assert [[c.arm for c in fork.cells] for fork in forks] == 6 * [["float", "ptq", "qat"]]
    assert [fork.twice for fork in forks] == [True] + 5 * [False]
    assert len(trajectories(cells(made(written, COMMAND, "seeds=3")))) == 3 * 2


def test_factors_reach_the_arms_whose_functions_take_them(written):
    text = PIPELINE.replace("start(seed, budget)", "start(seed, learning_rate)").replace(
        "arm_ptq(net)", "arm_ptq(net, calibration_examples, bits=8)"
    )
    found = made(written, text, "bits=[4, 8]", "learning_rate=[0.1, 0.2]")
    assert found.reaching("float", model=found.models[0]) == ("learning_rate",)
    assert found.reaching("ptq", model=found.models[0]) == (
        "learning_rate",
        "calibration_examples",
        "bits",
    )
    assert found.baseline_of("bits") == 8
    of_arm = [c for c in cells(found) if (c.arm, c.seed) == ("ptq", 0)]
    assert len(of_arm) == 2 * 2
    assert {c.columns["own_factors"] for c in of_arm} == {'{"bits":4}', '{"bits":8}'}
    assert {c.columns["calibration_examples"] for c in of_arm} == {200}
    (plain,) = {c.columns["own_factors"] for c in cells(found) if c.arm == "float"}
    assert plain is None
    assert len(trajectories(cells(found))) == len(found.seeds) * 2  # one start for both bits


def test_a_default_holds_where_the_study_does_not_say_otherwise(written):
    text = PIPELINE.replace("start(seed, budget)", "start(seed, learning_rate=0.5)")
    assert made(written, text).reaching("float", model="any") == ()
    assert made(written, text, "learning_rate=0.1").reaching("float", model="any") == (
        "learning_rate",
    )


def test_a_study_is_read_again_without_the_file(written):
    import tomllib

    text = PIPELINE.replace("arm_ptq(net)", "arm_ptq(net, bits=8)")
    found = made(written, text, "bits=[4, 8]", "seeds=2")
    assert study.validate(tomllib.loads(found.to_toml()), "test") == found


def test_the_plan_says_what_runs(written):
    found = made(written, PIPELINE, "seeds=2")
    check_data(found)
    said = describe(found, forecast(found, (), (1.0,), 2), "assumed")
    assert "6 models to evaluate: 2 seeds, budgets 1, qat 1 more, arms float, ptq, qat" in said
    assert "labels of labels()" in said
    assert "2 starts, from each of which its arms fork" in said
    assert "no estimate of the time" in said


# Identity.


def ids(written, text, *overrides):
    return {cell.id for cell in cells(made(written, text, "seeds=1", *overrides))}


def test_what_asks_does_not_identify_and_what_computes_does(written):
    whole = ids(written, PIPELINE)
    assert ids(written, "# a comment\n" + PIPELINE + "contrasts = ['ptq - float']\n") == whole
    assert ids(written, PIPELINE, "arms=[ptq]") < whole
    assert not ids(written, PIPELINE.replace("1, 1]", "0, 0]")) & whole
    assert not ids(written, PIPELINE.replace("labels(): return [0", "labels(): return [1")) & whole


def test_what_a_command_names_beside_the_file_travels_and_identifies(written, tmp_path):
    (tmp_path / "train.py").write_text("import helper\n")
    (tmp_path / "helper.py").write_text("X = 1\n")
    first = ids(written, COMMAND)
    (tmp_path / "helper.py").write_text("# the same\nX = 1\n")
    assert ids(written, COMMAND) == first
    (tmp_path / "helper.py").write_text("X = 2\n")
    assert not ids(written, COMMAND) & first


# Bad files: one clear error each, naming function and value.

BAD = {
    "no arm": ("def start(seed): ...\ndef labels(): return [0]\n", "none of model(), data(), arm"),
    "arms that are none": (LABELS + "arms = 3\n", "arms: found 3; allowed: arms = {"),
    "an arm that is no function": (LABELS + "arm_x = 3\n", "arm_x: found 3; allowed: a function"),
    "an arm in arms that is none": (
        LABELS + "arms = {'a': 1}\n", "arms['a']: found 1; allowed: a function"),
    "an arm twice": (PIPELINE + "arms = {'ptq': arm_ptq}\n", "'ptq' stands there and as arm_ptq"),
    "a nameless arm": (LABELS + "arms = {'': len}\n", "the name ''"),
    "an arm without start's result": (
        PIPELINE + "def arm_x(): ...\n", "arm_x(): no parameter for what start returned"),
    "an arm whose first parameter is a field": (
        PIPELINE + "def arm_x(seed): ...\n", "arm_x(): its first parameter, which gets what start"),
    "a parameter that nothing gives": (
        PIPELINE + "def arm_x(net, sede): ...\n",
        "arm_x(): parameter 'sede' gets nothing; did you"),
    "extra in start": (
        PIPELINE.replace("start(seed, budget)", "start(extra)"),
        "start(): parameter 'extra', which is a field of the study that no function gets"),
    "a field that is no factor": (
        PIPELINE + "def arm_x(net, alpha=1): ...\n",
        "arm_x(): parameter 'alpha', which is a field"),
    "data without data()": (
        PIPELINE + "def arm_x(net, data): ...\n", "arm_x(): parameter 'data', but no data()"),
    "a start that is none": (LABELS + "start = 3\ndef arm_a(n): ...\n", "start(): found 3"),
    "models": (PIPELINE + "study = dict(models='bncnn')\n", "models: set, but own"),
    "pinned streams": (PIPELINE + "study = dict(pin={'order': 1})\n", "pin: set, but own"),
    "a factor that nothing takes": (
        PIPELINE + "study = dict(batch_size=[8, 16])\n", "batch_size: set, but nothing in own"),
    "extra that nothing takes": (
        LABELS + "def arm_a(): ...\nstudy = dict(extra=3)\n", "extra: set, but no arm of own"),
    "an unknown field": (PIPELINE + "study = dict(seds=3)\n", "did you mean 'seeds'?"),
    "an arm that is not there": (PIPELINE + "study = dict(arms=['x'])\n", "arms: no arm 'x'"),
    "a contrast of no arm": (
        PIPELINE + "contrasts = ['ptq - foat']\n", "contrasts: no contrast 'ptq - foat': no arm"),
    "contrasts that are none": (
        PIPELINE + "contrasts = 3\n", "contrasts: found 3; allowed: [\"arm"),
    "levels that are none": (
        PIPELINE + "def arm_x(net, wide=3): ...\nstudy = dict(wide=[{}])\n", "wide: found [{}]"),
    "levels of two kinds": (
        PIPELINE + "def arm_x(net, w=3): ...\nstudy = dict(w=[1, 'a'])\n",
        "all numbers, or all te"),
    "a level twice": (
        PIPELINE + "def arm_x(net, w=3): ...\nstudy = dict(w=[1, 1])\n", "numbers or texts, each"),
    "a factor called as a column": (
        PIPELINE + "def arm_x(net, mean=3): ...\nstudy = dict(mean=[1])\n",
        "mean: a factor with the"),
    "two kinds": (PIPELINE + "command = 'x {arm} {out}'\n", "arm_float and command: two kinds at"),
    "inputs": (PIPELINE + "def inputs(x): return x\n", "inputs: no part of a whole pipeline"),
    "datasets beside labels": (
        PIPELINE + "study = dict(datasets='digits')\n", "set beside labels()"),
    "labels that raise": ("def labels(): return 1 / 0\ndef arm_a(): ...\n", "labels() failed"),
    "labels that end the process": (
        "import sys\ndef labels(): sys.exit(3)\ndef arm_a(): ...\n", "sys.exit(3)"),
    "labels with a parameter": (
        "def labels(s): ...\ndef arm_a(): ...\n", "labels(): parameter 's'"),
    "no labels": ("def labels(): return []\ndef arm_a(): ...\n", "labels(): no label"),
    "None for labels": (
        "def labels(): ...\ndef arm_a(): ...\n", "labels(): it is None; allowed: one array"),
    "labels in two axes": (
        "def labels(): return [[1, 0], [0, 1]]\ndef arm_a(): ...\n", "the shape (2, 2)"),
    "negative labels": ("def labels(): return [0, -1]\ndef arm_a(): ...\n", "the label -1"),
    "NaN for a label": (
        "def labels(): return [0.5, float('nan')]\ndef arm_a(): ...\n",
        "labels(): it holds NaN or infinity, such as in example 1"),
    "ragged labels": (
        "def labels(): return [[1], [2, 3]]\ndef arm_a(): ...\n", "labels(): it is no array"),
    "fewer groups": (
        "def labels(): return [0, 1], ['a']\ndef arm_a(): ...\n", "2 labels and 1 groups"),
    "groups of floats": (
        "def labels(): return [0, 1], [.5, 1]\ndef arm_a(): ...\n", "groups of type float64"),
    "a file that raises": ("import nowhere_at_all\ndef arm_a(): ...\n", "ModuleNotFoundError"),
    "a command that is none": ("command = 3\narms = ['a']\n", "command: found 3; allowed: text"),
    "a command without out": (
        "command = 'x {arm}'\narms = ['a']\n", "no {out} in it: where it leaves its result"),
    "a command without arm": ("command = 'x {out}'\narms = ['a']\n", "no {arm} in it"),
    "braces that are none": ("command = 'x {arm} {out} {}'\narms = ['a']\n", "{} is no name"),
    "an open quote": ("command = \"x '{arm} {out}\"\narms = ['a']\n", "No closing quotation"),
    "an open brace": ("command = 'x {arm} {out'\narms = ['a']\n", "command: "),
    "a place that nothing fills": (
        "command = 'x {arm} {out} {sede}'\narms = ['a']\n",
        "{sede} gets nothing; did you mean 'see"),
    "a field in braces": (
        "command = 'x {arm} {out} {alpha}'\narms = ['a']\n", "{alpha} is a field"),
    "a command without arms": ("command = 'x {arm} {out}'\n", "arms: found None"),
    "arms of a command that are functions": (
        "command = 'x {arm} {out}'\narms = {'a': len}\n", "arms: found {'a'"),
    "an arm of a command twice": ("command = 'x {arm} {out}'\narms = ['a', 'a']\n", "['a', 'a']"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_clear_error(written, kind):
    text, said = BAD[kind]
    path = written(text)
    with pytest.raises(InputError) as caught:
        check_data(study.load(path))
    message = str(caught.value)
    assert said in message
    assert "site-packages" not in message


def test_an_error_in_the_file_is_shown_as_the_users_own_traceback(written):
    path = written("def labels():\n    return helper()\ndef helper():\n    return {}['x']\n"
                   "def arm_a(): ...\n")  # fmt: skip
    with pytest.raises(InputError) as caught:
        check_data(study.load(path))
    name = Path(path).name
    assert f'File "{name}", line 2, in labels' in str(caught.value)
    assert f'File "{name}", line 4, in helper' in str(caught.value)
    assert str(caught.value).count("File ") == 2
