"""The schedule runs every cell once, whatever CPUs, times and failures; its simulation is bounded
by the arithmetic of it."""

from collections import Counter, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import study
from bench.plan import cells as plan
from bench.plan import schedule as module
from bench.plan.schedule import AHEAD, CELLS_PER_TASK, Schedule, traced_ahead
from bench.plan.simulate import DRIVER_S, critical_path, simulate
from bench.plan.trajectories import trajectories as shared

SEEDS = st.integers(1, 12)


def trajectories(seeds, *overrides):
    one = "batch_norm_momentum=model"
    return shared(plan.cells(study.load("digits", [f"seeds={seeds}", one, *overrides])))


class Times:
    """An epoch takes a second, a cell `cell_s`; a graph, once per process, `graph_s`."""

    def __init__(self, epoch_s=1.0, cell_s=0.1, graph_s=0.0):
        self.epoch_s, self.cell_s, self.graph_s = epoch_s, cell_s, graph_s

    def seconds(self, segment, fork):
        if fork is None:
            return self.epoch_s * (segment.budget - segment.start)
        return self.epoch_s * (fork.extras or (0,))[-1] + self.cell_s * len(fork.cells)

    def graphs(self, segment, fork):
        kind = "qat" if fork is not None and fork.training.startswith("qat") else "float"
        return {kind: self.graph_s}


def run(planned, cpus, fails, seconds, late=(), gone=(), died=()):
    """Drain a schedule as the driver does; `fails` says which task numbers fail, `died` whose
    process dies, `late` which take too long, `gone` which lack their checkpoint. Returns how often
    each cell got a result, the lost cells, and the tasks."""
    schedule, flying = Schedule(), deque()
    schedule.add(planned)
    got, lost, tasks = Counter(), [], []
    there = {(place, 0): None for place in range(len(planned))}  # the checkpoints that exist
    while schedule or flying:
        while schedule and len(flying) < AHEAD * cpus:
            flying.append(schedule.next(cpus))
        task = flying.popleft()
        tasks.append(task)
        if len(tasks) in fails:
            lost += schedule.failed(task)
            continue
        if len(tasks) in died:
            lost += schedule.failed(task, died=True)
            continue
        if len(tasks) in late:
            lost += schedule.overdue(task)
            continue
        if len(tasks) in gone and task.checkpoint is not None:
            schedule.lost(task)
            continue
        for work in task.works:
            at = work.last if work.fork is not None else work.first
            assert task.checkpoint == there[work.place, at], "starts from its own checkpoint"
            got.update(cell.id for _, fork in work.pieces if fork for cell in fork.cells)
        last = task.works[-1]
        after = (last.place, last.last) if task.leaves_checkpoint else None
        if after is not None:
            there[after] = after
        schedule.landed(task, seconds, after)
    return got, lost, tasks


@given(
    SEEDS,
    st.integers(1, 40),
    st.sets(st.integers(1, 60), max_size=6),
    st.sampled_from([0.0, 0.001, 10.0]),
    st.sets(st.integers(1, 60), max_size=6),
    st.sets(st.integers(1, 60), max_size=6),
)
@settings(max_examples=150)
def test_every_cell_gets_one_result_or_is_lost_once(seeds, cpus, fails, seconds, late, gone):
    planned = trajectories(seeds, "extra=[1,2]")
    wanted = [cell.id for trajectory in planned for cell in trajectory.cells]
    got, lost, tasks = run(planned, cpus, fails, seconds, late, gone)
    assert Counter(wanted) == got + Counter(cell.id for cell in lost)
    for task in tasks:
        assert len(task.works) == 1 or task.checkpoint is None
        cells = [cell for w in task.works for _, fork in w.pieces if fork for cell in fork.cells]
        assert len(cells) <= CELLS_PER_TASK
    if not fails and len(late) < 2:
        assert not lost


def test_what_took_too_long_runs_once_more_alone_and_is_then_given_up():
    planned = trajectories(1, "budgets=[1]", "extra=[1,2]", "arms=[float,qat]")
    tasks = run(planned, 1, (), 10.0)[2]
    at = next(n for n, t in enumerate(tasks, 1) if t.works[0].fork and t.works[0].fork.extras)
    got, lost, again = run(planned, 1, (), 10.0, late={at})
    assert not lost
    assert [len(task.works[0].fork.cells) for task in again[at:]][-2:] == [1, 1]
    got, lost, _ = run(planned, 1, (), 10.0, late={at, at + 1})
    assert [(cell.arm, cell.extra) for cell in lost] == [("qat", 1)]
    assert sum(got.values()) == 2


def test_a_death_takes_only_the_cell_that_dies_alone_too():
    planned = trajectories(1, "budgets=[1]", "extra=[1,2]", "arms=[float,qat]")
    tasks = run(planned, 1, (), 10.0)[2]
    at = next(n for n, t in enumerate(tasks, 1) if t.works[0].fork and t.works[0].fork.extras)
    got, lost, _ = run(planned, 1, (), 10.0, died={at})
    assert (lost, sum(got.values())) == ([], 3)
    got, lost, _ = run(planned, 1, (), 10.0, died={at, at + 1})
    assert [(cell.arm, cell.extra) for cell in lost] == [("qat", 1)]
    assert sum(got.values()) == 2


def test_a_death_takes_only_the_work_that_died_alone():
    planned = trajectories(400, "budgets=[1]")
    tasks = run(planned, 1, (), 0.0)[2]
    shared = next(at for at, task in enumerate(tasks, 1) if len(task.works) > 1)
    got, lost, again = run(planned, 1, {shared}, 0.0)
    assert not lost  # whoever shared the task has run again, alone
    assert sum(got.values()) == 400 * 7
    died = {work.place for work in tasks[shared - 1].works}
    after = [task for task in again[shared:] if {work.place for work in task.works} & died]
    assert all(len(task.works) == 1 for task in after)


def test_short_tasks_are_shared_and_long_ones_are_not():
    planned = trajectories(300)
    cells = sum(1 for trajectory in planned for _ in trajectory.cells)
    short = simulate(planned, 2, Times(0.0, 1e-5), driver_s=0.0)
    long = simulate(planned, 2, Times(1.0, 0.1), driver_s=0.0)
    assert short.tasks < cells / 20
    # Per seed and budget: a segment, and the forks float, float+k, qat, qat-cal.
    assert long.tasks == 300 * 4 * 5


def test_shared_tasks_let_one_driver_feed_a_thousand_cpus(monkeypatch):
    # 6 cells of 0.4 s at a seed and budget; apart, five tasks, of 1 ms each for the driver.
    planned, times = trajectories(12_000, "budgets=[1,2]"), Times(0.02, 0.4)
    shared = simulate(planned, 1000, times)
    monkeypatch.setattr(module, "TASKS_PER_S", 1e9)
    apart = simulate(planned, 1000, times)
    assert apart.tasks == 12_000 * 2 * 5
    assert apart.makespan_s >= 0.99 * apart.tasks * DRIVER_S
    assert shared.tasks < 0.6 * apart.tasks
    assert shared.makespan_s < 0.7 * apart.makespan_s


@given(SEEDS, st.integers(1, 64), st.floats(0, 3), st.floats(0, 3))
@settings(max_examples=60)
def test_a_makespan_lies_between_what_arithmetic_allows(seeds, cpus, epoch_s, cell_s):
    planned, times = trajectories(seeds), Times(epoch_s, cell_s)
    made = simulate(planned, cpus, times, driver_s=0.0)
    work = sum(
        times.seconds(segment, fork)
        for trajectory in planned
        for segment in trajectory.segments
        for fork in (None, *segment.forks)
    )
    longest = critical_path(planned, times)
    assert made.core_s == pytest.approx(work)
    assert made.makespan_s >= max(longest, work / cpus) - 1e-6
    # Graham's bound for list scheduling (1966): at most the one plus the other.
    assert made.makespan_s <= longest + work / cpus + 1e-6


def test_with_a_cpu_for_all_that_can_run_the_makespan_is_the_critical_path():
    planned, times = trajectories(30), Times(1.0, 0.1)
    # 8 float epochs, then one of QAT and its cell; or 8 and the control's epoch with two cells.
    assert critical_path(planned, times) == pytest.approx(8 + 1 + 2 * 0.1)
    made = simulate(planned, 30 * 16, times, driver_s=0.0)
    assert made.makespan_s == pytest.approx(critical_path(planned, times))


def test_a_process_traces_each_graph_once():
    planned = trajectories(5)
    free, traced = (simulate(planned, 1, Times(graph_s=s), driver_s=0.0) for s in (0.0, 3.0))
    assert traced.core_s == pytest.approx(free.core_s + 2 * 3.0)


def test_cpus_without_work_at_the_start_trace_ahead_a_graph_of_every_kind_in_turn():
    planned = trajectories(3, "models=['bncnn','tutorial_cnn']")
    assert traced_ahead(planned, 6) == []
    models = [each.segments[0].model for each in traced_ahead(planned, 11)]
    assert len(models) == 5
    assert Counter(models).most_common() == [("bncnn", 3), ("tutorial_cnn", 2)]


def test_a_fork_finds_its_graphs_where_a_cpu_was_idle():
    planned, times = trajectories(1), Times(1.0, 0.1, graph_s=3.0)
    # The float graph, 8 epochs; then, where QAT's graph is already, its epoch and two cells.
    longest = 3 + 8 + 1 + 2 * 0.1
    assert critical_path(planned, times) == pytest.approx(longest)
    alone = simulate(planned, 1, times, driver_s=0.0)
    many = simulate(planned, 40, times, driver_s=0.0)
    # At most a task of 1 s stands before a segment while the others trace.
    assert longest - 1e-6 <= many.makespan_s <= longest + 1 + 1e-6
    assert many.core_s == pytest.approx(alone.core_s - 3.0), "QAT's graphs are nobody's work"


def test_the_drivers_own_time_bounds_what_many_cpus_can_do():
    planned = trajectories(200)
    made = simulate(planned, 1000, Times(0.0, 1e-3), driver_s=0.01)
    assert made.makespan_s >= 0.01 * (made.tasks - 2)


def test_first_seeds_are_complete_early_on_few_cpus():
    planned = trajectories(10)
    schedule, order = Schedule(), []
    schedule.add(planned)
    flying = deque()
    while schedule or flying:
        while schedule and len(flying) < AHEAD * 2:
            flying.append(schedule.next(2))
        task = flying.popleft()
        order += [(work.place, work.fork) for work in task.works]
        schedule.landed(task, 10.0, "a checkpoint")
    ends = {place: at for at, (place, _) in enumerate(order)}
    assert list(ends.values()) == sorted(ends.values())
    assert ends[0] < len(order) / 4
