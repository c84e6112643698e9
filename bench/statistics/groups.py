"""Groups of test examples: clips of one speaker, crops of one photograph.

Examples of a group are not independent, so that "new test examples" means new groups. The mean
weighs a group by its number of examples (as accuracy does), and few or unequal groups make both the
variance and its degrees of freedom smaller than the number of groups says: `b` and `nu` correct for
that. Sources: Cochran (1977), Sampling Techniques, chapter 6 (ratio estimates); Cameron, Gelbach &
Miller (2011), Robust inference with multiway clustering; Bell & McCaffrey (2002), Bias reduction in
standard errors for linear regression with multi-stage samples.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.checks import FloatArray, IntArray, Interval, at_least, open_unit, positive
from bench.statistics.crossed import Crossed
from bench.statistics.families import bonferroni_alpha
from bench.statistics.sign_flip import sign_flip_p, smallest_p
from bench.statistics.student import t_interval, t_quantile, t_test

_ROUNDING = 1e-12  # relative; real differences that are as near to each other are equal


@dataclass(frozen=True)
class GroupSums:
    """Sums over each group's examples: all that the estimates below need.

    sums: (n_seeds, n_groups), of D (or of differences of a real metric); sizes: (n_groups,), the
    examples in each group, at least 1.
    """

    sums: NDArray[Any]
    sizes: IntArray

    def __post_init__(self) -> None:
        if self.sums.ndim != 2 or self.sums.size == 0:
            raise ValueError(f"sums: need (n_seeds, n_groups), found shape {self.sums.shape}")
        if not np.isfinite(self.sums).all():
            raise ValueError("sums: found a value that is not finite, allowed: finite ones")
        if self.sizes.shape != self.sums.shape[1:]:
            raise ValueError(
                f"sizes: found shape {self.sizes.shape}, allowed: one per group, "
                f"{self.sums.shape[1:]}"
            )
        if not np.issubdtype(self.sizes.dtype, np.integer) or self.sizes.min() < 1:
            raise ValueError(f"sizes: found {self.sizes}, allowed: whole numbers of at least 1")

    @property
    def differences(self) -> FloatArray:
        """Each group's mean difference over its examples and all seeds, (n_groups,)."""
        means: FloatArray = self.sums.mean(axis=0) / self.sizes
        return means


def group_sums(cells: NDArray[Any], groups: ArrayLike) -> GroupSums:
    """Sums of cells (n_seeds, n_examples) over groups, in the sorted order of their names.

    groups: (n_examples,), the group's name of each test example, any type that sorts.
    """
    cells = np.asarray(cells)
    if cells.ndim != 2 or cells.size == 0:
        raise ValueError(f"cells: need (n_seeds, n_examples), found shape {cells.shape}")
    names = np.asarray(groups)
    if names.shape != cells.shape[1:]:
        raise ValueError(
            f"groups: found shape {names.shape}, allowed: one name per example, {cells.shape[1:]}"
        )
    _, member, sizes = np.unique(names, return_inverse=True, return_counts=True)
    whole = cells.dtype == np.bool_ or np.issubdtype(cells.dtype, np.integer)
    sums = np.zeros((cells.shape[0], sizes.size), np.int64 if whole else np.float64)
    for row, values in zip(sums, cells, strict=True):
        np.add.at(row, member, values)
    return GroupSums(sums, sizes.astype(np.int64))


@dataclass(frozen=True)
class Sizes:
    """What the groups' sizes alone determine.

    b: how much of the variance between groups survives in the deviations from the weighted mean,
    1 for equal sizes; nu: the degrees of freedom of these, n_groups - 1 for equal sizes;
    effective: the number of equal groups that would weigh as these do, 1 / sum of squared shares.
    """

    b: float
    nu: float
    effective: float


def sizes_of(sizes: IntArray) -> Sizes | None:
    """b, nu and the effective number of groups; None for one group.

    With shares p_g = n_g / N, Q = sum p_g^2 and B_gh = Q - p_g - p_h + [g = h]:
    b = sum p_g^2 B_gg / (Q (1 - 1/G)), nu = (sum p_g^2 B_gg)^2 / sum_gh p_g^2 p_h^2 B_gh^2,
    summed as exact fractions through the power sums of the shares.
    """
    counts = [int(size) for size in sizes]
    at_least(min(counts), 1, "sizes")
    if len(counts) == 1:
        return None
    n = sum(counts)
    m2, m3, m4, m5 = (Fraction(sum(c**k for c in counts), n**k) for k in (2, 3, 4, 5))
    diagonal = m2**2 - 2 * m3 + m2
    # sum_gh p_g^2 p_h^2 (Q - p_g - p_h)^2, and what [g = h] adds to it
    square = m2**4 + 2 * m2 * m4 - 4 * m2**2 * m3 + 2 * m3**2 + 2 * m2 * m4 - 4 * m5 + m4
    return Sizes(
        b=float(diagonal / (m2 * (1 - Fraction(1, len(counts))))),
        nu=float(diagonal**2 / square),
        effective=float(1 / m2),
    )


def too_few_groups(n_groups: int, alpha: float, m: int = 1) -> bool:
    """Could no outcome of the sign-flip test over groups be significant in a family of m?

    2 / 2**n_groups > alpha / m: then the interval stands without a verdict.
    """
    return smallest_p(n_groups) > bonferroni_alpha(alpha, m)


@dataclass(frozen=True)
class Grouped(Crossed):
    """The mean difference for new seeds and new groups of test examples, in units of `scale`.

    se = sqrt((MS_S + max(MS_G - MS_E, 0)) / (S G)); example_se: the part of se that no number of
    seeds removes. With one seed or one group everything but n_*, mean is None (and sizes with one
    group). se = 0 is defined as for paired_t: t is 0 (p = 1) or +-inf (p = 0).
    """

    n_groups: int
    sizes: Sizes | None

    def example_half_width(self, alpha: float) -> float | None:
        """The half-width that infinitely many seeds would still leave with these groups."""
        open_unit(alpha, "alpha")
        if self.example_se is None or self.sizes is None:
            return None
        return t_quantile(self.sizes.nu, alpha) * self.example_se


def grouped(data: GroupSums, scale: float = 1.0) -> Grouped:
    """Two-way crossed random effects of seeds and groups on the mean of D; scale 100 gives pp.

    With h_g = G n_g / N and means D_sg, D_s, D_g, D (weighted by p_g over groups, alike over
    seeds): MS_S = G sum (D_s - D)^2 / (S-1), MS_G = S sum h_g^2 (D_g - D)^2 / ((G-1) b),
    MS_E = sum h_g^2 (D_sg - D_s - D_g + D)^2 / ((S-1)(G-1) b). df: Satterthwaite's with nu for
    the groups, at least min(S-1, nu); S-1 where the group term is floored at 0. Where every group
    has one example this is crossed.crossed.
    """
    positive(scale, "scale")
    s, g = data.sums.shape
    n = int(data.sizes.sum())
    mean = float(data.sums.sum()) / (s * n) * scale
    found = sizes_of(data.sizes)
    if s == 1 or found is None:
        return Grouped(s, n, mean, None, None, None, None, None, g, found)
    by_seed, by_group, residual = _deviations(data)
    weight = g / n  # h_g (D_g - D) is `weight` times by_group
    ms_s = g * float((by_seed**2).sum()) / (s - 1)
    ms_g = s * weight**2 * float((by_group**2).sum()) / ((g - 1) * found.b)
    ms_e = weight**2 * float((residual**2).sum()) / ((s - 1) * (g - 1) * found.b)
    surplus = ms_g - ms_e if ms_g - ms_e > _ROUNDING * ms_e else 0.0
    df = float(s - 1)
    if surplus > 0:
        below = ms_s**2 / (s - 1) + ms_g**2 / found.nu + ms_e**2 / ((s - 1) * found.nu)
        df = max(min(s - 1, found.nu), (ms_s + surplus) ** 2 / below)
    se = scale * sqrt((ms_s + surplus) / (s * g))
    t, p = t_test(mean, se, df)
    return Grouped(s, n, mean, se, df, t, p, scale * sqrt(surplus / (s * g)), g, found)


@dataclass(frozen=True)
class GroupedFiles:
    """Two model files on new groups of test examples, in units of `scale`.

    se and df = nu give the interval and equivalence; p is the exact sign-flip test's over the
    groups' sums, in McNemar's place. With one group everything but n_*, mean and p is None.
    """

    n_groups: int
    n_examples: int
    sizes: Sizes | None
    mean: float
    se: float | None
    df: float | None
    p: float

    def interval(self, alpha: float) -> Interval | None:
        """mean +- t(nu) se at level 1 - alpha."""
        return t_interval(self.mean, self.se, self.df, alpha)


def grouped_files(data: GroupSums, scale: float = 1.0) -> GroupedFiles:
    """Two files' mean difference, se^2 = sum h_g^2 (D_g - D)^2 / (G (G-1) b); scale 100 gives pp.

    data: of one pair of files, sums (1, n_groups); ValueError for more.
    """
    positive(scale, "scale")
    s, g = data.sums.shape
    if s != 1:
        raise ValueError(f"sums: found {s} rows, allowed: 1, of one pair of files")
    n = int(data.sizes.sum())
    mean = float(data.sums.sum()) / n * scale
    found = sizes_of(data.sizes)
    p = sign_flip_p(data.sums[0])
    if found is None:
        return GroupedFiles(g, n, None, mean, None, None, p)
    _, by_group, _ = _deviations(data)
    se = scale * g / n * sqrt(float((by_group**2).sum()) / (g * (g - 1) * found.b))
    return GroupedFiles(g, n, found, mean, se, found.nu, p)


def _deviations(data: GroupSums) -> tuple[FloatArray, FloatArray, FloatArray]:
    """D_s - D, n_g (D_g - D) and n_g (D_sg - D_s - D_g + D).

    Numerators over common denominators: whole sums lose no digit, and what is equal is 0 exactly;
    for real sums what is left of a difference by rounding is set to 0.
    """
    x, sizes = data.sums, data.sizes
    s, n = x.shape[0], int(sizes.sum())
    by_seed, by_group, total = x.sum(axis=1), x.sum(axis=0), x.sum()
    parts = (
        s * by_seed - total,
        n * by_group - sizes * total,
        s * n * x - s * sizes * by_seed[:, None] - n * by_group + sizes * total,
    )
    scales = (s * abs(x).sum(axis=1).max(), n * abs(x).sum(axis=0).max(), s * n * abs(x).max())
    found = []
    for part, largest in zip(parts, scales, strict=True):
        values = np.asarray(part, dtype=np.float64)
        if not np.issubdtype(x.dtype, np.integer):
            values = np.where(abs(values) <= _ROUNDING * float(largest), 0.0, values)
        found.append(values / (s * n))
    return found[0], found[1], found[2]
