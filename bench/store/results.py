"""What a result folder holds, as read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from bench import metrics as known
from bench.metrics import Metric
from bench.store.labels import Groups, Labels
from bench.store.spill import Spill
from bench.store.validity import Rejected
from bench.study import Study


@dataclass(frozen=True)
class Results:
    """A result folder as read.

    cells: CELL_SCHEMA, each cell once; labels: dataset -> int32 (examples,); environment:
    environment.json; ignored: names of files in cells/ that cannot be read, and why: reasons;
    rejected: rows that contradict themselves or the labels and are not in `cells`; notes: what
    else is damaged and was done without; plan, looks: PLAN_SCHEMA, LOOK_SCHEMA, None where there
    is none, as in a folder of an older version; groups: dataset -> the group of each test example,
    of data that have them; metrics: what is measured, the first one primary; spill: where the
    predictions are, if they are not in `cells`.
    """

    study: Study
    cells: pa.Table
    labels: Labels
    environment: Mapping[str, Any]
    ignored: tuple[str, ...]
    rejected: tuple[Rejected, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    plan: pa.Table | None = None
    looks: pa.Table | None = None
    groups: Groups = field(default_factory=dict)
    metrics: tuple[Metric, ...] = (known.get("accuracy"),)
    spill: Spill | None = None
