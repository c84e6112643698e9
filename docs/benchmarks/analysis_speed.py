"""Time and memory of `analyze` on a large study, report included.

    python docs/benchmarks/analysis_speed.py FOLDER [SEEDS EXAMPLES [BUDGETS]]
    python docs/benchmarks/analysis_speed.py TABLE.csv [MODELS [SEEDS]]

Writes a result folder of random predictions into FOLDER (1,000 seeds, 10,000 test examples, all
arms at seven budgets: 70 contrasts), or a table of 1,000 seeds, two arms, ten budgets and fifty
models (500 contrasts, a million rows), unless it is there, and analyzes it in a process of its own.
"""

import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bench.plan import cells as plan
from bench.store.folder import Store
from bench.study import Study
from bench.study.arms import ARMS

BUDGETS = [1, 2, 4, 8, 16, 32, 64]


def write(folder: Path, seeds: int, examples: int, budgets: list[int]) -> None:
    study = Study.model_validate({"title": "Large", "seeds": seeds, "budgets": budgets})
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, examples).astype(np.int32)
    store = Store(folder)
    store.write_labels("digits", labels, [str(c) for c in range(10)], ())
    difficulty = rng.random(examples)
    rows, planned = [], plan.cells(study)
    for cell in planned:
        level = 0.9 + 0.06 * budgets.index(cell.budget) / len(budgets) + rng.normal(0, 0.004)
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


def write_table(path: Path, models: int, seeds: int = 1_000, budgets: int = 10) -> None:
    """Accuracies of four decimals, of two arms whose seeds are alike."""
    rng = np.random.default_rng(0)
    places = models * budgets
    of_seed = rng.normal(0.9, 0.01, (places, 1, seeds))
    of_arm = np.array([0.0, 0.0005])[None, :, None] + rng.normal(0, 0.004, (places, 2, seeds))
    place, arm, seed = (i.ravel() for i in np.indices((places, 2, seeds)))
    columns = {
        "seed": seed,
        "arm": pa.array(np.array(["base", "new"])[arm]),
        "budget": 1 + place % budgets,
        "model": pa.array(np.array([f"model{m:02}" for m in range(models)])[place // budgets]),
        "accuracy": np.round(of_seed + of_arm, 4).ravel(),
    }
    pyarrow.csv.write_csv(pa.table(columns), path)


def main() -> None:
    folder, given = Path(sys.argv[1]), [int(a) for a in sys.argv[2:]]
    if folder.suffix == ".csv":
        models, seeds = (given + [50, 1_000][len(given) :])[:2]
        if not folder.exists():
            write_table(folder, models, seeds)
    elif not (folder / "study.toml").exists():
        seeds, examples = given[:2] if len(given) > 1 else (1_000, 10_000)
        budgets = list(range(1, given[2] + 1)) if len(given) > 2 else BUDGETS
        write(folder, seeds, examples, budgets)
    measured(folder)


def measured(folder: Path) -> None:
    start = time.perf_counter()
    call = "report.write" + ("(p)" if folder.is_dir() else "_table(p, p.with_suffix(''))")
    code = f"import sys, pathlib; from bench import report; p = pathlib.Path(sys.argv[1]); {call}"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime
    print(f"{seconds:.1f} s, {busy:.1f} CPU s, {used.ru_maxrss / 1e6:.2f} GB at most")


if __name__ == "__main__":
    main()
