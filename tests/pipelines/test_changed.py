"""The factors of data in a real training: what they reach, and what stays bit for bit."""

import numpy as np
import pytest

from bench import datasets, study
from bench.datasets.changed.shifts import shifted
from bench.datasets.changed.training import changed
from bench.pipelines import cell, evaluate
from bench.plan.cells import cells
from bench.plan.forecast import forecast
from bench.plan.schedule import data_key
from bench.plan.trajectories import trajectories
from bench.store.schema import FILE

FIELDS = {
    "seeds": 1,
    "budgets": 2,
    "extra": 1,
    "train_examples": 128,
    "primary": [],
    "arms": ["float", "ptq"],
    "calibration_examples": 16,
    "learning_rate": 0.01,
    "batch_norm_momentum": 0.5,
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


def rows(**fields):
    """By arm, and the data that they were made of; several levels need no training more."""
    (trajectory,) = trajectories(cells(study.validate(FIELDS | fields, "test")))
    (segment,) = trajectory.segments
    data = changed(datasets.load("digits"), dict(data_key(segment)[1]))
    checkpoint = cell.run_segment(data, segment, None)
    found = [r for fork in segment.forks for r in cell.run_fork(data, segment, fork, checkpoint)]
    return {(row["arm"], row["test_shift"]): row for row in found}, data


def test_one_training_and_one_file_serve_all_shifts():
    plain, data = rows()
    several, _ = rows(test_shift=["none", "noise-3", "contrast-3"])
    assert len(several) == 3 * len(plain)
    for (arm, shift), row in several.items():
        one = plain[arm, "none"]
        assert row["sha256"] == one["sha256"]
        assert (row["cell"] == one["cell"]) == (shift == "none")
        assert row["train_accuracy"] == one["train_accuracy"]
        outputs = evaluate.Evaluator(row[FILE], data.scale).outputs(shifted(data, shift).x_test)
        assert row["predictions"] == outputs.argmax(axis=1).astype(np.uint8).tobytes()
    assert several["float", "contrast-3"]["accuracy"] < several["float", "none"]["accuracy"]


def test_noise_and_imbalance_change_training_and_not_the_test():
    plain, _ = rows()
    for fields in ({"label_noise": 0.5}, {"class_imbalance": 20}):
        found, data = rows(**fields)
        for place, row in found.items():
            assert row["cell"] != plain[place]["cell"]
            assert row["sha256"] != plain[place]["sha256"]
            assert row["n"] == plain[place]["n"]
            assert row["examples_seen"] == row["epochs"] * len(data.x_train)
    # The plan counts what is left of the examples too.
    made = study.validate(FIELDS | {"class_imbalance": 20}, "test")
    assert forecast(made, (), (), 2).steps == {"float": found["float", "none"]["steps"]}
    assert found["float", "none"]["steps"] < plain["float", "none"]["steps"]
