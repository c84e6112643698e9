"""An A/A study: one arm against itself under disjoint seeds. Nothing should be found too often.

    ptq-vs-qat run digits --out results/aa --set seeds=400 --set budgets=1 --set "arms=[float,ptq]"
    python docs/benchmarks/aa_study.py results/aa

Seed 2j of an arm is "A", seed 2j + 1 is "B"; the pairs are cut into studies of S pairs. Prints, for
each S, how many of these studies have an interval that leaves out 0, and how many are expected to.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import stats

from bench import store
from bench.statistics.crossed import crossed, crossed_sums
from bench.statistics.paired import paired_t
from bench.statistics.sign_flip import sign_flip_p

ALPHA = 0.05


def main() -> None:
    results = store.read(Path(sys.argv[1]))
    labels = next(iter(results.labels.values()))
    rows = sorted(results.cells.to_pylist(), key=lambda row: row["seed"])
    print("| arm | pairs in a study | studies | test | found | nominal | p of so many or more |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: |")
    for arm in dict.fromkeys(row["arm"] for row in rows):
        correct = np.array(
            [np.frombuffer(r["predictions"], np.uint8) == labels for r in rows if r["arm"] == arm]
        )
        even = len(correct) // 2 * 2
        a, b = correct[0:even:2], correct[1:even:2]
        for size in (5, 10, 20):
            studies = [slice(i, i + size) for i in range(0, len(a) - size + 1, size)]
            found = {"t": 0, "sign flip": 0, "crossed": 0}
            for part in studies:
                cells = a[part].astype(int) - b[part].astype(int)
                d = cells.sum(axis=1)
                found["t"] += paired_t(d).p <= ALPHA
                found["sign flip"] += sign_flip_p(d) <= ALPHA
                found["crossed"] += crossed(crossed_sums(cells)).p <= ALPHA
            for test, count in found.items():
                p = stats.binom.sf(count - 1, len(studies), ALPHA)
                print(
                    f"| `{arm}` | {size} | {len(studies)} | {test} | {count} | "
                    f"{ALPHA * len(studies):.1f} | {p:.2f} |"
                )


if __name__ == "__main__":
    main()
