"""Several calibration draws for each seed: planned, averaged, their own part of the variance."""

from collections import Counter

import numpy as np
import pytest

from bench import report, results
from bench.analysis import analyze
from bench.errors import InputError
from bench.plan.cells import cells
from bench.plan.forecast import primary_family
from bench.plan.trajectories import trajectories
from bench.store.folder import read
from bench.study import load, validate
from tests import synthetic

ARMS = ["float", "ptq", "ptq+k", "float+k", "qat", "qat-cal"]
FIELDS = {"seeds": 6, "budgets": [1, 2], "arms": ARMS}


def test_only_what_is_calibrated_is_repeated():
    one, three = (validate(FIELDS | more, "test") for more in ({}, {"calibration_draws": 3}))
    before, after = (
        [c for c in cells(made) if c.seed == 0 and c.budget == 1] for made in (one, three)
    )
    assert {c.id for c in before} <= {c.id for c in after}  # the first draw is the one that was
    times = Counter(c.arm for c in after)
    assert times == {arm: 3 if arm in ("ptq", "ptq+k", "qat-cal") else 1 for arm in ARMS}
    assert {c.columns["draw"] for c in after if c.arm == "ptq"} == {0, 1, 2}
    assert {c.columns["draw"] for c in after if c.arm == "qat"} == {None}
    assert primary_family(one) == primary_family(three)
    trained = [[f.training for t in trajectories(x) for s in t.segments for f in s.forks]
               for x in (before, after)]  # fmt: skip
    assert Counter(trained[1]) - Counter(trained[0]) == {"qat-cal": 2}


@pytest.mark.parametrize("design", ["crossed", "one-at-a-time"])
def test_every_level_has_all_draws(design):
    fields = FIELDS | {"calibration_draws": 3, "calibration_examples": [50, 200], "design": design}
    found = Counter(
        (c.recipe["calibration_examples"], c.budget)
        for c in cells(validate(fields, "test"))
        if c.arm == "ptq" and c.seed == 0
    )
    assert set(found.values()) == {3}
    assert len(found) == (4 if design == "crossed" else 3)


def test_a_study_with_draws_reads_back(tmp_path):
    made = validate(FIELDS | {"calibration_draws": 3}, "test")
    path = tmp_path / "study.toml"
    path.write_text(made.to_toml())
    assert load(str(path)) == made
    assert made.draw == (0, 1, 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"calibration_draws": 0},
        {"calibration_draws": "many"},
        {"calibration_draws": True},
        {"calibration_draws": 2, "primary_over": "draw"},
        {"calibration_draws": 2, "baseline": {"draw": 1}},
        {"calibration_draws": 2, "primary": "draw: ptq - float"},
    ],
)
def test_what_is_no_number_of_draws_or_asks_for_its_effect_is_refused(fields):
    with pytest.raises(InputError, match="draw"):
        validate(FIELDS | fields, "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A draw moves PTQ by so many examples: -8, 0 or 8, and one of a seed."""
    study = synthetic.study(**(FIELDS | {"calibration_draws": 3}))

    def counts(cell):
        draw = cell.recipe.get("draw")
        return 700 + 3 * cell.seed + (0 if draw is None else 8 * (draw - 1) + cell.seed % 2)

    return synthetic.write(tmp_path_factory.mktemp("draws"), study, counts=counts)


def test_a_contrast_is_the_mean_over_the_draws_of_each_seed(folder):
    made = analyze(read(folder))
    for budget in (1, 2):
        (c,) = (c for c in made.select("seeds", "contrast", "ptq - float")
                if c.setting.budget == budget)  # fmt: skip
        assert c.pairs.d == pytest.approx(100 / 797 * np.array([0, 1] * 3))
        assert c.n_seeds == 6
        assert c.pairs.nested.draws == 3
        assert c.pairs.nested.sd_draw == pytest.approx(100 / 797 * 8)
        assert "draw" not in c.setting.fields()
    (both,) = (c for c in made.select("seeds", "contrast", "ptq+k - ptq") if c.setting.budget == 1)
    # Arms of one draw are paired by it, and here moved alike.
    assert both.pairs.nested.sd_draw == pytest.approx(0, abs=1e-9)
    (none,) = (c for c in made.select("seeds", "contrast", "qat - float") if c.setting.budget == 1)
    assert none.pairs.nested is None
    assert not any(c.pairs.factor == "draw" for c in made.comparisons)


def test_new_examples_are_spoken_about_too(folder):
    made = analyze(read(folder))
    (c,) = (c for c in made.select("seeds+examples", "contrast", "ptq - float")
            if c.setting.budget == 1)  # fmt: skip
    assert c.mean == pytest.approx(100 / 797 / 2)
    assert c.interval is not None


def test_the_report_and_its_table_say_it(folder):
    report.write(folder)
    text = (folder / "report.md").read_text()
    assert "Calibration draws within seeds" in text
    row = next(line for line in text.splitlines() if line.startswith("| `ptq - float` | E = 1 | 3"))
    assert row.split("|")[4].strip() == "1.00"  # 8 of 797
    contrasts = results.load(folder).contrasts
    stored = contrasts.query("contrast == 'ptq - float' and population == 'seeds'")["sd_draw"]
    assert stored.dropna().to_list() == pytest.approx([800 / 797] * 2)


def test_a_seed_that_lacks_a_draw_is_missing(tmp_path):
    study = synthetic.study(**(FIELDS | {"calibration_draws": 3}))

    def edit(row):
        return None if (row["arm"], row["seed"], row["draw"]) == ("ptq", 4, 2) else row

    made = analyze(read(synthetic.write(tmp_path, study, edit=edit)))
    (c,) = (c for c in made.select("seeds", "contrast", "ptq - float") if c.setting.budget == 1)
    assert c.pairs.seeds == (0, 1, 2, 3, 5)
    sample = next(s for s in made.samples if s.arm == "ptq" and s.setting.budget == 1)
    assert sample.statuses == {"ok": 5, "missing": 1}
    assert c.pairs.attempted == 5
