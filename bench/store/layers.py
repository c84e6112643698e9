"""layers.parquet: the numbers per layer that cells have in their own rows, as a table."""

import pyarrow as pa

from bench.store.buffers import array
from bench.store.tables import encode

NAMES = ("cell", "layer", "number", "value")
TYPES = (pa.string(), pa.string(), pa.string(), pa.float64())


def encoded(cells: pa.Table) -> bytes | None:
    """A row for each number of each model that was looked into; None where there is none.

    cells: with the columns `cell` and `layers` of CELL_SCHEMA.
    """
    rows = [
        (cell, *name.rpartition(" / ")[::2], value)
        for cell, of in zip(cells["cell"].to_pylist(), cells["layers"].to_pylist(), strict=True)
        for name, value in of or ()
    ]
    if not rows:
        return None
    columns = [array(list(of), t) for of, t in zip(zip(*rows, strict=True), TYPES, strict=True)]
    return encode(pa.Table.from_arrays(columns, names=list(NAMES)))
