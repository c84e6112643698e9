"""An A/A study: one arm against itself under disjoint seeds. Nothing should be found too often.

    ptq-vs-qat run digits --out results/aa --set seeds=400 --set budgets=1 \
        --set batch_norm_momentum=0.99 --set "arms=[float,ptq]"
    python docs/benchmarks/aa_study.py results/aa

For each S: 2,000 times 2 S of an arm's seeds are drawn, called A and B at random, and paired at
random. Prints the share of these studies whose test finds a difference at 0.05, with the binomial's
95% interval around 5% (draws share seeds, so that it is a guide).
"""

import sys
from pathlib import Path

import numpy as np
from scipy import stats

from bench.statistics.crossed import crossed, crossed_sums
from bench.statistics.paired import paired_t
from bench.statistics.sign_flip import sign_flip_p
from bench.store import folder as store

ALPHA = 0.05
DRAWS = 2000


def main() -> None:
    results = store.read(Path(sys.argv[1]))
    labels = next(iter(results.labels.values()))
    rows = sorted(results.cells.to_pylist(), key=lambda row: row["seed"])
    rng = np.random.default_rng(0)
    low, high = stats.binom.interval(0.95, DRAWS, ALPHA)
    print(f"Expected of a test at its nominal level: {low / DRAWS:.1%} to {high / DRAWS:.1%}.\n")
    print("| arm | seeds | pairs in a study | t | sign flip | crossed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for arm in dict.fromkeys(row["arm"] for row in rows):
        correct = np.array(
            [np.frombuffer(r["predictions"], np.uint8) == labels for r in rows if r["arm"] == arm]
        ).astype(np.int8)
        for size in (5, 10, 20, 50):
            found = np.zeros(3)
            for _ in range(DRAWS):
                drawn = rng.permutation(len(correct))[: 2 * size]
                cells = correct[drawn[:size]] - correct[drawn[size:]]
                d = cells.sum(axis=1, dtype=np.int64)
                ps = paired_t(d).p, sign_flip_p(d), crossed(crossed_sums(cells)).p
                found += [p <= ALPHA for p in ps]
            shares = " | ".join(f"{share:.1%}" for share in found / DRAWS)
            print(f"| `{arm}` | {len(correct)} | {size} | {shares} |")


if __name__ == "__main__":
    main()
