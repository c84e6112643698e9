"""How a run goes on: a live table in a terminal, plain lines everywhere else."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.plan.cells import Cell
from bench.store.schema import EVALUATED
from bench.study.arms import ARMS

LINE_EVERY = 5.0
"""Seconds between two plain lines."""


class RunProgress:
    """Cells done and left, the time that is left, and the arms' running means by budget.

    A context manager; the runner tells it what is planned and what has finished.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._bar = Progress(
            TextColumn("cells"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._sums: defaultdict[tuple[str, int], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        self._failed = 0
        self._total = self._done = self._done_before = 0
        self._started = self._first = self._said = 0.0

    def __enter__(self) -> "RunProgress":
        self._started = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.update(self._view(), refresh=True)
            self._live.stop()

    def planned(
        self, wanted: Sequence[Cell], rows: Sequence[Mapping[str, Any]], others: int
    ) -> None:
        self._total = len(wanted)
        if others:
            self._console.print(
                f"{others} results in this folder are of no cell of this study (of another study, "
                "or of other code or data than now): left alone, and not in its report",
                soft_wrap=True,
            )
        self._count(rows)
        self._done_before = self._done
        if self._done:
            self._console.print(f"{self._done} of {self._total} cells are there already")
        if self._console.is_terminal and self._done < self._total:
            self._task = self._bar.add_task("", total=self._total, completed=self._done, left="")
            self._live = Live(self._view(), console=self._console, refresh_per_second=4)
            self._live.start()
        elif self._done < self._total:
            self._console.print(f"{self._total - self._done} cells to run; starting workers")

    def added(self, wanted: Sequence[Cell]) -> None:
        self._total += len(wanted)
        if not wanted:
            return
        seeds = len({cell.seed for cell in wanted})
        self._console.print(f"not clear yet: {len(wanted)} cells more, of {seeds} new seeds")
        if self._live is not None:
            self._bar.update(self._task, total=self._total)

    def finished(self, rows: Sequence[Mapping[str, Any]]) -> None:
        now = time.monotonic()
        self._first = self._first or now
        self._count(rows)
        if self._live is not None:
            self._bar.update(self._task, completed=self._done, left=self._left(now))
            self._live.update(self._view())
        elif now - self._said >= LINE_EVERY or self._done == self._total:
            self._said = now
            means = ", ".join(
                f"{arm}@{budget} {total / n:.2%}"
                for (arm, budget), (total, n) in sorted(self._sums.items(), key=_by_budget)
            )
            self._console.print(
                f"{self._done}/{self._total} cells, {self._left(now)}; means: {means}",
                soft_wrap=True,
                highlight=False,
            )

    def said(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)

    def _count(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._done += 1
            if row["status"] in EVALUATED:
                total, n = self._sums[row["arm"], row["budget"]]
                self._sums[row["arm"], row["budget"]] = (total + row["accuracy"], n + 1)
            else:
                self._failed += 1

    def _left(self, now: float) -> str:
        """The time left by the rate since the first row: starting workers is no part of it."""
        done = self._done - self._done_before
        if self._done >= self._total:
            return f"done in {_duration(now - self._started)}"
        if done < 10 or now - self._first < 2:
            return "time left: not known yet"
        seconds = (now - self._first) / done * (self._total - self._done)
        return f"about {_duration(seconds)} left"

    def _view(self) -> Group:
        table = Table(box=None, pad_edge=False)
        budgets = sorted({budget for _, budget in self._sums})
        table.add_column("mean accuracy so far")
        for budget in budgets:
            table.add_column(f"{budget} epoch{'s' * (budget > 1)}", justify="right")
        for arm in ARMS:
            if any((arm, budget) in self._sums for budget in budgets):
                table.add_row(arm, *(self._mean(arm, budget) for budget in budgets))
        parts: list[Any] = [self._bar, table] if budgets else [self._bar, "starting workers"]
        if self._failed:
            parts.append(f"[red]{self._failed} cells have failed so far")
        return Group(*parts)

    def _mean(self, arm: str, budget: int) -> str:
        if (arm, budget) not in self._sums:
            return ""
        total, n = self._sums[arm, budget]
        return f"{total / n:.2%} [dim]n={n}[/]"


def _by_budget(item: tuple[tuple[str, int], Any]) -> tuple[int, int]:
    (arm, budget), _ = item
    return budget, list(ARMS).index(arm)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
