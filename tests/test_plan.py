"""Plan expansion: every cell once, an identity of what determines it, the least training."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bench import study
from bench.plan import cells as plan
from bench.plan.trajectories import trajectories
from bench.study.arms import ARMS

studies = st.fixed_dictionaries(
    {
        "seeds": st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
        "budgets": st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True),
        "extra": st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True),
        "arms": st.lists(st.sampled_from(list(ARMS)), min_size=1, unique=True),
        "models": st.lists(st.sampled_from(["bncnn", "resnet8"]), min_size=1, unique=True),
        "batch_size": st.lists(st.integers(1, 512), min_size=1, max_size=2, unique=True),
        "calibration_examples": st.lists(st.integers(1, 99), min_size=1, max_size=2, unique=True),
    }
).map(lambda fields: study.validate({**fields, "primary": []}, "test"))


@given(studies)
@settings(max_examples=50)
def test_every_cell_once_whatever_the_study(made):
    cells = plan.cells(made)
    each = sum(len(made.extra) if ARMS[arm].extra else 1 for arm in made.arms)
    factors = len(made.batch_size) * len(made.calibration_examples) * len(made.models)
    assert len(cells) == len(made.seeds) * len(made.budgets) * factors * each
    assert len({cell.id for cell in cells}) == len(cells)
    assert all((cell.extra is not None) == ARMS[cell.arm].extra for cell in cells)


@given(studies, st.data())
@settings(max_examples=50)
def test_trajectories_hold_the_wanted_cells_and_no_other(made, data):
    cells = plan.cells(made)
    wanted = data.draw(st.lists(st.sampled_from(cells), unique=True))
    planned = trajectories(wanted)
    assert sorted(c.id for t in planned for c in t.cells) == sorted(c.id for c in wanted)
    for trajectory in planned:
        ends = [segment.budget for segment in trajectory.segments]
        assert [segment.start for segment in trajectory.segments] == [0, *ends[:-1]]
        assert ends == sorted(set(ends))
        for segment in trajectory.segments:
            for fork in segment.forks:
                assert {ARMS[c.arm].training for c in fork.cells} == {fork.training}
                assert {(c.seed, c.budget) for c in fork.cells} == {(segment.seed, segment.budget)}


def test_one_trajectory_per_seed_serves_every_budget_and_calibration():
    made = study.load("digits", ["seeds=3", "calibration_examples=[50,200]", "extra=[1,2]"])
    planned = trajectories(plan.cells(made))
    assert len(planned) == 3
    forks = [fork for segment in planned[0].segments for fork in segment.forks]
    # Calibration reaches into no training but qat-cal's.
    assert [fork.training for fork in forks] == [
        "float",
        "float+k",
        "qat",
        "qat-cal",
        "qat-cal",
    ] * 4
    assert all(fork.extras == ((1, 2) if fork.training != "float" else ()) for fork in forks)


def test_a_wider_study_keeps_the_identities_of_a_narrower_one():
    narrow = {c.id for c in plan.cells(study.load("digits", ["seeds=2", "budgets=[4]"]))}
    wide = study.load(
        "digits", ["seeds=[1,0,7]", "budgets=[1,4]", "learning_rate=[0.01,0.001]", "title=other"]
    )
    assert narrow <= {c.id for c in plan.cells(wide)}


def test_what_determines_a_result_changes_its_identity():
    def ids(*overrides):
        return {c.id for c in plan.cells(study.load("digits", ["seeds=1", *overrides]))}

    changes = (
        [],
        ["seeds=[1]"],
        ["models=resnet8"],
        ["batch_size=64"],
        ["optimizer=sgd"],
        ["learning_rate=0.01"],
        ["train_examples=500"],
        ["calibration_examples=100"],
        ["pin.order=0"],
    )
    each = [ids(*change) for change in changes]
    assert len(set.union(*each)) == sum(map(len, each))


def test_identities_stay_what_they_were():
    # Written down when RECIPE was 1: a change here makes all stored results worthless.
    first = plan.cells(study.load("digits"))[0]
    assert (plan.RECIPE, first.arm, first.id) == (1, "float", "17e5471d5b2c6075")


def test_a_row_says_which_cell_it_is():
    cell = plan.cells(study.load("digits"))[-1]
    assert cell.columns == {
        "cell": cell.id,
        "dataset": "digits",
        "model": "bncnn",
        "seed": 19,
        "budget": 8,
        "arm": "qat-cal",
        "extra": 1,
        "train_examples": None,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 0.001,
        "calibration_examples": 200,
    }
    assert replace(cell, id="other").columns["cell"] == "other"
