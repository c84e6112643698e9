"""Every arm is a training and a conversion that the pipeline has, and a row the report can draw."""

import numpy as np
import pytest

from bench import datasets, study
from bench.pipelines import cell, conversions, starts
from bench.plan.cells import cells
from bench.plan.trajectories import trajectories
from bench.report import figures
from bench.study.arms import ARMS, CONTRASTS, CONVERSIONS, TRAININGS
from bench.study.effective import QAT_BY_START


@pytest.fixture(scope="module")
def rows():
    """One row of every arm, from one real training of the smallest study that has them all."""
    cell.prepare()
    made = study.validate(
        {"seeds": 1, "budgets": 1, "train_examples": 64, "calibration_examples": 16}, "test"
    )
    data = datasets.load("digits", 64)
    (trajectory,) = trajectories(cells(made))
    (segment,) = trajectory.segments
    checkpoint = cell.run_segment(data, segment, None)
    found = [
        row for fork in segment.forks for row in cell.run_fork(data, segment, fork, checkpoint)
    ]
    return {row["arm"]: row for row in found}


def test_the_pipeline_has_every_training_and_conversion_and_no_other():
    assert set(starts.STARTS) == set(TRAININGS)
    assert set(conversions.CONVERTS) == set(CONVERSIONS)
    chosen = {arm.training for arm in ARMS.values()} | set(QAT_BY_START.values())
    assert chosen == set(TRAININGS)
    assert {arm.conversion for arm in ARMS.values()} == set(CONVERSIONS)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_gives_the_file_that_it_claims(rows, name):
    arm, row = ARMS[name], rows[name]
    assert row["status"] in ("ok", "diverged"), row["error"]
    assert row["number_format"] == arm.number_format
    assert len(row["predictions"]) == row["n"] == 797
    assert row["extra"] == (1 if arm.extra else None)
    assert row["steps"] == 2 * (1 + arm.extra)  # 64 examples at batch 32
    cold = TRAININGS[arm.training].cold and not CONVERSIONS[arm.conversion].ranges
    assert row["range_start_left"] == (pytest.approx(0.999**2) if cold else None)
    assert row["batch_norm_start_left"] == pytest.approx(0.99 ** row["steps"])


def test_arms_are_drawn_so_that_they_can_be_told_apart():
    styles = figures.arm_styles(tuple(ARMS))
    assert len(set(styles.values())) == len(ARMS)


def test_recalibration_takes_qats_weights_through_ptqs_conversion(rows):
    assert rows["qat-recal"]["granularity"] == rows["ptq+k"]["granularity"]
    assert rows["qat"]["granularity"] != rows["ptq+k"]["granularity"]
    digests = [row["sha256"] for row in rows.values()]
    assert len(set(digests)) == len(digests)
    agree = [
        np.mean(
            np.frombuffer(rows["qat"]["predictions"], np.uint8)
            == np.frombuffer(rows[arm]["predictions"], np.uint8)
        )
        for arm in ("qat-recal", "ptq")
    ]
    assert agree[0] > agree[1]  # the same weights, against those of an epoch before


@pytest.mark.parametrize("name", CONTRASTS)
def test_every_contrast_is_of_arms_and_asks_something(name):
    contrast = CONTRASTS[name]
    assert {contrast.a, contrast.b} <= set(ARMS)
    assert contrast.question
