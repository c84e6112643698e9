"""Factors of the network, of float training and of the kernels that run a file."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from bench import datasets, models
from bench.pipelines import cell, evaluate, trainers
from bench.plan.cells import cells
from bench.plan.trajectories import trajectories
from bench.study import load

ROOT = Path(__file__).parents[2]

EXAMPLES = 64


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


@pytest.fixture(scope="module")
def data():
    return datasets.load("digits", EXAMPLES)


def rows(data, *overrides):
    made = load("digits", ["seeds=1", "budgets=1", f"train_examples={EXAMPLES}",
                           "batch_norm_momentum=0.9", "calibration_examples=30",
                           *overrides])  # fmt: skip
    found = []
    for trajectory in trajectories(cells(made)):
        checkpoint = None
        for segment in trajectory.segments:
            checkpoint = cell.run_segment(data, segment, checkpoint)
            for fork in segment.forks:
                found += cell.run_fork(data, segment, fork, checkpoint)
    for row in found:
        assert row["status"] in ("ok", "diverged"), row["error"]
    return found


BEFORE = "7e5b11c"
"""The last commit in which built-in networks had no parameters of their own."""


@pytest.mark.parametrize("name", ["bncnn", "resnet8", "tutorial_cnn"])
def test_a_network_of_which_nothing_is_asked_is_the_one_that_it_was(name):
    """That is why its cells keep their identity: the layers, by their configuration."""
    shown = subprocess.run(
        ["git", "show", f"{BEFORE}:bench/models/{name}.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if shown.returncode:
        pytest.skip("no history in this checkout")
    earlier: dict = {}
    exec(shown.stdout, earlier)

    def configuration(build):
        tf_keras.backend.clear_session()
        return build((16, 16, 3), 7).get_config()

    assert configuration(models.get(name).build) == configuration(earlier["build"])


def test_identities_of_built_in_networks_stay_what_they_were():
    assert models.identity("bncnn") == "8026395ff3238c5f"
    assert models.identity("resnet8") == "e4a456098c4eb8dd"
    assert models.identity("tutorial_cnn") == "00945350eff6bc2b"


def test_width_counts_filters_and_activation_is_behind_them():
    wide = models.get("bncnn").build((8, 8, 1), 10, width=1.5)
    filters = [layer.filters for layer in wide.layers if hasattr(layer, "filters")]
    assert filters == [24, 48, 96]
    for activation, limits in (("relu", [None] * 3), ("relu6", [6.0] * 3), ("none", [])):
        made = models.get("bncnn").build((8, 8, 1), 10, activation=activation)
        found = [x.max_value for x in made.layers if isinstance(x, tf_keras.layers.ReLU)]
        assert found == limits
    inner = models.get("resnet8").build((8, 8, 1), 10, activation="none")
    assert not any(isinstance(x, tf_keras.layers.ReLU) for x in inner.layers)


@pytest.mark.parametrize("level", ["width=0.5", "activation=relu6", "activation=none"])
def test_each_network_is_quantized_whole(data, level):
    found = {row["arm"]: row for row in rows(data, "arms=[float,ptq,qat]", level)}
    assert found["ptq"]["number_format"] == found["qat"]["number_format"] == "int8"
    if level.startswith("width"):
        plain = {row["arm"]: row for row in rows(data, "arms=[float,ptq,qat]")}
        assert found["float"]["bytes"] < 0.5 * plain["float"]["bytes"]


def test_of_ones_own_network_its_own_default_holds(data, tmp_path):
    source = tmp_path / "sized.py"
    source.write_text(
        "from tf_keras import layers, Sequential\ndef model(shape, classes, width=7):\n"
        "    return Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(int(width)),\n"
        "                       layers.Dense(classes)])\n"
    )
    for overrides, units in (([], 7), (["width=3"], 3)):
        made = load(str(source), ["seeds=1", "budgets=1", "arms=float", *overrides])
        (segment,) = trajectories(cells(made))[0].segments
        model = trainers.trainer_of(data, segment, False).model
        assert model.layers[1].units == units


def test_a_float_schedule_trains_each_budget_by_itself(data):
    plain = {r["budget"]: r for r in rows(data, "arms=float", "budgets=[1,2]")}
    cosine = {r["budget"]: r for r in rows(data, "arms=float", "budgets=[1,2]", "schedule=cosine")}
    alone = rows(data, "arms=float", "budgets=2", "schedule=cosine")[0]
    assert cosine[2]["sha256"] == alone["sha256"]
    assert len({r["sha256"] for r in (*plain.values(), *cosine.values())}) == 4
    made = load("digits", ["seeds=1", "budgets=[1,2]", "arms=float", "schedule=cosine",
                           "batch_norm_momentum=0.9"])  # fmt: skip
    assert len(trajectories(cells(made))) == 2


def test_weight_decay_reaches_every_training(data):
    for arm in ("float", "float+k", "qat"):
        plain, decayed = (
            rows(data, f"arms={arm}", f"weight_decay={decay}")[0] for decay in (0.0, 0.5)
        )
        assert plain["sha256"] != decayed["sha256"]
        assert plain["cell"] != decayed["cell"]


def test_one_file_on_other_kernels(data):
    """The same file on one kernel twice is identical, on another nearly so: the columns count."""
    found = rows(data, "arms=ptq", "kernels=[xnnpack,built-in,reference]", "threads=[1,2]")
    assert len({row["sha256"] for row in found}) == 1
    by = {(row["kernels"], row["threads"]): row for row in found}
    assert len(by) == 6
    base = by["xnnpack", 1]
    assert base["kernel_flips"] is base["kernel_outputs"] is None
    assert by["xnnpack", 2]["predictions"] == base["predictions"]
    assert by["xnnpack", 2]["kernel_flips"] == 0
    for place, row in by.items():
        if place != ("xnnpack", 1):
            one, other = (np.frombuffer(r["predictions"], np.uint8) for r in (row, base))
            assert row["kernel_flips"] == (one != other).sum()
            assert row["kernel_outputs"] <= 20


def test_what_two_kernels_differ_in_is_counted():
    a = np.array([[1, 5], [7, 2], [0, 9], [3, 3]], np.int8)
    b = np.array([[1, 6], [2, 7], [0, 6], [3, 1]], np.int8)
    assert evaluate.apart(a, b) == (1, 1)  # the second flips; the third is 3 steps away
    assert evaluate.apart(a.astype(np.float32), b.astype(np.float32)) == (1, None)
