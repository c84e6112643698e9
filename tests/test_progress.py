"""What a run says while it goes on: plain lines, means that are of one thing, failures."""

import io
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from rich.console import Console

from bench.cli import progress
from bench.cli.failures import Failures
from bench.cli.means import Means
from bench.plan.cells import cells
from bench.study import validate


def study(**fields):
    fields = {"seeds": 2, "budgets": [1, 8], "extra": [1], "primary": []} | fields
    return validate(fields, "test")


def row(cell, accuracy=0.5, status="ok", error=None):
    return cell.columns | {"status": status, "accuracy": accuracy, "error": error}


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test moves on by itself."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def said(text):
    return [line for line in text.getvalue().splitlines() if " cells, " in line]


def test_lines_have_80_columns_at_most_and_back_off_to_one_a_minute(clock):
    wanted = cells(study(seeds=1000, models=["bncnn", "resnet8"], batch_size=[16, 32]))
    text, times = io.StringIO(), []
    with progress.RunProgress(Console(file=text, width=300)) as shown:
        shown.planned(wanted, [], 0)
        for cell in wanted[:-1]:
            clock[0] += 0.5
            before = len(said(text))
            shown.finished([row(cell, status="failed" if cell.seed % 7 == 0 else "ok")])
            times += [clock[0]] * (len(said(text)) - before)
        clock[0] += 0.5
        shown.finished([row(wanted[-1])])
    lines = said(text)
    assert max(map(len, lines)) <= 80
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[0] <= 8
    assert max(pauses) <= 61
    assert pauses[-1] >= 59
    assert f"{len(wanted)}/{len(wanted)} cells, done in" in lines[-1]


@pytest.mark.parametrize("terminal", [False, True])
def test_means_are_of_one_data_set_one_model_and_one_level_of_each_factor(terminal):
    made = study(models=["bncnn", "resnet8"], batch_size=[16, 32], arms=["float"], budgets=[1])
    wanted = cells(made)
    accuracy = {("bncnn", 16): 0.1, ("bncnn", 32): 0.2, ("resnet8", 16): 0.3, ("resnet8", 32): 0.4}
    means = Means()
    means.planned(wanted)
    for cell in wanted:
        level = accuracy[cell.model, cell.recipe["batch_size"]]
        means.note([row(cell, level + (0.02 if cell.seed else -0.02))])
    found = {means.name(group): list(means.of(group, 1)) for group in means.groups}
    assert {name: (arm, round(mean, 9), n) for name, ((arm, mean, n),) in found.items()} == {
        f"{model} on digits, batch_size {size}": ("float", value, 2)
        for (model, size), value in accuracy.items()
    }
    text = io.StringIO()
    console = Console(file=text, width=100, height=60, force_terminal=terminal)
    with progress.RunProgress(console) as shown:
        shown.planned(wanted, [], 0)
        shown.finished(
            [row(cell, accuracy[cell.model, cell.recipe["batch_size"]]) for cell in wanted]
        )
    names = [name for name in found if name in text.getvalue()]
    assert names == (list(found) if terminal else names[:1])
    assert "25.0" not in text.getvalue()  # the mean over all of them


def test_the_first_failure_of_an_arm_is_said_at_once_and_only_if_it_is_its_first_cell():
    float1, float2 = cells(study(arms=["float"], budgets=[1]))
    failures = Failures()
    assert list(failures.note([row(float1)])) == []
    assert list(failures.note([row(float2, status="failed", error="ValueError: x")])) == []
    failures = Failures()
    (line,) = failures.note([row(float1, status="failed", error="ValueError: x (mine.py:3)")])
    assert line == ("the first cell of float (bncnn on digits) failed: ValueError: x (mine.py:3)")
    assert list(failures.note([row(float2, status="failed", error="ValueError: x")])) == []


def test_the_table_counts_each_cause_once_with_its_arms_and_what_to_do():
    wanted = [replace(cell, id=f"{n:016x}") for n, cell in enumerate(cells(study(seeds=4)))]
    errors = {
        "qat": ("failed", "crashed: SIGSEGV"),
        "ptq": ("failed", "ValueError: no (mine.py:12)"),
        "float": ("timeout", "after 60 s"),
    }
    failures = Failures()
    for cell in wanted:
        status, error = errors.get(cell.arm, ("ok", None))
        list(failures.note([row(cell, status=status, error=error)]))
    table = "\n".join(failures.table())
    assert f"{4 * 2 * 3} cells have no result:" in table
    for arm, cause in (
        ("qat", "failed: crashed: SIGSEGV"),
        ("ptq", "failed: ValueError: no (mine.py:12)"),
        ("float", "timed out: after 60 s"),
    ):
        assert f"    8 of {arm}\n        {cause}\n        -> " in table
    assert "mend that line" in table


def test_unsupported_and_diverged_are_no_failures_and_a_cell_that_succeeds_later_is_none():
    one, two = cells(study(arms=["float"], budgets=[1]))
    failures = Failures()
    list(
        failures.note([row(one, status="unsupported", error="PReLU"), row(two, status="diverged")])
    )
    assert not failures
    list(failures.note([row(one, status="failed", error="x")]))
    assert len(failures) == 1
    list(failures.note([row(one)]))
    assert not failures
