"""`qat - ptq`, split into three parts that add up to it in every seed.

Their meaning and its limits: the protocol's "The split" (docs/method.md). Another order would give
other parts (Fortin, Lemieux & Firpo 2011), so none is the effect of a cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.outcome import Analysis
from bench.analysis.records import Pairs, Setting
from bench.statistics.checks import FloatArray

SPLIT = ("ptq+k - ptq", "qat-recal - ptq+k", "qat - qat-recal")
"""k more epochs seen through PTQ; what simulating quantization in them did to the weights, seen
through PTQ; QAT's own conversion instead of PTQ's, on QAT's weights."""

WHOLE = "qat - ptq"


@dataclass(frozen=True, eq=False)
class Split:
    """`qat - ptq` at one setting and what it is made of, on the seeds that all four arms share.

    total: float (seeds,); parts: the contrasts of SPLIT, float (3, seeds); their sum is total.
    """

    setting: Setting
    unit: str
    seeds: tuple[int, ...]
    total: FloatArray
    parts: FloatArray


def splits(analysis: Analysis) -> tuple[Split, ...]:
    """The split at every setting where the four arms stand; empty without any."""
    if not analysis.ours:  # nobody knows what the arms are
        return ()
    by_name: dict[str, list[Pairs]] = {}
    for c in analysis.select("seeds"):
        if c.name in (WHOLE, *SPLIT) and c.pairs.metric == "accuracy":
            by_name.setdefault(c.name, []).append(c.pairs)
    found = []
    for whole in by_name.get(WHOLE, ()):
        parts = [_part(by_name.get(name, ()), whole.setting) for name in SPLIT]
        there = [part for part in parts if part is not None]
        if len(there) < len(SPLIT):
            continue
        seeds = tuple(sorted(set.intersection(*(set(p.seeds) for p in there))))
        if seeds:
            ptq, ptq_k = (there[0].samples[i].at(seeds) for i in (1, 0))
            qat, recal = (there[2].samples[i].at(seeds) for i in (0, 1))
            rows = np.array([ptq_k - ptq, recal - ptq_k, qat - recal])
            found.append(Split(whole.setting, whole.unit, seeds, qat - ptq, rows))
    return tuple(found)


def _part(candidates: Sequence[Pairs], setting: Setting) -> Pairs | None:
    return next((pairs for pairs in candidates if pairs.setting.within(setting)), None)
