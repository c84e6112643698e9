"""What a run tells whoever shows how it goes on."""

from collections.abc import Sequence
from typing import Any, Protocol

from bench.plan.cells import Cell


class Watcher(Protocol):
    """Whoever shows how a run goes on."""

    def planned(self, wanted: Sequence[Cell], rows: Sequence[dict[str, Any]], others: int) -> None:
        """Once, before anything runs: all cells of the study, the rows that are there already, and
        how many rows of other cells lie in the folder, which are left alone."""

    def waiting(self, cpus: int) -> None:
        """So many workers import TensorFlow and try models: some seconds in which to say more."""

    def added(self, wanted: Sequence[Cell]) -> None:
        """Cells that a look at the data called for; none: the run ends here."""

    def finished(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows that are on disk now."""

    def waits(self, what: str | None) -> None:
        """Every few seconds: what the run waits for, where nothing has ended for a while."""

    def said(self, text: str) -> None:
        """What somebody should know at once."""
