"""A guess is answered by its declared number and rule, and by nothing else."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from bench.analysis import analyze
from bench.analysis.guess import answer
from bench.errors import InputError
from bench.plan.data import check_data
from bench.report import build, markdown, verdicts
from bench.statistics.families import Verdict
from bench.store import folder as store
from bench.study import load, shipped, validate
from tests import synthetic
from tests.test_table import SCHEMA

GUESS = {"guess": "PTQ harms", "decides": "ptq - float", "direction": "lower"}


def analyzed(folder: Path, counts, **fields):
    study = synthetic.study(**{"title": "", "seeds": 12, "budgets": [1]} | GUESS | fields)
    return study, analyze(store.read(synthetic.write(folder, study, n=1000, counts=counts)))


@pytest.mark.parametrize(
    ("shift", "swing", "verdict", "lower", "higher", "either"),
    [
        (-30, 1, Verdict.MATTERS, "supported", "refuted", "supported"),
        (30, 1, Verdict.MATTERS, "refuted", "supported", "supported"),
        (0, 1, Verdict.EQUIVALENT, "refuted", "refuted", "refuted"),
        (-2, 1, Verdict.TOO_SMALL, "refuted", "refuted", "refuted"),
        (-6, 4, Verdict.SIZE_UNDECIDED, "undecided", "refuted", "undecided"),
        (0, 30, Verdict.UNDECIDED, "undecided", "undecided", "undecided"),
    ],
)
def test_the_rule(tmp_path, shift, swing, verdict, lower, higher, either):
    for direction, expected in (("lower", lower), ("higher", higher), ("either", either)):
        _, made = analyzed(
            tmp_path / direction,
            lambda c: 500 + c.seed + (c.arm == "ptq") * (shift + swing * (-1) ** c.seed),
            arms=["float", "ptq"],
            direction=direction,
        )
        found = answer(made, "seeds")
        assert found.comparison.verdict == verdict
        assert found.said == expected
        text = markdown.render(build.build(made), "seeds")
        first = next(line for line in text.splitlines()[1:] if line)
        assert first.startswith(f"**This guess is {expected} here: “PTQ harms”.** ")
        document = json.loads(verdicts.render(made))
        jsonschema.validate(document, SCHEMA)
        (by_seeds, _) = document["guess"]["answers"]
        assert by_seeds["answer"] == expected
        assert by_seeds["mean"] == pytest.approx(found.comparison.mean)


def test_too_few_seeds_decide_nothing(tmp_path):
    _, made = analyzed(
        tmp_path, lambda c: 500 - 90 * (c.arm == "ptq") + c.seed, arms=["float", "ptq"], seeds=3
    )
    assert answer(made, "seeds").said == "undecided"


def test_an_effect_that_moves_the_second_arm_alone_is_expected_on_its_other_side(tmp_path):
    """Few examples make `ptq+k` worse, and so `qat - ptq+k` higher."""
    fields = {"calibration_examples": [200, 10], "decides": "calibration_examples: qat - ptq+k",
              "direction": "higher"}  # fmt: skip

    def counts(cell):
        few = dict(cell.recipe.levels).get("calibration_examples") == 10
        return 500 + cell.seed - 40 * few + cell.seed % 2

    _, made = analyzed(tmp_path, counts, **fields)
    found = answer(made, "seeds")
    assert (found.said, found.direction, found.comparison.name) == ("supported", "lower", "ptq+k")
    assert found.comparison.family == "primary"
    assert found.comparison.m == 1, "what decides is the primary family, where none is declared"
    text = markdown.render(build.build(made), "seeds")
    assert "expected below 0" in text
    assert "the factor moves `ptq+k` alone" in text
    asked = "`calibration_examples:` `qat - ptq+k`, a change of `ptq+k` alone"
    row = f"| Does the guess hold? {asked} | different and it matters |  | −4.0"
    (line,) = (line for line in text.splitlines() if line.startswith("| Does the guess hold?"))
    assert line.startswith(row)
    assert line.endswith(" | [numbers](#what-each-factor-changes) |")
    assert text.startswith("# PTQ harms\n"), "the guess is the title where there is no other"


def test_the_change_over_budgets_can_decide(tmp_path):
    _, made = analyzed(
        tmp_path, lambda c: 500 + c.seed - (c.arm == "ptq") * (50 if c.budget == 1 else 1),
        arms=["float", "ptq"], budgets=[1, 2, 8], decides="budget: ptq - float",
    )  # fmt: skip
    found = answer(made, "seeds")
    assert (found.said, found.comparison.pairs.kind) == ("supported", "interaction")
    assert found.comparison.mean == pytest.approx(-4.9)


TWO = {"learning_rate": [0.001, 0.01, 0.1]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"decides": None}, "guess, decides and direction together"),
        ({"direction": None}, "direction: missing"),
        ({"guess": " "}, "guess: missing"),
        ({"direction": "up"}, "'higher', 'lower' or 'either'"),
        ({"budgets": [1, 2]}, "is 2 numbers in this study"),
        ({"models": ["bncnn", "resnet8"]}, "is 2 numbers in this study"),
        (TWO | {"decides": "learning_rate: ptq - float"}, "is 2 numbers in this study"),
        (TWO | {"decides": "learning_rate=0.5: ptq - float"}, "allowed: 0.01, 0.1"),
        ({"decides": "ptq - flout"}, "no contrast 'ptq - flout'"),
        ({"primary": ["qat - ptq"]}, "is not in `primary`"),
        ({"arms": ["float", "qat"]}, "needs the arm 'ptq'"),
    ],
)
def test_refused_where_not_exactly_one_number_decides(wrong, said):
    fields = {"budgets": [1]} | GUESS | wrong
    with pytest.raises(InputError, match=re.escape(said)):
        validate({name: value for name, value in fields.items() if value is not None}, "test")


def test_one_level_of_many_can_decide():
    one = validate({"budgets": [1]} | GUESS | TWO | {"decides": "learning_rate=0.1: ptq - float"},
                   "test")  # fmt: skip
    (effect,) = one.primary_effects
    assert (effect.factor, effect.level) == ("learning_rate", "0.1")
    assert one.primary_contrasts == ()


RECIPES = [
    {"name": "stock"},
    {"name": "idle", "extra_learning_rate": 0.5},
    {"name": "fast", "learning_rate": 0.01},
    {"name": "fast and gentle", "learning_rate": 0.01, "extra_learning_rate": 0.1},
]
"""Neither float nor ptq has epochs more: to their contrast the last two are one recipe."""


@pytest.mark.parametrize("asked", ["recipe=fast", "recipe=fast and gentle", "recipe"])
def test_a_recipe_that_is_an_earlier_one_by_construction_has_its_number(tmp_path, asked):
    def counts(cell):
        fast = dict(cell.recipe.levels).get("learning_rate") == 0.01
        return 500 + cell.seed - (40 + cell.seed % 2) * (fast and cell.arm == "ptq")

    fields = {"recipes": RECIPES, "decides": f"{asked}: ptq - float"}
    _, made = analyzed(tmp_path, counts, **fields)
    found = answer(made, "seeds")
    assert found.said == "supported"
    assert found.comparison.mean == pytest.approx(-4.05)
    assert (found.comparison.pairs.level, found.comparison.name) == ("fast", "ptq - float")
    assert found.comparison.m == 1
    text = markdown.render(build.build(made), "seeds")
    same = "Here `fast and gentle` and `fast` are the same by construction"
    assert (same in text) == (asked == "recipe=fast and gentle")


def test_a_recipe_that_moves_none_of_the_arms_decides_nothing():
    fields = {"budgets": [1], "recipes": RECIPES, "decides": "recipe=idle: ptq - float"}
    with pytest.raises(InputError, match="is 0 numbers in this study"):
        validate(GUESS | fields, "test")


def test_what_moves_both_arms_is_not_answered_by_one_of_them(tmp_path):
    """A recipe moves `qat` and `ptq+k` alike: `qat` alone, against `ptq`, is another number."""
    recipes = [RECIPES[0], RECIPES[1]]
    fields = {"recipes": recipes, "direction": "higher", "decides": "recipe=idle: qat - ptq+k"}

    def counts(cell):
        idle = dict(cell.recipe.levels).get("extra_learning_rate") == 0.5
        return 500 + cell.seed - 40 * (idle and cell.arm in ("qat", "ptq+k", "float+k"))

    _, made = analyzed(tmp_path, counts, **fields)
    found = answer(made, "seeds")
    assert (found.comparison.name, found.comparison.mean) == ("qat - ptq+k", 0)
    assert found.said == "refuted"


@pytest.mark.parametrize("name", [name for name in shipped() if name != "spoken-digits"])
def test_a_shipped_study_can_be_run(name):
    """All but the one whose recordings do not come with the package."""
    study = load(name)
    check_data(study)
    assert name.startswith("guess-") == (study.decides is not None)
