"""Samples of several calibration draws -> one, the mean over the draws of each seed.

A draw is no factor: nobody asks whether the second differs from the first. It repeats, within a
seed, what a seed draws once, and so tells how much of the spread over seeds is the draw's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.records import Sample, Setting, Value
from bench.store.schema import EVALUATED


def averaged(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The samples, those of several draws taken together, none with the draw in its setting. A seed
    counts where all of its draws were evaluated."""
    together: dict[tuple[Setting, str, str], list[Sample]] = {}
    for sample in samples:
        setting = sample.setting.of_all_draws
        together.setdefault((setting, sample.arm, sample.metric), []).append(sample)
    for (setting, _, _), of_draws in together.items():
        if len(of_draws) == 1:
            yield replace(of_draws[0], setting=setting)
        else:
            yield _mean(setting, of_draws)


def _mean(setting: Setting, of_draws: Sequence[Sample]) -> Sample:
    first = of_draws[0]
    shared = set(first.seeds).intersection(*(sample.seeds for sample in of_draws))
    seeds = tuple(sorted(shared))
    draws = np.stack([sample.at(seeds) for sample in of_draws], axis=1)
    cells = [sample.cells(seeds) for sample in of_draws]
    per_example = None
    if all(each is not None for each in cells):
        per_example = np.mean([each for each in cells if each is not None], axis=0)
    return replace(
        first,
        setting=setting,
        planned=tuple(sorted({seed for sample in of_draws for seed in sample.planned})),
        statuses=_statuses(of_draws, shared),
        seeds=seeds,
        values=draws.mean(axis=1),
        draws=draws,
        correct=None,
        per_example=per_example,
        machines=tuple(_machine(of_draws, seed) for seed in seeds) if first.machines else (),
        audited={
            name: tuple(
                dict.fromkeys(v for sample in of_draws for v in sample.audited.get(name, ()))
            )
            for name in first.audited
        },
        not_finite=sum(sample.not_finite for sample in of_draws),
        unsupported=next((s.unsupported for s in of_draws if s.unsupported), ""),
    )


def _statuses(of_draws: Sequence[Sample], evaluated: set[int]) -> dict[str, int]:
    """Of seeds, not of cells: a seed that lacks a draw is missing, or what kept it from being
    evaluated."""
    planned = {seed for sample in of_draws for seed in sample.planned}
    found = Counter(ok=len(evaluated))
    worst = Counter[str]()
    for sample in of_draws:
        worst |= Counter({k: n for k, n in sample.statuses.items() if k not in EVALUATED})
    left = len(planned) - len(evaluated)
    for status, n in worst.most_common():
        found[status] = min(n, left)
        left -= found[status]
    if left:
        found["missing"] += left
    diverged = max(sample.statuses.get("diverged", 0) for sample in of_draws)
    found["diverged"] = min(diverged, len(evaluated))
    found["ok"] -= found["diverged"]
    return {status: n for status, n in found.items() if n}


def _machine(of_draws: Sequence[Sample], seed: int) -> tuple[Value, Value]:
    """CPU and versions of a seed's draws; several where they are not one."""
    ran = {sample.machines[sample.seeds.index(seed)] for sample in of_draws}
    return ran.pop() if len(ran) == 1 else ("several", "several")
