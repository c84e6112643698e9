"""What README.md says of the default study is what lies in results/digits."""

import re
from pathlib import Path

import numpy as np
import pytest

from bench import study
from bench.analysis import analyze
from bench.plan.forecast import primary_family
from bench.store import folder as store

ROOT = Path(__file__).parents[1]
README = " ".join((ROOT / "README.md").read_text("utf-8").split())
CONVERGED, UNCONVERGED = 0.9, 0.99


@pytest.fixture(scope="module")
def analysis():
    return analyze(store.read(ROOT / "results" / "digits"))


@pytest.fixture(scope="module")
def values(analysis):
    """(momentum, budget, arm) -> percent correct by seed."""
    return {
        (dict(s.setting.factors)["batch_norm_momentum"], s.setting.budget, s.arm): s.values
        for s in analysis.samples
    }


def test_the_committed_results_are_those_of_the_shipped_study(analysis):
    assert analysis.study == study.load("digits")
    assert analysis.checks.complete
    assert not analysis.checks.notes
    assert not analysis.checks.rejected


def test_counts(analysis):
    made = analysis.study
    assert f"{len(made.seeds)} times from new starts" in README
    assert f"All {analysis.checks.planned:,} models" in README
    assert f"all {primary_family(made)} primary contrasts" in README


def test_ptq_and_float(values):
    pairs = [
        values[momentum, budget, "ptq"] - values[momentum, budget, "float"]
        for momentum in (CONVERGED, UNCONVERGED)
        for budget in (1, 2, 4, 8)
    ]
    d = np.concatenate(pairs)
    assert f"In all {d.size} pairs" in README
    within = float(re.search(r"lie within ([\d.]+) points of each other", README).group(1))
    assert abs(d).max() <= within < abs(d).max() + 0.1


def test_one_run_after_one_epoch(analysis, values):
    ptq, qat = (values[UNCONVERGED, 1, arm] for arm in ("ptq", "qat"))
    many = int((ptq - qat >= 6).sum())
    assert f"in {many} of {ptq.size} runs PTQ came out 6 points or more above QAT" in README
    assert (qat - ptq).max() >= 6  # in others as far below
    assert not (values[CONVERGED, 1, "ptq"] - values[CONVERGED, 1, "qat"] >= 6).any()
    both = np.concatenate([values[UNCONVERGED, 1, arm] for arm in ("float", "ptq", "qat")])
    assert f"anything from {both.min():.0f}% to {both.max():.0f}%" in README
    (check,) = [
        c
        for c in analysis.float_checks
        if c.setting.budget == 1 and dict(c.setting.factors)["batch_norm_momentum"] == UNCONVERGED
    ]
    assert f"leaves {100 * check.start_left:.0f}% of the averages' start" in README
    assert f"nearest centroid has {100 * check.baselines.nearest_centroid:.0f}%" in README


def test_one_epoch(analysis):
    def one(name, momentum, budget):
        (found,) = [
            c
            for c in analysis.select("seeds", name=name)
            if c.setting.budget == budget
            and dict(c.setting.factors)["batch_norm_momentum"] == momentum
        ]
        return found

    for budget in (1, 2, 4, 8):
        assert one("qat - ptq+k", CONVERGED, budget).simultaneous.within(0.5)
    lead = one("qat - ptq", CONVERGED, 1)
    assert f"the {lead.mean:.0f} points by which QAT leads after one epoch" in README
    extra = one("ptq+k - ptq", CONVERGED, 1)
    assert abs(lead.mean - extra.mean) < 0.2  # it is the extra epoch
