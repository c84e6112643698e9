"""Result folders read together: the cells of one data set and model, each counted once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from bench.store.folder import PLAN_SCHEMA
from bench.store.results import Results
from bench.store.schema import RESULTS


def only(results: Results, dataset: str, model: str) -> Results:
    """What a folder has of one data set and model. A folder without a plan, of an older version,
    gets the cells that are there as its plan."""
    cells = _of(results.cells, dataset, model)
    plan = cells.select(PLAN_SCHEMA.names) if results.plan is None else results.plan
    return replace(results, cells=cells, plan=_of(plan, dataset, model))


def merged(parts: Sequence[Results]) -> tuple[Results, int]:
    """One folder's results from several of one data set and model, and how many cells two folders
    have with unlike predictions. Of a cell that is in several the first result counts; study,
    labels and environment are the first folder's."""
    first = parts[0]
    if len(parts) == 1:
        return first, 0
    cells = pa.concat_tables([part.cells for part in parts])
    ids, statuses = cells["cell"].to_pylist(), cells["status"].to_pylist()
    rows: dict[str, int] = {}
    differing = set()
    for row, (cell, status) in enumerate(zip(ids, statuses, strict=True)):
        there = rows.setdefault(cell, row)
        if there == row:
            continue
        if statuses[there] not in RESULTS:
            rows[cell] = row
        elif status in RESULTS and cells["predictions"][there] != cells["predictions"][row]:
            differing.add(cell)
    plan = pa.concat_tables([part.plan for part in parts])
    planned = {cell: row for row, cell in reversed(list(enumerate(plan["cell"].to_pylist())))}
    together = replace(
        first,
        cells=cells.take(sorted(rows.values())),
        plan=plan.take(sorted(planned.values())),
        looks=None,
    )
    return together, len(differing)


def identities(results: Results) -> dict[tuple[Any, ...], str]:
    """What each planned cell is (data set, model, seed, budget, arm, extra, factors) -> its id."""
    assert results.plan is not None, "after `only`"
    rows = results.plan.to_pylist()
    return {tuple(v for name, v in row.items() if name != "cell"): row["cell"] for row in rows}


def _of(table: pa.Table, dataset: str, model: str) -> pa.Table:
    pairs = zip(table["dataset"].to_pylist(), table["model"].to_pylist(), strict=True)
    return table.take([row for row, pair in enumerate(pairs) if pair == (dataset, model)])
