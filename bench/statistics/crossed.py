"""Seeds crossed with test examples: intervals for both at once, and where the variance lies.

Cells are Y[s, i], correctness (0 or 1) of the model of seed s on example i, or D = Y_A - Y_B
(-1, 0 or 1). Everything follows from whole-number sums, so that a caller may add up seeds one
at a time and the residual loses no digits.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.statistics.checks import IntArray, Interval, at_least, open_unit, positive
from bench.statistics.student import t_interval, t_quantile, t_test

ROUNDING = 1e-12
"""Relative to the largest cell: what the rounding of sums leaves of numbers that are equal."""


@dataclass(frozen=True)
class CrossedSums:
    """Sufficient sums of a table of whole-number cells, (n_seeds, n_examples).

    Cells of a contrast are -1, 0 or 1; of a change, a sum of such, beyond. seeds: int64 (n_seeds,),
    the sum over examples; examples: int64 (n_examples,), the sum over seeds; squares: the sum of
    the squared cells (for Y the number correct).
    """

    seeds: IntArray
    examples: IntArray
    squares: int

    def __post_init__(self) -> None:
        for name, sums in (("seeds", self.seeds), ("examples", self.examples)):
            if sums.ndim != 1 or sums.size == 0 or not np.issubdtype(sums.dtype, np.integer):
                raise ValueError(
                    f"{name}: found {sums.dtype} of shape {sums.shape}, "
                    "allowed: integers, one per row or column"
                )
        if self.seeds.sum() != self.examples.sum():
            raise ValueError(
                f"examples: found a total of {self.examples.sum()}, "
                f"allowed: that of seeds, {self.seeds.sum()}"
            )
        least = abs(int(self.seeds.sum()))
        if self.squares < least:
            raise ValueError(f"squares: found {self.squares}, allowed: at least {least}, the total")


def crossed_sums(cells: NDArray[Any]) -> CrossedSums:
    """Sums of cells (n_seeds, n_examples), bool or whole numbers; ValueError for anything else."""
    cells = np.asarray(cells)
    if cells.ndim != 2 or cells.size == 0:
        raise ValueError(f"cells: need (n_seeds, n_examples), found shape {cells.shape}")
    if cells.dtype != np.bool_ and not np.issubdtype(cells.dtype, np.integer):
        whole = cells.astype(np.int64)
        if not np.array_equal(whole, cells):
            raise ValueError("cells: found fractions, allowed: whole numbers")
        cells = whole
    return CrossedSums(
        seeds=cells.sum(axis=1, dtype=np.int64),
        examples=cells.sum(axis=0, dtype=np.int64),
        squares=sum(int(np.square(row, dtype=np.int64).sum()) for row in cells),
    )


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance without replication; None where its df are 0."""

    n_seeds: int
    n_examples: int
    mean: float
    seeds: float | None
    examples: float | None
    residual: float | None


def mean_squares(sums: CrossedSums) -> MeanSquares:
    """MS_S = N sum (mean_s - mean)^2 / (S-1), MS_I = S sum (mean_i - mean)^2 / (N-1), MS_E."""
    s, n = sums.seeds.size, sums.examples.size
    total = int(sums.seeds.sum())
    # s n times each sum of squares, in Python's whole numbers: exact
    seeds = s * int((sums.seeds**2).sum()) - total**2
    examples = n * int((sums.examples**2).sum()) - total**2
    residual = s * n * sums.squares - total**2 - seeds - examples
    cells = s * n
    return MeanSquares(
        n_seeds=s,
        n_examples=n,
        mean=total / cells,
        seeds=seeds / cells / (s - 1) if s > 1 else None,
        examples=examples / cells / (n - 1) if n > 1 else None,
        residual=residual / cells / ((s - 1) * (n - 1)) if s > 1 and n > 1 else None,
    )


def real_mean_squares(cells: NDArray[Any]) -> MeanSquares:
    """`mean_squares` of real cells (n_seeds, n_examples), such as differences of errors.

    Deviations from a mean that are no more than the rounding of its sum are 0. ValueError where a
    cell is not finite.
    """
    table = np.asarray(cells, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"cells: need (n_seeds, n_examples), found shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("cells: found a value that is not finite, allowed: finite ones")
    s, n = table.shape
    mean, noise = float(table.mean()), ROUNDING * float(np.abs(table).max())

    def squares(values: NDArray[np.float64]) -> float:
        return float((values[np.abs(values) > noise] ** 2).sum())

    by_seed, by_example = table.mean(axis=1) - mean, table.mean(axis=0) - mean
    residual = table - mean
    residual -= by_seed[:, None]
    residual -= by_example
    return MeanSquares(
        n_seeds=s,
        n_examples=n,
        mean=mean,
        seeds=n * squares(by_seed) / (s - 1) if s > 1 else None,
        examples=s * squares(by_example) / (n - 1) if n > 1 else None,
        residual=squares(residual) / ((s - 1) * (n - 1)) if s > 1 and n > 1 else None,
    )


@dataclass(frozen=True)
class Crossed:
    """The mean difference for new seeds and new test examples, in units of `scale`.

    se = sqrt((MS_S + max(MS_I - MS_E, 0)) / (S N)); df: Satterthwaite's, at least min(S-1, N-1),
    and S-1 where the example term is floored at 0; example_se: the part of se that no number of
    seeds removes. With one seed or one example everything but n_*, mean is None. se = 0 is
    defined as for paired_t: t is 0 (p = 1) or +-inf (p = 0).
    """

    n_seeds: int
    n_examples: int
    mean: float
    se: float | None
    df: float | None
    t: float | None
    p: float | None
    example_se: float | None

    def interval(self, alpha: float) -> Interval | None:
        """mean +- t(df) se at level 1 - alpha."""
        return t_interval(self.mean, self.se, self.df, alpha)

    def example_half_width(self, alpha: float) -> float | None:
        """The half-width that infinitely many seeds would still leave on this test set's size.

        Where it exceeds what must be told apart, more seeds cannot decide: more examples can.
        """
        open_unit(alpha, "alpha")
        if self.example_se is None:
            return None
        return t_quantile(self.n_examples - 1, alpha) * self.example_se


def crossed(cells: CrossedSums | MeanSquares, scale: float = 1.0) -> Crossed:
    """Two-way crossed random-effects estimate of the mean of D; scale 100 gives pp.

    cells: sums of whole-number cells, or the mean squares of real ones. Source: Satterthwaite
    (1946) for the df; Owen (2007), The pigeonhole bootstrap, for the variance of a crossed mean.
    """
    positive(scale, "scale")
    ms = cells if isinstance(cells, MeanSquares) else mean_squares(cells)
    s, n, mean = ms.n_seeds, ms.n_examples, ms.mean * scale
    if ms.seeds is None or ms.examples is None or ms.residual is None:
        return Crossed(s, n, mean, None, None, None, None, None)
    surplus = max(ms.examples - ms.residual, 0.0)
    variance = (ms.seeds + surplus) / (s * n)
    df = float(s - 1)
    if surplus > 0:
        below = (
            ms.seeds**2 / (s - 1) + ms.examples**2 / (n - 1) + ms.residual**2 / ((s - 1) * (n - 1))
        )
        df = max(min(s - 1, n - 1), (ms.seeds + surplus) ** 2 / below)
    se = scale * sqrt(variance)
    t, p = t_test(mean, se, df)
    return Crossed(s, n, mean, se, df, t, p, scale * sqrt(surplus / (s * n)))


@dataclass(frozen=True)
class SeedVariance:
    """Why results differ between seeds, as SDs in units of `scale`; None with one seed.

    sd: of the accuracy (or of the difference) over seeds on this test set. Its square is
    sd_sampling^2 + sd_distribution^2: which examples a model happens to get right, which
    averages out on a large test set (MS_E / N), and the rest, models that are truly better or
    worse ((MS_S - MS_E) / N, floored at 0). sd_test_set: the binomial standard error of one
    model's accuracy for the choice of the test set; None for differences.
    """

    n_seeds: int
    n_examples: int
    mean: float
    sd: float | None
    sd_sampling: float | None
    sd_distribution: float | None
    sd_test_set: float | None


def seed_variance(cells: CrossedSums | MeanSquares, scale: float = 1.0) -> SeedVariance:
    """Split the variance over seeds of one arm (cells Y) or one contrast (cells D).

    scale 100 gives pp. cells: as `crossed`'s; of real ones there is no binomial noise. Source:
    Jordan (2024), On the variance of neural network training with respect to test sets and
    distributions, for distribution-wise variance.
    """
    positive(scale, "scale")
    is_arm = False
    if isinstance(cells, MeanSquares):
        ms = cells
    else:
        ms = mean_squares(cells)
        is_arm = bool((cells.seeds >= 0).all()) and int(cells.seeds.sum()) == cells.squares
    s, n = ms.n_seeds, ms.n_examples
    test_set = scale * sqrt(ms.mean * (1 - ms.mean) / n) if is_arm else None
    if ms.seeds is None or ms.residual is None:
        sd = None if ms.seeds is None else scale * sqrt(ms.seeds / n)
        return SeedVariance(s, n, scale * ms.mean, sd, None, None, test_set)
    return SeedVariance(
        n_seeds=s,
        n_examples=n,
        mean=scale * ms.mean,
        sd=scale * sqrt(ms.seeds / n),
        sd_sampling=scale * sqrt(ms.residual / n),
        sd_distribution=scale * sqrt(max(ms.seeds - ms.residual, 0.0) / n),
        sd_test_set=test_set,
    )


def sd_from_test_noise(discordance: float, n_examples: int, scale: float = 1.0) -> float:
    """The SD of d over seeds that churn alone causes: sqrt(discordance / n_examples).

    discordance: the share (0 to 1) of examples on which the two arms differ in correctness. For
    planning: the SD over seeds of a contrast without any true difference is about this.
    """
    at_least(n_examples, 1, "n_examples")
    if not 0 <= discordance <= 1:
        raise ValueError(f"discordance: found {discordance}, allowed: 0 to 1")
    return scale * sqrt(discordance / n_examples)
