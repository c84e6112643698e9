"""Compares a result folder's accuracies with those of a script that does the same by hand.

    python docs/benchmarks/peer_accuracy.py results/digits peer.csv --momentum 0.9

peer.csv: columns seed, budget and one of accuracies (0 to 1) per arm. --momentum: batch norm's, for
which of the folder's settings. Prints a Markdown table: per arm or contrast and budget both means,
and their difference with a Welch 95% interval (the seeds of the two are unrelated).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from bench.store import folder as store
from bench.study.arms import ARMS, CONTRASTS, Contrast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--momentum", type=float, required=True)
    asked = parser.parse_args()
    theirs = pd.read_csv(asked.table).set_index(["seed", "budget"])
    cells = store.read(asked.folder).cells.to_pandas()
    cells = cells[cells["batch_norm_momentum"] == asked.momentum]
    ours = cells.pivot(index=["seed", "budget"], columns="arm", values="accuracy")
    print("| what | budget | n | product | by hand | difference, pp | 95% interval | p |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |")
    ps = []
    arms = [arm for arm in ARMS if arm in theirs.columns]
    contrasts = [c for c in CONTRASTS.values() if {c.a, c.b} <= set(arms)]
    for what in [*arms, *contrasts]:
        for budget in sorted(set(theirs.index.get_level_values("budget"))):
            mine, hand = (_values(table, what, budget) for table in (ours, theirs))
            test = stats.ttest_ind(mine, hand, equal_var=False)
            low, high = test.confidence_interval(0.95)
            ps.append(test.pvalue)
            print(
                f"| {getattr(what, 'name', what)} | {budget} | {len(mine)}/{len(hand)} | "
                f"{mine.mean():.2f} | {hand.mean():.2f} | {mine.mean() - hand.mean():+.2f} | "
                f"[{low:+.2f}, {high:+.2f}] | {test.pvalue:.2f} |"
            )
    smallest = min(stats.false_discovery_control(np.array(ps), method="by"))
    print(f"\nSmallest p after the Benjamini-Yekutieli correction: {smallest:.2f}")


def _values(table: pd.DataFrame, what: str | Contrast, budget: int) -> pd.Series:
    """An arm's accuracies, or a contrast's paired differences, over seeds, in pp."""
    at = table.xs(budget, level="budget") * 100
    return at[what] if isinstance(what, str) else at[what.a] - at[what.b]


if __name__ == "__main__":
    main()
