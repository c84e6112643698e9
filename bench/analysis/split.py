"""`qat - ptq`, split into extra training, quantization awareness and cold ranges."""

from dataclasses import dataclass

import numpy as np

from bench.analysis.records import Analysis, Pairs, Setting
from bench.statistics.checks import FloatArray

SPLIT = ("ptq+k - ptq", "qat-cal - ptq+k", "qat - qat-cal")
"""Extra training, quantization awareness, cold ranges: they add up to `qat - ptq`, per seed."""


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
    if analysis.study is None:  # of somebody's own table nobody knows what the arms are
        return ()
    by_setting: dict[Setting, dict[str, Pairs]] = {}
    for c in analysis.select("seeds"):
        if c.name in SPLIT and c.pairs.metric == "accuracy":
            by_setting.setdefault(c.setting, {})[c.name] = c.pairs
    found = []
    for setting, parts in by_setting.items():
        if len(parts) < len(SPLIT):
            continue
        seeds = tuple(sorted(set.intersection(*(set(p.seeds) for p in parts.values()))))
        if seeds:
            ptq, ptq_k = (parts[SPLIT[0]].samples[i].at(seeds) for i in (1, 0))
            qat, qat_cal = (parts[SPLIT[2]].samples[i].at(seeds) for i in (0, 1))
            rows = np.array([ptq_k - ptq, qat_cal - ptq_k, qat - qat_cal])
            found.append(Split(setting, parts[SPLIT[0]].unit, seeds, qat - ptq, rows))
    return tuple(found)
