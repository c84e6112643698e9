"""Adding seeds until the answer is clear: two ways that stay valid however often one looks.

With a declared maximum: a group-sequential t-test with O'Brien-Fleming-type spending and repeated
confidence intervals. Without one: the Gaussian-mixture t confidence sequence. Seeds enter in
the order in which the study declares them, never in the order of their results.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import exp, inf, log, sqrt

import numpy as np
from numpy.polynomial import chebyshev
from scipy import special

from bench.statistics.checks import FloatArray, Interval, Numbers, differences, open_unit, positive
from bench.statistics.paired import paired_t


def _smooth_rule(order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre on [-1, 1] after a substitution that makes square-root ends smooth."""
    x, w = np.polynomial.legendre.leggauss(order)
    return (3 * x - x**3) / 2, 1.5 * (1 - x**2) * w


# nodes per panel: bounds within 1e-6 of those with twice as many, 3e-5 after 100 looks
_FINE, _COARSE = _smooth_rule(48), _smooth_rule(12)
_DEGREE = 96  # of the polynomial through the surviving density at a look
_NODES = np.cos(np.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE)
_Kernel = Callable[[FloatArray, FloatArray, int, int], FloatArray]


def spent_alpha(fraction: float, alpha: float) -> float:
    """The two-sided error that may be spent when `fraction` (0 to 1) of the seeds are in.

    2 (1 - Phi(z(1 - alpha/2) / sqrt(fraction))), O'Brien-Fleming-type: next to nothing early,
    alpha at the end. Source: Lan & DeMets (1983), Discrete sequential boundaries, alpha_1*.
    """
    open_unit(alpha, "alpha")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: found {fraction}, allowed: above 0, at most 1")
    return float(2 * special.ndtr(special.ndtri(alpha / 2) / sqrt(fraction)))


def group_sequential_bounds(
    looks: Sequence[int], alpha: float, max_seeds: int | None = None
) -> tuple[float, ...]:
    """Bounds of |t| at each look that hold the two-sided error over all looks at alpha.

    looks: numbers of seeds, increasing, from 2 up; max_seeds: the declared maximum (default:
    the last look), which may lie ahead: bounds depend on the looks so far and on it alone. A
    bound is infinite where less than 1e-290 could be spent.

    The t statistics of the first n seeds are a pivot, and a Markov chain under a mean of 0
    (the length of the vector of differences is independent of its direction, of which t is a
    function), so that their joint distribution is integrated numerically, one look at a time;
    no normal approximation and no simulation.
    """
    looks = tuple(int(look) for look in looks)
    maximum = looks[-1] if max_seeds is None and looks else max_seeds
    if not looks or looks[0] < 2 or any(b <= a for a, b in pairwise(looks)):
        raise ValueError(f"looks: found {looks}, allowed: increasing, at least 2 seeds each")
    if maximum is None or maximum < looks[-1]:
        raise ValueError(f"max_seeds: found {max_seeds}, allowed: at least {looks[-1]}")
    return _bounds(looks, open_unit(alpha, "alpha"), int(maximum))


@lru_cache(maxsize=256)
def _bounds(looks: tuple[int, ...], alpha: float, max_seeds: int) -> tuple[float, ...]:
    bounds: list[float] = []
    survivors: _Survivors | None = None
    spent_before = 0.0
    for n in looks:
        spent = spent_alpha(n / max_seeds, alpha)
        spend = spent - spent_before
        if spend < 1e-290:
            bound = inf
        elif survivors is None:
            bound = float(-special.stdtrit(n - 1, spend / 2))
        else:
            bound = survivors.bound(n, spend, spent)
        angle_of_bound = float(np.arctan(bound / sqrt(n - 1)))
        survivors = (
            _first_survivors(n, angle_of_bound)
            if survivors is None
            else survivors.after(n, angle_of_bound)
        )
        bounds.append(bound)
        spent_before = spent
    return tuple(bounds)


@dataclass(frozen=True)
class _Survivors:
    """Where t stands at a look of n seeds, among paths that have crossed no bound so far.

    As the angle phi = atan(t / sqrt(n-1)): sin(phi) is the cosine between the vector of
    differences and the vector of ones. density: Chebyshev coefficients on [-edge, edge].
    """

    n: int
    edge: float
    density: FloatArray

    def beyond(self, angles: FloatArray, n_next: int) -> FloatArray:
        """P(no bound crossed up to here, and |phi| at n_next seeds > angle); angles: (k,)."""
        kernel = _one_more if n_next == self.n + 1 else _several_more
        return 2 * self._integral(kernel, angles, n_next)

    def _integral(self, kernel: "_Kernel", angles: FloatArray, n_next: int) -> FloatArray:
        """The density times the kernel's value at each angle, integrated over phi."""
        m = n_next - self.n
        c = np.sin(angles)
        # the kernel has a root at the angle from which only the best new seeds still reach c
        reach = np.sqrt(np.clip((n_next * c**2 - m) / self.n, 0, 1))
        kink = np.clip(np.arcsin(reach), 0, self.edge)
        edges = np.stack(
            [np.full_like(kink, -self.edge), np.zeros_like(kink), kink,
             np.full_like(kink, self.edge)], axis=1,
        )  # fmt: skip
        phi, weight = _panels(edges, _FINE)  # (k, nodes)
        weight = weight * chebyshev.chebval(phi / self.edge, self.density)
        result: FloatArray = (weight * kernel(c[:, None], np.sin(phi), self.n, m)).sum(axis=1)
        return result

    def bound(self, n_next: int, spend: float, spent: float) -> float:
        """The b with P(no bound crossed up to here, and |T| >= b at n_next seeds) = spend."""
        # Bonferroni's inequalities: |T| >= b has at least this look's probability, at most all
        # that was spent so far; in between the Illinois variant of regula falsi on logarithms
        low = log(-special.stdtrit(n_next - 1, spent / 2))
        high = log(-special.stdtrit(n_next - 1, spend / 2))
        at_low, at_high = log(spent / spend), 0.0
        while high - low > 1e-10:
            at = (low * at_high - high * at_low) / (at_high - at_low) if at_high < 0 else high
            at = min(max(at, low + 1e-11), high)
            angle = np.arctan([exp(at) / sqrt(n_next - 1)])
            excess = log(max(self.beyond(angle, n_next)[0], 1e-300) / spend)
            if excess > 0:
                low, at_low, at_high = at, excess, at_high / 2
            else:
                high, at_high, at_low = at, excess, at_low / 2
        return exp(high)

    def after(self, n_next: int, edge: float) -> "_Survivors":
        """The survivors of the next look, of n_next seeds, with bound `edge`."""
        kernel = _one_more_density if n_next == self.n + 1 else _several_more_density
        angles = edge * _NODES[: _DEGREE // 2]  # the density is even
        half = np.cos(angles) * self._integral(kernel, angles, n_next)
        return _Survivors(n_next, edge, _interpolate(np.concatenate([half, half[::-1]])))


def _first_survivors(n: int, edge: float) -> _Survivors:
    """At the first look phi has density proportional to cos(phi)^(n-2)."""
    log_norm = special.gammaln(n / 2) - special.gammaln((n - 1) / 2) - log(np.pi) / 2
    density = np.exp(log_norm + (n - 2) * np.log(np.cos(edge * _NODES)))
    return _Survivors(n, edge, _interpolate(density))


def _interpolate(values: FloatArray) -> FloatArray:
    """Chebyshev coefficients of the polynomial with these values at _NODES."""
    basis: FloatArray = np.cos(np.outer(np.arange(_DEGREE), np.arccos(_NODES)))
    coefficients: FloatArray = 2 / _DEGREE * (basis @ values)
    coefficients[0] /= 2
    return coefficients


def _panels(
    edges: FloatArray, rule: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of the rule on each of the panels between sorted edges (..., k)."""
    middle = (edges[..., 1:] + edges[..., :-1])[..., None] / 2
    half = (edges[..., 1:] - edges[..., :-1])[..., None] / 2
    shape = (*edges.shape[:-1], -1)
    nodes = (middle + half * rule[0]).reshape(shape)
    return nodes, (half * rule[1]).reshape(shape)


def _one_more(c: FloatArray, u: FloatArray, n: int, m: int = 1) -> FloatArray:
    """P(cosine of n + 1 seeds > c | cosine of n seeds = u), in closed form.

    The new seed stands at angle theta to the old ones, sqrt(n) tan(theta) ~ t(n), and the new
    cosine is A cos(theta - psi).
    """
    _, first, last = _reaching_angles(c, u, n)
    low, high = np.maximum(first, -np.pi / 2), np.minimum(last, np.pi / 2)
    t_low, t_high = sqrt(n) * np.tan(low), sqrt(n) * np.tan(high)
    # from the tail in which both lie, so that small differences stay accurate
    sign = np.where(low > 0, -1.0, 1.0)
    probability = sign * (special.stdtr(n, sign * t_high) - special.stdtr(n, sign * t_low))
    return np.where(high > low, np.maximum(probability, 0), 0.0)


def _one_more_density(c: FloatArray, u: FloatArray, n: int, m: int = 1) -> FloatArray:
    """The density at c of the cosine of n + 1 seeds, given u of n seeds."""
    root, first, last = _reaching_angles(c, u, n)
    log_norm = -special.betaln(n / 2, 0.5)
    total = np.zeros(root.shape)
    for theta in (first, last):
        cos = np.cos(theta)
        inside = (abs(theta) < np.pi / 2) & (root > 0)
        power = np.exp(log_norm + (n - 1) * np.log(np.where(inside, cos, 1.0)))
        total += np.where(inside, power / np.where(inside, root, 1.0), 0.0)
    return total


def _reaching_angles(
    c: FloatArray, u: FloatArray, n: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """sqrt(A^2 - c^2), and the two theta with A cos(theta - psi) = c."""
    square = (n * u**2 + 1) / (n + 1)
    psi = np.arctan2(1, sqrt(n) * u)
    root = np.sqrt(np.maximum(square - c**2, 0))
    gamma = np.arctan2(root, c)
    return root, psi - gamma, psi + gamma


def _several_more(c: FloatArray, u: FloatArray, n: int, m: int) -> FloatArray:
    """P(cosine of n + m seeds > c | cosine of n seeds = u) for m >= 2 new seeds.

    sin(theta)^2 ~ Beta(m/2, n/2) is the new seeds' share of the squared length, v the cosine
    within them: the new cosine is a cos(theta) + b sin(theta) v, a = u sqrt(n / (n + m)),
    b = sqrt(m / (n + m)). Integrated over theta between the angles at which v leaves [-1, 1].
    """
    weight, v, _ = _over_theta(c, u, n, m)
    with np.errstate(divide="ignore"):
        tail = special.stdtr(m - 1, -sqrt(m - 1) * v / np.sqrt(1 - v**2))
    result: FloatArray = (weight * tail).sum(axis=-1)
    return result


def _several_more_density(c: FloatArray, u: FloatArray, n: int, m: int) -> FloatArray:
    """The density at c of the cosine of n + m seeds, given u of n seeds, m >= 2."""
    weight, v, scale = _over_theta(c, u, n, m)
    inside = abs(v) < 1
    log_density = (m - 3) / 2 * np.log1p(-(np.where(inside, v, 0.0) ** 2))
    density = np.where(inside, np.exp(log_density - special.betaln((m - 1) / 2, 0.5)), 0.0)
    result: FloatArray = (weight * density / scale).sum(axis=-1)
    return result


def _over_theta(
    c: FloatArray, u: FloatArray, n: int, m: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights over theta, v where the new cosine is just c (clipped to -1, 1), b sin(theta)."""
    c, u = np.broadcast_arrays(c, u)
    a, b = sqrt(n / (n + m)) * u, sqrt(m / (n + m))
    psi = np.arctan2(b, a)
    gamma = np.arccos(np.clip(c / np.hypot(a, b), -1, 1))
    levels = np.array([1e-18, 1e-4, 0.5])
    fixed = np.concatenate([
        special.betaincinv(m / 2, n / 2, levels),
        special.betainccinv(m / 2, n / 2, levels[:2]),
    ])  # fmt: skip
    fixed = np.sort(np.arcsin(np.sqrt(fixed)))
    roots = np.stack([psi - gamma, psi + gamma, gamma - psi, 2 * np.pi - psi - gamma], axis=-1)
    edges = np.concatenate([
        np.broadcast_to(fixed, (*c.shape, fixed.size)), np.clip(roots, fixed[0], fixed[-1])
    ], axis=-1)  # fmt: skip
    theta, weight = _panels(np.sort(edges, axis=-1), _COARSE)
    sin, cos = np.sin(theta), np.cos(theta)
    log_norm = log(2) - special.betaln(n / 2, m / 2)
    weight = weight * np.exp(log_norm + (n - 1) * np.log(cos) + (m - 1) * np.log(sin))
    v = np.clip((c[..., None] - a[..., None] * cos) / (b * sin), -1, 1)
    return weight, v, b * sin


@dataclass(frozen=True)
class Look:
    """One look of a group-sequential test at n seeds.

    interval: mean +- bound sd / sqrt(n), the repeated confidence interval, valid at all looks
    at once. t is +-inf or 0 and the interval without width where sd = 0.
    """

    n: int
    mean: float
    t: float
    bound: float
    interval: Interval

    def decided(self, delta: float | None) -> bool:
        """Does the interval exclude 0 or lie within +-delta? Then no more seeds are needed."""
        return not self.interval.holds(0) or (delta is not None and self.interval.within(delta))


def group_sequential(
    d: Numbers, looks: Sequence[int], alpha: float, max_seeds: int | None = None
) -> list[Look]:
    """All looks that the seeds so far allow; d: (n_seeds,) in the declared order of seeds.

    looks, max_seeds as for group_sequential_bounds; alpha is the contrast's (alpha / m of its
    family). Source of the intervals: Jennison & Turnbull (1989).
    """
    values = differences(d)
    bounds = group_sequential_bounds(looks, alpha, max_seeds)
    found = []
    for n, bound in zip(looks, bounds, strict=True):
        if n > values.size:
            break
        test = paired_t(values[:n])
        assert test.se is not None
        assert test.t is not None
        half = 0.0 if test.se == 0 else bound * test.se
        interval = Interval(test.mean - half, test.mean + half)
        found.append(Look(n, test.mean, test.t, bound, interval))
    return found


def anytime_interval(d: Numbers, alpha: float, tau: float = 1.0) -> Interval:
    """The confidence sequence's interval at n seeds: with probability 1 - alpha the intervals of
    all n hold the mean at once.

    d: (n_seeds,); tau: the SD, in units of sd(d), of the effects that the mixture expects. These
    are the means against which the e-value stays below 1 / alpha. The e-value is
    A^(-1/2) [(1 + t^2/v) / (1 + t^2/(A v))]^(n/2), with v = n - 1 and A = 1 + n tau^2, so that the
    interval is mean +- (s / sqrt(n)) sqrt(v (c-1) / (1 - c/A)) with c = (A / alpha^2)^(1/n). It is
    infinite where c >= A (2 seeds at alpha = 0.05, and always one). Source: Wang & Ramdas (2024),
    Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance.
    """
    positive(tau, "tau")
    open_unit(alpha, "alpha")
    test = paired_t(d)
    n, a = test.n, 1 + test.n * tau**2
    log_c = (log(a) - 2 * log(alpha)) / n
    if test.se is None or log_c >= log(a):
        return Interval(-inf, inf)
    half = test.se * sqrt(test.df * np.expm1(log_c) / -np.expm1(log_c - log(a)))
    return Interval(test.mean - half, test.mean + half)


def anytime_look(d: Numbers, alpha: float, tau: float = 1.0) -> Look:
    """The confidence sequence at n >= 2 seeds as a look: its bound is in units of t.

    Where sd = 0 the interval has no width and the bound is 0.
    """
    test = paired_t(d)
    interval = anytime_interval(d, alpha, tau)
    if test.se is None or test.t is None:
        raise ValueError(f"d: found {test.n} seeds, allowed: at least 2")
    bound = (interval.high - test.mean) / test.se if test.se else 0.0
    return Look(test.n, test.mean, test.t, bound, interval)
