"""Looking into a model changes nothing of it, and finds what theory says."""

import numpy as np
import pytest

from bench import datasets, study
from bench.pipelines import cell as body
from bench.pipelines import diagnose
from bench.pipelines.diagnose import layers
from bench.pipelines.trainers import trainer_of
from bench.plan import cells as plan
from bench.plan.trajectories import trajectories


@pytest.fixture(scope="module")
def rows():
    """Of one seed, arm by arm: not looked into, and looked into."""
    body.prepare()
    made = study.load(
        "digits", ["seeds=1", "budgets=[2]", "batch_norm_momentum=0.9", "arms=[float,ptq,qat]"]
    )
    data = datasets.load("digits")
    ((segment,),) = [each.segments for each in trajectories(plan.cells(made))]
    found = []
    for seeds in ((), (0,)):
        diagnose.use(seeds)
        checkpoint = body.run_segment(data, segment, None)
        found.append(
            {
                row["arm"]: row
                for fork in segment.forks
                for row in body.run_fork(data, segment, fork, checkpoint)
            }
        )
    diagnose.use(())
    return found


def test_looking_changes_no_bit_of_a_result(rows):
    blind, seen = rows
    assert blind.keys() == seen.keys() == {"float", "ptq", "qat"}
    for arm in blind:
        assert seen[arm]["status"] == "ok"
        for name in ("sha256", "predictions", "loss", "train_accuracy"):
            assert blind[arm][name] == seen[arm][name]
        assert "layers" not in blind[arm]
    assert "layers" not in seen["float"], "only what is quantized is looked into"


def number(row, what):
    return {
        name.rpartition(" / ")[0]: value
        for name, value in row["layers"].items()
        if name.rpartition(" / ")[2] == what
    }


def test_the_error_of_a_layer_is_at_least_that_of_rounding(rows):
    _, seen = rows
    errors = number(seen["ptq"], "error_steps")
    assert [name.split(" ")[1] for name in errors] == [
        "CONV_2D", "CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED",
    ]  # fmt: skip
    # Uniform in a step: sd 1/sqrt(12); half of a ReLU's outputs are 0, exactly.
    assert all(0.2 < error < 1.5 for error in errors.values())
    assert all(20 < ratio < 60 for ratio in number(seen["ptq"], "sqnr_db").values())
    assert not any(name.startswith("file / ") for name in seen["ptq"]["layers"])


def test_scales_are_counted_by_their_values(rows):
    _, seen = rows
    assert list(number(seen["ptq"], "distinct_scales").values()) == [16, 32, 64, 10]
    assert number(seen["qat"], "distinct_scales")["4 FULLY_CONNECTED"] == 1, "TFMOT's is per layer"


def test_ranges_that_started_at_six_are_wider_than_calibrations(rows):
    _, seen = rows
    row = seen["qat"]
    assert row["range_start_left"] == pytest.approx(0.999**32)
    ratios = number(row, "range_ratio")
    assert ratios["quantize_layer/quantize_layer"] == pytest.approx(1.0, abs=0.1), "of all it saw"
    hidden = [v for name, v in ratios.items() if "quantize_layer" not in name]
    assert np.median(hidden) > 1.5
    assert all(0 <= share <= 1 for share in number(row, "saturated").values())


def test_averages_are_held_against_the_statistics_of_the_data(rows):
    _, seen = rows
    off = number(seen["ptq"], "mean_off")
    assert len(off) == 3
    assert max(off.values()) < 0.5, "at momentum 0.9 they have converged after 64 steps"
    assert seen["ptq"]["keras_flips"] >= seen["ptq"]["keras_flips_tied"]
    assert seen["qat"]["keras_flips"] < 0.02 * seen["qat"]["n"]


def test_why_looking_failed_stands_in_the_row(rows, monkeypatch):
    """Of a file that no interpreter takes: why is kept, and the trainer has its weights again."""
    made = study.load(
        "digits", ["seeds=1", "budgets=[1]", "batch_norm_momentum=0.9", "arms=[float,ptq]"]
    )
    cells = {cell.arm: cell for cell in plan.cells(made)}
    data = datasets.load("digits")
    ((segment,),) = [each.segments for each in trajectories([*cells.values()])]
    trainer = trainer_of(data, segment, False)
    before = [np.copy(each) for each in trainer.state.weights]
    found = layers.measured(data, data, segment, cells["ptq"], trainer, b"no file", False)
    assert found["layers"]["file / left_out"] == 3
    assert found["layers_error"].startswith("ValueError: ")
    assert all(map(np.array_equal, trainer.state.weights, before))
    assert all(row.get("layers_error") is None for row in rows[1].values())


def test_a_regression_is_looked_into_and_has_no_classes_to_flip():
    made = study.load(
        "digits",
        ["seeds=1", "budgets=[1]", "batch_norm_momentum=0.9", "arms=[float,ptq]", "primary=[]",
         "primary_over=[]", "task=regression", "metrics=mae", "train_examples=200"],
    )  # fmt: skip
    ((segment,),) = [each.segments for each in trajectories(plan.cells(made))]
    data = datasets.load("digits", 200, task="regression")
    diagnose.use(None)
    checkpoint = body.run_segment(data, segment, None)
    (fork,) = segment.forks
    found = {row["arm"]: row for row in body.run_fork(data, segment, fork, checkpoint)}
    diagnose.use(())
    assert len(number(found["ptq"], "sqnr_db")) == 5
    assert found["ptq"]["layers_error"] is None
    assert "keras_flips" not in found["ptq"]
    assert "layers" not in found["float"]
