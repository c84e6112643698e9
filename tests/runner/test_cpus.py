"""Which CPU type a task is for: known answers, and what holds after any history."""

from hypothesis import given
from hypothesis import strategies as st

from bench.plan.cells import cells
from bench.plan.schedule import Task, Work
from bench.plan.trajectories import trajectories
from bench.runner.cpus import CpuTypes
from bench.study import validate

STUDY = validate({"title": "t", "seeds": 6, "budgets": [1, 2], "arms": ["float"]}, "test")
WORKS = [Work(i, each, 0, 1) for i, each in enumerate(trajectories(cells(STUDY)))]
SEEDS = [("digits", "bncnn", seed) for seed in range(6)]
TASKS = [Task((work,)) for work in WORKS]
ABLE = {"x": 4, "y": 2, "z": 2}


def types(before=(), same=False):
    made = CpuTypes(dict(before), same)
    made.of_node |= {"x": "A", "y": "B", "z": "A"}
    return made


def test_a_new_seed_goes_where_most_room_is_and_then_stays_however_full_that_is():
    made = types()
    assert made.choose(TASKS[0], ABLE, {}) == "A"
    assert made.choose(TASKS[1], ABLE, {"A": 1}) == "B"
    assert made.choose(TASKS[2], ABLE, {"A": 1, "B": 1}) == "A"
    assert made.choose(TASKS[1], ABLE, {"B": 99}) == "B"
    assert made.others("A") == {"y"}
    assert made.others(None) == set()


def test_one_that_has_rows_stays_on_their_type_until_no_node_has_it():
    made = types({SEEDS[0]: "B", SEEDS[1]: "C"})
    assert made.choose(TASKS[0], ABLE, {}) == "B"
    assert made.choose(TASKS[1], ABLE, {}) == "A"
    assert made.choose(TASKS[0], {"x": 4}, {}) == "A"
    assert made.choose(TASKS[0], ABLE, {}) == "A"  # and does not come back


def test_where_no_node_is_known_nothing_is_decided():
    made = CpuTypes({SEEDS[0]: "B"}, same=False)
    assert made.choose(TASKS[0], {"new": 1}, {}) == "B"
    assert made.choose(TASKS[1], {"new": 1}, {}) is None


def test_one_type_for_all_is_that_of_the_rows_or_the_one_with_most_room():
    assert types({SEEDS[3]: "B"}, same=True).choose(TASKS[0], ABLE, {}) == "B"
    made = types(same=True)
    assert made.one is None
    assert made.choose(TASKS[0], ABLE, {"A": 99}) == "A"
    assert made.choose(TASKS[1], {"y": 2}, {}) == made.one == "A"  # nothing moves


@given(st.dictionaries(st.sampled_from(SEEDS), st.sampled_from("ABC")))
def test_a_task_apart_is_the_same_works_each_once_and_one_type_for_each_part(before):
    made = types(before)
    parts = made.apart(Task(tuple(WORKS)))
    assert sorted(work.place for part in parts for work in part.works) == list(range(6))
    of = [{before.get(SEEDS[work.place]) for work in part.works} for part in parts]
    assert all(len(each) == 1 for each in of)
    assert len(set.union(*of)) == len(parts)
