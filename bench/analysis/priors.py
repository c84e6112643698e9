"""How much arms' differences vary over seeds, as measured in studies: what a claim is held against.

priors.csv is made from the studies that are shipped with the repository (docs/priors.py).
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.analysis import Comparison, analyze
from bench.statistics.crossed import CrossedSums, SeedVariance, seed_variance
from bench.statistics.families import Verdict
from bench.store import folder as store
from bench.study.factors import FACTORS

SHIPPED = Path(__file__).parent / "priors.csv"


@dataclass(frozen=True)
class Prior:
    """One contrast at one setting of one study.

    source: the result folder; setting: its factors that are not at their default; budget, extra:
    epochs E and k; seeds: pairs; examples: in the test set; mean, sd_distribution and sd_sampling
    in pp, as crossed.SeedVariance has them; churn: the share of examples whose correctness differs.
    """

    source: str
    dataset: str
    model: str
    train_examples: str
    setting: str
    budget: int
    extra: int
    contrast: str
    seeds: int
    examples: int
    mean: float
    sd_distribution: float
    sd_sampling: float
    churn: float

    @cached_property
    def variance(self) -> SeedVariance:
        return SeedVariance(
            n_seeds=self.seeds,
            n_examples=self.examples,
            mean=self.mean,
            sd=None,
            sd_sampling=self.sd_sampling,
            sd_distribution=self.sd_distribution,
            sd_test_set=None,
        )

    @property
    def place(self) -> str:
        """`digits, bncnn, batch norm momentum 0.99, E = 1`."""
        named = (self.dataset, self.model, self.setting.replace("_", " "), f"E = {self.budget}")
        return ", ".join(part for part in named if part)


def of_folder(folder: Path, source: str) -> tuple[Prior, ...]:
    """Of every contrast of a result folder whose SD over seeds is known and not withheld."""
    analysis = analyze(store.read(folder))
    known = (_prior(c, source) for c in analysis.select("seeds"))
    return tuple(prior for prior in known if prior is not None)


def _prior(c: Comparison, source: str) -> Prior | None:
    pairs, setting = c.pairs, c.setting
    if not isinstance(pairs.cells, CrossedSums) or pairs.metric != "accuracy":
        return None
    if pairs.churn is None or c.verdict == Verdict.WITHHELD:
        return None
    variance = seed_variance(pairs.cells, scale=100)
    if variance.sd_distribution is None or variance.sd_sampling is None:
        return None
    levels = dict(setting.factors)
    others = [
        f"{name} {FACTORS[name].shown(level)}"
        for name, level in levels.items()
        if name != "train_examples" and name in FACTORS and level != FACTORS[name].default
    ]
    return Prior(
        source=source,
        dataset=str(setting.dataset),
        model=str(setting.model),
        train_examples=str(FACTORS["train_examples"].shown(levels.get("train_examples"))),
        setting=" ".join(others),
        budget=setting.budget or 0,
        extra=setting.extra or 0,
        contrast=c.name,
        seeds=variance.n_seeds,
        examples=variance.n_examples,
        mean=variance.mean,
        sd_distribution=variance.sd_distribution,
        sd_sampling=variance.sd_sampling,
        churn=pairs.churn.total,
    )


def shipped() -> tuple[Prior, ...]:
    """The table inside the package."""
    return read(SHIPPED.read_text("utf-8"))


def read(text: str) -> tuple[Prior, ...]:
    """Priors from CSV, as `written` makes it."""
    types: dict[str, Any] = {each.name: each.type for each in fields(Prior)}
    rows = csv.DictReader(io.StringIO(text))
    return tuple(Prior(**{name: types[name](row[name]) for name in types}) for row in rows)


def written(priors: Sequence[Prior]) -> str:
    """Priors as CSV, numbers with six significant digits."""
    out = io.StringIO()
    names = [each.name for each in fields(Prior)]
    table = csv.writer(out, lineterminator="\n")
    table.writerow(names)
    for prior in priors:
        values = (getattr(prior, name) for name in names)
        table.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])
    return out.getvalue()


def of_pair(priors: Sequence[Prior], a: str, b: str) -> tuple[Prior, ...]:
    """Those of two arms, in either order: the SD of a difference has no sign."""
    names = {f"{a} - {b}".lower(), f"{b} - {a}".lower()}
    return tuple(prior for prior in priors if prior.contrast.lower() in names)
