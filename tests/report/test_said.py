"""What a report says where it can give no plain verdict, and how it prints numbers at a bound."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.analysis import Analysis, analyze
from bench.analysis.next_look import next_cells
from bench.analysis.pairs import pinned_pairs
from bench.analysis.table import analyze_table
from bench.report import build, markdown, sentences, terminal, words
from bench.statistics.families import Verdict
from bench.statistics.spread import sd_interval
from bench.store import folder as store
from bench.study import load, validate
from tests import synthetic

REASON = "RuntimeError: Layer layer_normalization:LayerNormalization is not supported"


def analyzed(folder: Path, study: Any, **how: Any) -> Analysis:
    return analyze(store.read(synthetic.write(folder, study, **how)))


def text_of(analysis: Analysis, population: str = "seeds") -> str:
    return markdown.render(build.build(analysis), population).replace("\N{NO-BREAK SPACE}", " ")


def on_a_terminal(analysis: Analysis) -> str:
    out = io.StringIO()
    terminal.print_verdicts(analysis, Console(file=out, width=400))
    return out.getvalue()


@given(
    st.floats(-200, 200),
    st.sampled_from(["pp", "loss"]),
    st.lists(st.sampled_from([0.0, 0.5, -0.5, 0.1667, 3.0]), max_size=3),
)
def test_a_printed_number_is_on_the_side_of_a_bound_that_it_is_on(value, unit, bounds):
    shown = words.read(words.exact(value, unit, bounds)[0])
    for bound in bounds:
        if abs(value - bound) > 1e-5:  # closer is the noise of a sum, and equal
            assert (shown > bound) == (value > bound)
            assert (shown < bound) == (value < bound)
    assert shown == pytest.approx(value, abs=0.051 if unit == "pp" else 0.006 * abs(value) + 1e-9)


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (0.4996, (0.5,), "+0.4996"),
        (0.5004, (0.5,), "+0.5004"),
        (0.5, (0.5,), "+0.50"),
        (-0.0004, (0.0,), "−0.0004"),
        (-0.0004, (), "0.00"),
        (12.04, (12.0,), "+12.04"),
    ],
)
def test_digits_are_added_where_rounding_would_cross_a_bound(value, bounds, expected):
    assert words.exact(value, "pp", bounds)[0] == expected


@pytest.mark.parametrize(
    ("p", "alpha", "expected"),
    [(0.0504, 0.05, "0.0504"), (0.0499, 0.05, "0.050"), (0.05, 0.05, "0.050"),
     (0.00001, 0.05, "<0.0001"), (0.2004, 0.2, "0.2004"), (0.0504, None, "0.050")],
)  # fmt: skip
def test_a_p_value_shows_whether_it_is_at_most_alpha(p, alpha, expected):
    assert words.p_value(p, alpha) == expected


def test_equivalence_beside_a_wider_interval_says_what_it_rests_on(tmp_path):
    """With a margin between the two intervals' ends, the narrower one is printed too, by name."""
    study = synthetic.study(seeds=20, budgets=[1], arms=["float", "ptq", "qat"], delta=0.43)
    extra = {"ptq": lambda seed: 10 * (seed % 5 == 0), "qat": lambda seed: 10 * (seed % 4 == 0)}
    made = analyzed(
        tmp_path, study, n=1000,
        counts=lambda cell: 900 + extra.get(cell.arm, lambda seed: 0)(cell.seed),
    )  # fmt: skip
    (found,) = made.select("seeds", name="ptq - float")
    assert found.simultaneous is not None
    assert found.equivalence_interval is not None
    assert found.equivalence_interval.high < found.simultaneous.high
    (alpha, m) = (found.alpha, found.m)
    assert found.estimate is not None
    assert found.equivalence_interval == found.estimate.interval(2 * alpha / m)
    narrow, wide = found.equivalence_interval.high, found.simultaneous.high
    between = study.model_copy(update={"delta": round((narrow + wide) / 2, 3)})
    (tmp_path / "study.toml").write_text(between.to_toml())
    again = analyze(store.read(tmp_path))
    (found,) = again.select("seeds", name="ptq - float")
    assert found.verdict in (Verdict.EQUIVALENT, Verdict.TOO_SMALL)
    low, high = words.signed(found.equivalence_interval.low), words.signed(narrow)
    said = f"shown by the 90% interval [{low}, {high}]"
    assert said in sentences.estimate(found)
    assert text_of(again).replace("\\]", "]").count(said) >= 2  # the answer, the table
    assert said in on_a_terminal(again)


def test_what_cannot_be_is_said_with_its_reason_and_counts_in_no_family(tmp_path):
    def refuse(row: dict[str, Any]) -> dict[str, Any]:
        if not row["arm"].startswith("qat"):
            return row
        return row | {"status": "unsupported", "error": REASON, "predictions": None}

    made = analyzed(tmp_path, synthetic.study(seeds=8, budgets=[1, 8]), edit=refuse)
    text, shown = text_of(made), on_a_terminal(made)
    for said in (text, shown):
        assert f"QAT is impossible here: {'`' if said is text else ''}{REASON}" in said
        assert "PTQ alone: after 1 and 8 epochs" in said
        assert not re.search(r"\b0 seeds", said)
    assert "too few seeds for a verdict on QAT" not in text
    assert "- `qat`, `qat-recal` and `qat-cal` of `bncnn` on `digits`: `" in text
    primary = [c for c in made.select("seeds") if c.family == "primary"]
    assert {c.m for c in primary} == {2}  # ptq - float, at two budgets
    assert {c.name for c in primary if c.pairs.impossible} == {"qat - ptq", "qat - ptq+k"}


@pytest.mark.parametrize("unit", ["epochs", "steps"])
def test_what_budgets_count_is_said_wherever_they_are(tmp_path, unit):
    study = synthetic.study(
        title="", seeds=12, budgets=[1, 8], extra=[2], budget_unit=unit, extra_unit="steps"
    )
    made = analyzed(tmp_path, study)
    text, one = text_of(made), unit.removesuffix("s")
    assert f"after 1 and 8 {unit}" in text
    assert f"Float training took E {unit}" in text
    assert "took 2 steps more" in text
    assert f"“Significant after 1 {one} and not after 8”" in text
    assert "float trained k steps more" in text
    assert "k epochs" not in text
    assert "epochs more" not in text
    other = {"epochs": "steps", "steps": "epochs"}[unit]
    assert not re.search(rf"\b(E|1|8|float) {other}", text)


def test_a_sequential_study_asks_for_no_seeds_of_what_cannot_be(tmp_path):
    study = synthetic.study(
        seeds=10, budgets=[1], arms=["float", "ptq", "qat"], sequential={"looks": [10], "every": 4}
    )

    def refuse(row: dict[str, Any]) -> dict[str, Any]:
        if row["arm"] != "qat":
            return row
        return row | {"status": "unsupported", "error": REASON, "predictions": None}

    synthetic.write(tmp_path, study, n=1000, counts=lambda cell: 900, edit=refuse)
    results = store.read(tmp_path)
    made = analyze(results)
    assert next_cells(results, made) == []
    assert "Seeds were added until it was clear" in text_of(made)
    assert "1 of 1 primary contrast became clear" in text_of(made)


def test_what_is_still_open_at_the_maximum_and_what_it_would_take(tmp_path):
    study = synthetic.study(
        seeds=12, budgets=[1], arms=["float", "ptq"], sequential={"looks": [8, 12]}
    )
    made = analyzed(
        tmp_path, study, n=1000,
        counts=lambda cell: 900 + (20 if cell.seed % 2 else -20) * (cell.arm == "ptq"),
    )  # fmt: skip
    (found,) = made.select("seeds", name="ptq - float")
    assert not found.clear
    for said in (text_of(made), on_a_terminal(made)):
        assert "1 primary contrast is still open" in said
        assert "at the declared maximum of 12 seeds" in said
        assert f"about {found.seeds_needed:,} seeds to detect a difference of 0.5 pp" in said
        assert f"about {found.seeds_needed_equivalence:,} to show equivalence" in said


def test_more_settings_than_sentences_are_counted(tmp_path):
    study = synthetic.study(
        seeds=6, budgets=[1, 8], models=["bncnn", "resnet8"], extra=[1, 2, 3],
        arms=["float", "ptq", "qat"],
    )  # fmt: skip
    text = text_of(analyzed(tmp_path, study))
    (counted,) = re.findall(
        r"Is one epoch the reason\?\*\* (QAT minus PTQ, of 6 settings: .*)\.", text
    )
    assert sum(map(int, re.findall(r" in (\d+)(?:;|$)", counted))) == 6
    assert (
        len(re.findall(r"pp for `[^`]+` could be one run of this study at \d of 6 settings", text))
        == 3
    )
    assert "- Of 12 settings: " in text


def test_a_table_of_one_setting_with_an_arm_that_no_seed_moves(tmp_path):
    """No column of settings, no name of none; one value has no t interval; equal differences none
    either."""
    rows = ["seed,arm,accuracy"]
    for seed in range(8):
        value = 0.6 + 0.01 * (seed % 3)
        rows += [f"{seed},a,0.545", f"{seed},b,{value:.3f}", f"{seed},c,{value + 0.02:.3f}"]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    made = analyze_table(tmp_path / "t.csv")
    text = text_of(made)
    assert "| setting |" not in text
    assert "what differs between the settings" not in text
    assert re.search(r"!\[Lines\. of 8 seeds \d seeds rise from a to b", text)
    assert "54.5 to 54.5" not in text
    assert "| `a` | 8 | 54.5 | 0.00 | – | 54.5 | 54.5 |" in text
    (equal,) = (c for c in made.select() if c.name == "c - b")
    assert sentences.numbers(equal) == ("+2.00", "equal in every seed")
    assert "+2.00 pp in every seed" in text
    assert "[+2.00, +2.00]" not in text


def test_no_number_of_settings_is_claimed_with_too_few_seeds_for_any(tmp_path):
    few = analyzed(tmp_path / "few", synthetic.study(seeds=4, budgets=[1, 8]))
    assert "Over both settings together" in text_of(few)
    assert "is shown to be above" not in text_of(few)
    enough = analyzed(tmp_path / "enough", synthetic.study(seeds=7, budgets=[1, 8]))
    assert "Corrected over both settings alone, QAT is shown to be above PTQ" in text_of(enough)


@pytest.mark.parametrize(
    ("override", "heading"),
    [
        ("budgets=[16]", "PTQ against QAT on digits with bncnn, after 16 epochs"),
        ("arms=[float,ptq]", "PTQ against float on digits with bncnn, after 1, 2, 4 and 8 epochs"),
        ("models=resnet8", "PTQ against QAT on digits with resnet8, after 1, 2, 4 and 8 epochs"),
    ],
)
def test_a_title_is_made_of_what_ran_where_set_has_changed_it(tmp_path, override, heading):
    declared, changed = load("digits"), load("digits", [override])
    assert changed.title == declared.title  # a wider run may go into the same folder
    assert validate_again(changed) == changed
    few = changed.model_copy(update={"seeds": (0, 1)})
    made = analyzed(tmp_path, few)
    assert made.title == f"{heading}, batch norm momentum 0.9 and 0.99"
    assert text_of(made).startswith(f"# {made.title}\n")
    assert declared.title not in text_of(made)


def validate_again(study: Any) -> Any:
    import tomllib

    return validate(tomllib.loads(study.to_toml()), "again")


@pytest.mark.parametrize(
    "overrides", [[], ["seeds=7"], ["budgets=[1,2,4,8]"], ["delta=0.3", "alpha=0.1"]]
)
def test_a_title_stays_while_it_is_true(tmp_path, overrides):
    study = load("digits", overrides).model_copy(update={"seeds": (0, 1)})
    assert analyzed(tmp_path, study).title == load("digits").title


def test_a_title_of_ones_own_is_taken_at_its_word(tmp_path):
    study = load("digits", ["budgets=[2]", "title=Mine", "seeds=2"])
    assert analyzed(tmp_path, study).title == "Mine"


def test_budget_0_says_that_initialization_does_not_vary(tmp_path):
    (tmp_path / "trained.py").write_text("def model(shape, classes): ...\n")
    pretrained = load(str(tmp_path / "trained.py"), ["seeds=8", "budgets=[0,1,2,4]"])
    said = text_of(analyzed(tmp_path / "0", pretrained))
    assert "initialization does not vary between seeds" in said
    trained = text_of(analyzed(tmp_path / "1", synthetic.study(seeds=8, budgets=[1, 2, 4])))
    assert "initialization does not vary" not in trained


def test_each_source_of_randomness_has_its_sd_and_no_verdict(tmp_path):
    """The table's numbers are those of the pinned seeds; nothing is tested at their levels."""
    levels = ["all", "initialization", "order"]
    made = analyzed(tmp_path, synthetic.study(seeds=9, budgets=[1], randomness=levels))
    assert all(dict(c.setting.factors)["randomness"] == "all" for c in made.comparisons)
    section = re.search(r"## What makes seeds differ\n(.*?)\n## ", text_of(made), re.S)
    assert section is not None
    assert "No verdict belongs to it" in section[1]
    pairs = {
        (one.contrast.name, dict(one.setting.factors)["randomness"]): one.d
        for one in pinned_pairs(made.contrasts, made.samples)
    }
    assert {source for _, source in pairs} == {"initialization", "order"}
    for (name, source), d in pairs.items():
        low, high = sd_interval(float(d.std(ddof=1)), 9, 0.05)
        shown = (words.number(v) for v in (float(d.std(ddof=1)), low, high))
        row = "| `{}` | {} | .*| 9 | {} | {} to {} |".format(name, source, *map(re.escape, shown))
        assert re.search(row, section[1]), row
    plain = analyzed(tmp_path / "plain", synthetic.study(seeds=9, budgets=[1]))
    assert "What makes seeds differ" not in text_of(plain)
