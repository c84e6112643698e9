"""A watcher that remembers what a run has told it."""

from collections.abc import Sequence
from typing import Any

from bench.plan.cells import Cell
from bench.runner import sockets


class Recorder:
    def __init__(self) -> None:
        self.wanted: list[Cell] = []
        self.there: list[dict[str, Any]] = []
        self.others = 0
        self.rows: list[dict[str, Any]] = []
        self.said_lines: list[str] = []
        self.additions: list[int] = []
        self.listening: list[str] = []
        self.waited_for: list[str] = []

    def planned(self, wanted: Sequence[Cell], rows: Sequence[dict[str, Any]], others: int) -> None:
        self.wanted, self.there, self.others = list(wanted), list(rows), others

    def waiting(self, cpus: int) -> None:
        """Ray is up, and so are its workers."""
        self.listening = sockets.listening()

    def added(self, wanted: Sequence[Cell]) -> None:
        self.additions.append(len(wanted))

    def finished(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows += rows

    def waits(self, what: str | None) -> None:
        if what is not None:
            self.waited_for.append(what)

    def said(self, text: str) -> None:
        self.said_lines.append(text)
