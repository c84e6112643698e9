"""Time and memory of `analyze` on a large study, report included.

    python docs/benchmarks/analysis_speed.py FOLDER [SEEDS EXAMPLES]

Writes a result folder of random predictions into FOLDER (1,000 seeds, 10,000 test examples, all
arms at seven budgets: 70 contrasts) unless it is there, and analyzes it in a process of its own.
"""

import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.plan import cells as plan
from bench.store.folder import Store
from bench.study import Study
from bench.study.arms import ARMS

BUDGETS = (1, 2, 4, 8, 16, 32, 64)


def write(folder: Path, seeds: int, examples: int) -> None:
    study = Study.model_validate({"title": "Large", "seeds": seeds, "budgets": list(BUDGETS)})
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, examples).astype(np.int32)
    store = Store(folder)
    store.write_labels("digits", labels, [str(c) for c in range(10)], ())
    difficulty = rng.random(examples)
    rows, planned = [], plan.cells(study)
    for cell in planned:
        level = 0.9 + 0.01 * BUDGETS.index(cell.budget) + rng.normal(0, 0.004)
        right = rng.random(examples) * 0.3 + difficulty * 0.7 < level
        predictions = np.where(right, labels, (labels + 1) % 10).astype(np.uint8)
        rows.append(
            {
                **cell.columns,
                "status": "ok",
                "n": examples,
                "correct": int(right.sum()),
                "accuracy": float(right.mean()),
                "predictions": predictions.tobytes(),
                "number_format": ARMS[cell.arm].number_format,
                "cpu": "-",
                "versions": "-",
                "finished_at": datetime(2026, 1, 1, tzinfo=UTC),
            }
        )
        if len(rows) == 2000:
            store.append(rows)
            rows = []
    if rows:
        store.append(rows)
    store.write_plan([cell.columns for cell in planned])
    store.write_study(study)


def main() -> None:
    folder = Path(sys.argv[1])
    seeds, examples = (int(a) for a in sys.argv[2:4]) if len(sys.argv) > 3 else (1_000, 10_000)
    if not (folder / "study.toml").exists():
        write(folder, seeds, examples)
    start = time.perf_counter()
    code = "import sys, pathlib; from bench import report; report.write(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{seconds:.1f} s, {memory:.2f} GB at most")


if __name__ == "__main__":
    main()
