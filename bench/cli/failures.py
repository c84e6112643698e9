"""Cells without a result: said at once where an arm starts with one, and as a table at the end."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.cli.means import in_order
from bench.store.schema import RESULTS

MOST_CAUSES = 8
"""Lines of the table; the report's section on failures has all."""

REMEDIES = (
    ("OutOfMemory", "fewer --workers, or more memory"),
    ("SIGKILL", "was it memory? fewer --workers; else the same command again"),
    ("crashed: ", "a crash of TensorFlow or LiteRT: run that arm without this model, or report it"),
    ("NodeDied", "a node went away: the same command again"),
    ("WorkerCrashed", "the same command again"),
    ("ObjectLost", "a node went away: the same command again"),
    (".py:", "mend that line; the same command then goes on"),
)
"""Part of an error's text -> what to do about it; the first that fits."""

OTHERWISE = "the same command tries again"


class Failures:
    """What has failed in a run so far, and which arms have begun well."""

    def __init__(self) -> None:
        self._begun: set[tuple[str, str, str]] = set()
        self._rows: dict[str, Mapping[str, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def note(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Take these rows in. Yields a line for each arm whose first cell here has failed."""
        for row in rows:
            arm = (row["dataset"], row["model"], row["arm"])
            failed = row["status"] not in RESULTS
            if failed:
                self._rows[row["cell"]] = row
            else:
                self._rows.pop(row["cell"], None)
            if arm not in self._begun:
                self._begun.add(arm)
                if failed:
                    yield (
                        f"the first cell of {row['arm']} ({row['model']} on {row['dataset']}) "
                        f"{_status(row)}: {row['error']}"
                    )

    def table(self) -> list[str]:
        """Causes, how many cells and which arms each, what to do: the most frequent first."""
        causes: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in self._rows.values():
            causes[f"{_status(row)}: {row['error']}"].append(row)
        ranked = sorted(causes.items(), key=lambda item: -len(item[1]))
        cells = "cell has" if len(self._rows) == 1 else "cells have"
        lines = [f"{len(self._rows)} {cells} no result:"]
        for cause, rows in ranked[:MOST_CAUSES]:
            arms = in_order(row["arm"] for row in rows)
            lines += [f"  {len(rows):>5} of {', '.join(arms)}", f"        {cause}"]
            lines.append(f"        -> {remedy(cause)}")
        if len(ranked) > MOST_CAUSES:
            left = sum(len(rows) for _, rows in ranked[MOST_CAUSES:])
            lines.append(f"  {left:>5} of {len(ranked) - MOST_CAUSES} other causes: see the report")
        return lines


def remedy(cause: str) -> str:
    """What to do about a failure, by its text."""
    return next((what for part, what in REMEDIES if part in cause), OTHERWISE)


def _status(row: Mapping[str, Any]) -> str:
    return "timed out" if row["status"] == "timeout" else str(row["status"])
