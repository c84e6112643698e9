"""How a run goes on: a live table in a terminal, plain lines everywhere else."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bench.cli.failures import Failures
from bench.cli.means import Means
from bench.console import Console
from bench.plan.cells import Cell
from bench.study.units import amount

FIRST_S, LONGEST_S = 5.0, 60.0
"""Seconds between two plain lines: at first, and at most; each wait is half as long again."""

WIDTH = 80
"""Columns of a plain line at most."""


class RunProgress:
    """Cells done and left, the time that is left, what has failed, and running means.

    A context manager; the runner tells it what is planned and what has finished. forecast: what
    `plan` says of this study on so many CPUs, asked for once, while workers start.
    """

    def __init__(self, console: Console, forecast: Callable[[int], str] | None = None) -> None:
        self._console = console
        self._forecast = forecast
        self._live: Live | None = None
        self._bar = Progress(
            TextColumn("cells"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self.failures = Failures()
        self._means = Means()
        self._total = self._done = self._done_before = 0
        self._started = self._first = self._said = 0.0
        self._pause, self._lines = FIRST_S, 0
        self._waits: str | None = None

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
        self._means.planned(wanted)
        if others:
            self.said(
                f"{others} results in this folder are of no cell of this study (of another study, "
                "or of other code or data than now): left alone, and not in its report"
            )
        self._means.note(rows)
        self._done = self._done_before = len(rows)
        if self._done:
            self.said(f"{self._done} of {self._total} cells are there already")
        if self._done == self._total:
            return
        self.said(f"{self._total - self._done} cells to run; starting workers")
        if self._console.is_terminal:
            self._task = self._bar.add_task("", total=self._total, completed=self._done, left="")
            self._live = Live(self._view(), console=self._console, refresh_per_second=4)
            self._live.start()

    def waiting(self, cpus: int) -> None:
        if self._forecast is not None:
            self.said(self._forecast(cpus))
            self._forecast = None

    def added(self, wanted: Sequence[Cell]) -> None:
        self._total += len(wanted)
        if not wanted:
            return
        seeds = len({cell.seed for cell in wanted})
        self.said(f"not clear yet: {len(wanted)} cells more, of {seeds} new seeds")
        if self._live is not None:
            self._bar.update(self._task, total=self._total)

    def finished(self, rows: Sequence[Mapping[str, Any]]) -> None:
        now = time.monotonic()
        self._first = self._first or now
        self._done += len(rows)
        self._means.note(rows)
        for line in self.failures.note(rows):
            self.said(line)
        if self._live is not None:
            self._bar.update(self._task, completed=self._done, left=self._left(now))
            self._live.update(self._view())
        elif now - self._said >= self._pause or self._done == self._total:
            if self._said:
                self._pause = min(1.5 * self._pause, LONGEST_S)
            self._said = now
            self.said(self._line(now))

    def waits(self, what: str | None) -> None:
        now = time.monotonic()
        if self._live is not None:
            self._waits = what
            self._live.update(self._view())
        elif what is not None and now - self._said >= LONGEST_S:
            self._said = now
            self.said(f"{self._done}/{self._total} cells; {what}")

    def said(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _line(self, now: float) -> str:
        """How far it is, and means of one group at its largest budget: another one each time."""
        line = f"{self._done}/{self._total} cells, {self._left(now)}"
        if self.failures:
            line += f", {len(self.failures)} failed"
        if groups := self._means.groups:
            group = groups[self._lines % len(groups)]
            self._lines += 1
            budget = self._means.budgets(group)[-1]
            means = [
                f"{arm} {self._means.shown(mean)}" for arm, mean, _ in self._means.of(group, budget)
            ]
            first, *others = means
            for part in (f"; {self._means.name(group)}, E = {budget}: {first}", *others):
                part = part if part.startswith(";") else f", {part}"
                if len(line + part) > WIDTH:
                    break
                line += part
        return line[:WIDTH]

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
        parts: list[Any] = [self._bar]
        if self.failures:
            parts.append(f"[red]{len(self.failures)} cells have failed so far")
        if self._waits:
            parts.append(Text(self._waits, "yellow"))
        parts += [self._table(group) for group in self._means.groups] or ["starting workers"]
        return Group(*parts)

    def _table(self, group: tuple[Any, ...]) -> Table:
        table = Table(box=None, pad_edge=False)
        budgets = self._means.budgets(group)
        table.add_column(f"mean {self._means.metric} so far: {self._means.name(group)}")
        cells: dict[str, list[str]] = {arm: [""] * len(budgets) for arm in self._means.arms}
        for place, budget in enumerate(budgets):
            table.add_column(amount(budget, self._means.unit), justify="right")
            for arm, mean, n in self._means.of(group, budget):
                cells[arm][place] = f"{self._means.shown(mean, 2)} [dim]n={n}[/]"
        for arm, texts in cells.items():
            if any(texts):
                table.add_row(arm, *texts)
        return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
