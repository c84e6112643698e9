"""Several settings that share no seed, one effect: the mean of a contrast over all of them.

It speaks about these settings, each counted alike, and hides how they differ: never shown without
the smallest and the largest setting. Where settings share their seeds, each seed's mean over them
is a contrast like any other (bench.analysis.changes).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, sqrt

import numpy as np

from bench.statistics.checks import Interval, Numbers
from bench.statistics.paired import paired_t
from bench.statistics.student import t_interval, t_test


@dataclass(frozen=True)
class MeanOfMeans:
    """The mean over settings of each setting's mean, where settings share no seeds.

    n_settings: settings; n: seeds of all settings together; fewest: of the setting that has
    fewest. se, df, t and p are None where a setting has one seed only, and `interval` too.
    se = 0 is defined as for paired_t: t is 0 (p = 1) or +-inf (p = 0).
    """

    n_settings: int
    n: int
    fewest: int
    mean: float
    se: float | None
    df: float | None
    t: float | None
    p: float | None

    @property
    def sd(self) -> None:
        """There is no difference per seed, and so no SD over seeds, no dz and no gz."""
        return None

    dz = gz = sd

    @property
    def constant(self) -> bool:
        """The same difference in every seed of each setting."""
        return self.se == 0

    @property
    def identical(self) -> bool:
        """No variation within the settings, and a mean of 0 over them."""
        return self.se == 0 and self.mean == 0

    def interval(self, alpha: float) -> Interval | None:
        """mean +- t(df) se at level 1 - alpha; None where a setting has one seed."""
        return t_interval(self.mean, self.se, self.df, alpha)


def mean_of_means(d: Sequence[Numbers]) -> MeanOfMeans:
    """The overall effect where settings have seeds of their own.

    d: for each setting its differences (n_seeds of it,), in one unit. With C settings of S_c seeds
    and standard errors se_c: se = sqrt(sum se_c^2) / C, and
    df = (sum se_c^2)^2 / sum(se_c^4 / (S_c - 1)); where no setting varies, the smallest S_c - 1.
    For settings that share seeds this se is wrong: take each seed's mean over them. Source: Welch
    (1947) and Satterthwaite (1946). ValueError if there is no setting, or as for paired_t.
    """
    if len(d) == 0:
        raise ValueError("d: need at least one setting, found none")
    tests = [paired_t(one) for one in d]
    largest = max(float(abs(np.asarray(one)).max()) for one in d)
    settings, n = len(tests), sum(test.n for test in tests)
    fewest = min(test.n for test in tests)
    mean = fsum(test.mean for test in tests) / settings
    if abs(mean) <= 1e-12 * largest:  # the noise of adding decimals
        mean = 0.0
    errors = np.array([inf if test.se is None else test.se for test in tests])
    if fewest == 1:
        return MeanOfMeans(settings, n, fewest, mean, None, None, None, None)
    greatest = float(errors.max())
    se, df = 0.0, float(fewest - 1)
    if greatest > 0:
        shares = (errors / greatest) ** 2  # relative, so that no fourth power underflows
        freedom = np.array([test.df for test in tests])
        df = float(shares.sum() ** 2 / (shares**2 / freedom).sum())
        se = greatest * sqrt(float(shares.sum())) / settings
    t, p = t_test(mean, se, df)
    return MeanOfMeans(settings, n, fewest, mean, se, df, t, p)
