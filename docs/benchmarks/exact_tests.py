"""One exact p-value of many seeds: by frequencies, and by counting every sum.

python docs/benchmarks/exact_tests.py [SEEDS]
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from bench.statistics import sign_flip
from bench.statistics.spectrum import lower_tail_by_frequency
from bench.statistics.subset_sums import lower_tail_of_many

TIMES = 20


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    rng = np.random.default_rng(0)
    d = np.rint(rng.normal(2, 57, seeds)).astype(np.int64)  # accuracies of four decimals
    moved = d[d != 0]
    doubled = np.sign(moved) * sign_flip._doubled_midranks(abs(moved).astype(np.float64))
    for name, signed in (("sign flip", d), ("Wilcoxon", doubled)):
        steps = abs(signed)
        limit = int(steps.sum() - abs(signed.sum())) // 2
        few, p = timed(lambda: lower_tail_by_frequency(steps, limit, 500_000))  # noqa: B023
        many, q = timed(lambda: lower_tail_of_many(steps, limit))  # noqa: B023
        shown = "too many frequencies" if p is None else f"{1e3 * few:.1f} ms, p / 2 = {p!r}"
        print(f"{name}, {seeds:,} seeds: {shown}; counted {1e3 * many:.1f} ms, p / 2 = {q!r}")


def timed(function: Callable[[], float | None]) -> tuple[float, float | None]:
    """CPU seconds of one call, and what it gives."""
    found = function()
    start = time.process_time()
    for _ in range(TIMES):
        function()
    return (time.process_time() - start) / TIMES, found


if __name__ == "__main__":
    main()
