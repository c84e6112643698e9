"""`gate` on result folders: seeds, an older run as the baseline, checks, looks, groups."""

import json
import shutil

import numpy as np
import pytest
from scipy import stats

from bench.analysis import gating
from bench.analysis.gating import Asked
from bench.cli import gated
from bench.errors import InputError
from bench.store.folder import Store
from tests import synthetic


def right(folder):
    """(arm, budget, seed) -> percent right."""
    from bench.store import folder as store

    cells = store.read(folder).cells
    rows = cells.select(["arm", "budget", "seed", "accuracy"]).to_pylist()
    return {(row["arm"], row["budget"], row["seed"]): 100 * row["accuracy"] for row in rows}


def test_a_folder_is_gated_by_its_seeds(folders):
    found = gating.of_folder(folders / "released", Asked("ptq - float", 0.5))
    values = right(folders / "released")
    for one, budget in zip(found.settings, (1, 8), strict=True):
        d = np.array([values["ptq", budget, s] - values["float", budget, s] for s in range(8)])
        ends = stats.t.interval(0.9, 7, d.mean(), stats.sem(d))
        assert tuple(one.interval) == pytest.approx(ends)
        assert one.place == f"budget {budget}"
    wide = gating.of_folder(
        folders / "released", Asked("ptq - float", 0.5, population="seeds+examples")
    )
    assert wide.settings[0].mean == pytest.approx(found.settings[0].mean)
    assert wide.settings[0].interval != found.settings[0].interval


def test_any_two_arms_can_be_gated(folders):
    assert (
        gating.of_folder(folders / "released", Asked("float - qat", 0.5)).contrast == "float - qat"
    )
    with pytest.raises(InputError, match="no arm 'qut'; did you mean 'qat'"):
        gating.of_folder(folders / "released", Asked("qut - float", 0.5))
    with pytest.raises(InputError, match="two different arms"):
        gating.of_folder(folders / "released", Asked("qat", 0.5))


def test_an_older_run_is_the_baseline_seed_by_seed(folders):
    found = gating.of_folder(folders / "new", Asked("", 0.5), folders / "released", "qat")
    new, old = right(folders / "new"), right(folders / "released")
    for one, budget in zip(found.settings, (1, 8), strict=True):
        d = np.array([new["qat", budget, s] - old["qat", budget, s] for s in range(8)])
        assert one.mean == pytest.approx(d.mean())
        assert tuple(one.interval) == pytest.approx(
            stats.t.interval(0.9, 7, d.mean(), stats.sem(d))
        )
    same = gating.of_folder(folders / "new", Asked("", 0.5), folders / "new", "qat")
    assert same.outcome == "passed"
    assert [one.mean for one in same.settings] == [0, 0]


def test_other_test_examples_are_no_baseline(folders, tmp_path):
    study = synthetic.study(seeds=8, budgets=[1], arms=["float", "ptq", "qat"])
    synthetic.write(tmp_path / "other", study, random_state=7)
    with pytest.raises(InputError, match="other test examples of 'digits'"):
        gating.of_folder(folders / "new", Asked("", 0.5), tmp_path / "other", "qat")


def test_a_run_of_other_settings_is_no_baseline(folders, tmp_path):
    other = synthetic.study(seeds=8, budgets=[3], arms=["float", "ptq", "qat"])
    synthetic.write(tmp_path / "other", other)
    with pytest.raises(InputError, match="budget 1, 8 there and 3 in the baseline"):
        gating.of_folder(folders / "new", Asked("", 0.5), tmp_path / "other", "qat")


def test_a_check_withholds(tmp_path):
    def unlike(row):
        if row["arm"] == "float":
            row["disagreements"] = row["n"] // 2
        return row

    study = synthetic.study(seeds=6, budgets=[1], arms=["float", "ptq"])
    synthetic.write(tmp_path / "run", study, edit=unlike)
    found = gating.of_folder(tmp_path / "run", Asked("ptq - float", 5))
    assert found.outcome == "withheld"
    assert "no decision on ptq - float: the float file is unlike its Keras" in gated.line(found)
    assert json.loads(gated.as_json(found))["settings"][0]["low"] is None


def test_seeds_that_were_added_by_looks_are_judged_by_repeated_intervals(tmp_path):
    study = synthetic.study(
        seeds=12, budgets=[1], arms=["float", "ptq"], sequential={"looks": [8, 12]}
    )
    synthetic.write(tmp_path / "run", study, arm_sd=0.3)
    (one,) = gating.of_folder(tmp_path / "run", Asked("ptq - float", 0.5)).settings
    fixed = study.model_copy(update={"sequential": None})
    plain = tmp_path / "plain"
    shutil.copytree(tmp_path / "run", plain)
    Store(plain).write_text("study.toml", fixed.to_toml())
    (once,) = gating.of_folder(plain, Asked("ptq - float", 0.5)).settings
    assert one.mean == pytest.approx(once.mean)
    assert one.interval.low < once.interval.low < once.interval.high < one.interval.high
    with pytest.raises(InputError, match="--population"):
        gating.of_folder(tmp_path / "run", Asked("ptq - float", 0.5, population="seeds+examples"))


def with_loss(folder, gain, **infinite):
    """A folder whose rows hold a loss beside accuracy; QAT's is `gain` more than PTQ's."""
    made = synthetic.study(
        seeds=8, budgets=[1], arms=["float", "ptq", "qat"], metrics=["accuracy", "cross_entropy"]
    )

    def edit(row):
        loss = 1.0 + 0.01 * row["seed"] + (gain if row["arm"] == "qat" else 0.0)
        loss += 0.001 * ((row["seed"] * 7 + len(row["arm"])) % 5)
        if row["arm"] == infinite.get("arm") and row["seed"] == infinite.get("seed"):
            loss = float("inf")
        return row | {"metrics": {"accuracy": row["accuracy"], "cross_entropy": loss}}

    synthetic.write(folder, made, edit=edit)
    Store(folder).write_metrics(made.declared_metrics())
    return folder


def test_a_folders_metric_has_its_direction(tmp_path):
    folder = with_loss(tmp_path / "run", gain=0.5)

    def outcome(margin, **fields):
        return gating.of_folder(
            folder, Asked("qat - ptq", margin, metric="cross_entropy", **fields)
        )

    worse = outcome(0.2)
    assert (worse.outcome, worse.lower_is_better) == ("failed", True)
    assert worse.settings[0].mean == pytest.approx(0.5, abs=0.01)
    assert outcome(0.7).outcome == "passed"
    assert outcome(0.2, better="higher").outcome == "passed"
    assert gating.of_folder(folder, Asked("ptq - float", 5)).metric == "accuracy"  # the first one
    with pytest.raises(InputError, match="no 'crossentropy'; did you mean 'cross_entropy'"):
        gating.of_folder(folder, Asked("qat - ptq", 1, metric="crossentropy"))


def test_few_groups_of_test_examples_decide_nothing_about_new_ones(tmp_path):
    made = synthetic.study(seeds=8, budgets=[1], arms=["float", "ptq"])
    for groups, decided in ((3, False), (40, True)):
        folder = tmp_path / str(groups)
        synthetic.write(folder, made, groups=groups)
        ask = Asked("ptq - float", 5, population="seeds+examples")
        found = gating.of_folder(folder, ask)
        assert (found.outcome == "passed") == decided
        assert ("3 groups of test examples, and it takes 5" in gated.line(found)) != decided
        assert gating.of_folder(folder, Asked("ptq - float", 5)).outcome == "passed"


def test_what_is_not_finite_never_passes(tmp_path):
    folder = with_loss(tmp_path / "run", gain=-0.5, arm="qat", seed=3)
    found = gating.of_folder(folder, Asked("qat - ptq", 0.2, metric="cross_entropy"))
    assert found.outcome == "undecided"
    assert "1 seed has no finite value" in gated.line(found)
