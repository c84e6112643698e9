"""One source of randomness at a time: trainings are shared where nothing that they draw differs."""

from dataclasses import replace

from bench import datasets, study
from bench.pipelines import cell
from bench.plan.cells import cells
from bench.plan.costs import costs, total
from bench.plan.data import check_data
from bench.plan.times import Estimated
from bench.plan.trajectories import trajectories

FIELDS = {
    "seeds": [3, 5],
    "budgets": 1,
    "train_examples": 64,
    "calibration_examples": 16,
    "batch_norm_momentum": 0.9,
    "arms": ["float", "qat-cal"],
    "primary": [],
    "randomness": ["all", "calibration"],
}


def files(planned, data):
    """The hash of each cell's file."""
    found = {}
    for trajectory in planned:
        (segment,) = trajectory.segments
        checkpoint = cell.run_segment(data, segment, None)
        for fork in segment.forks:
            for row in cell.run_fork(data, segment, fork, checkpoint):
                found[row["cell"]] = row["sha256"]
    return found


def test_a_shared_training_gives_every_cell_the_bits_of_its_own():
    cell.prepare()
    data = datasets.load("digits", 64)
    wanted = cells(study.validate(FIELDS, "test"))
    planned = trajectories(wanted)
    assert len(planned) == 2  # seed 3 with all that is pinned to it; seed 5 with nothing pinned
    together = files(planned, data)
    # Where other cells come first, they give a training its seed and its pins.
    assert files(trajectories(wanted[::-1]), data) == together
    of = {(c.arm, c.recipe["randomness"], c.seed): c for c in wanted}
    one = of["qat-cal", "calibration", 5]
    assert files(trajectories([one]), data) == {one.id: together[one.id]}
    by = {place: together[each.id] for place, each in of.items()}
    for arm in ("float", "qat-cal"):
        assert by[arm, "all", 3] == by[arm, "calibration", 3] != by[arm, "all", 5]
    assert by["float", "calibration", 5] == by["float", "all", 3]
    assert by["qat-cal", "calibration", 5] not in (by["qat-cal", "all", 3], by["qat-cal", "all", 5])


def test_what_is_left_of_a_training_is_still_that_training():
    """A task that is split, or goes on behind a lost process, has some of its cells alone."""
    fields = {"arms": ["qat"], "qat_start": "scratch"}
    wanted = cells(study.validate(FIELDS | fields, "test"))
    for order in (wanted, wanted[::-1]):
        (fork,) = (
            fork for t in trajectories(order) for s in t.segments for fork in s.forks
            if len(fork.cells) > 1
        )  # fmt: skip
        drawn = {
            (fork.seed, fork.recipe.pin)
            for fork in (fork, *(replace(fork, cells=(each,)) for each in fork.cells))
        }
        assert drawn == {(fork.cells[0].seed, fork.cells[0].recipe.pin)}


def test_what_a_source_costs_is_counted_once():
    """All seeds at `calibration` are one float training, but as many of QAT that is calibrated."""
    made = study.validate(FIELDS | {"seeds": 10, "arms": ["float", "ptq", "qat-cal"]}, "test")
    times = Estimated(check_data(made))
    cost = costs(made, times)["randomness"]
    assert (cost.trainings, cost.models) == (9, 30)  # the first seed's are those of `all`
    plain = total(made.model_copy(update={"randomness": ("all",)}), times)
    assert total(made, times).trainings == plain.trainings + cost.trainings
