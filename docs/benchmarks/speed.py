"""How much faster a study is than the same models made by hand, whole process against process.

    python docs/benchmarks/speed.py --peer tutorial.py --data FOLDER [--peer-seeds 1] [--only NAME]

FOLDER holds mnist/ and cifar10-jpeg/ (train.parquet, test.parquet). The peer trains every cell from
scratch, one after the other, so that its time beyond imports and data is proportional to its seeds:
it runs --peer-seeds of them and the rest is multiplied (0: as many as the study). It runs before
the product and after it, since a machine's speed drifts; the ratio is that of the mean. Prints a
Markdown table, a line as each workload ends; nothing else should run on the machine. "At most":
the ratio if two workers did nothing but train, convert and evaluate, in the seconds that these
took here.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from worker_memory import WorkerMemory

from bench.store.folder import Store

ARMS = ["float", "ptq", "float+k", "ptq+k", "qat"]  # the peer makes these


@dataclass(frozen=True)
class Workload:
    name: str
    dataset: str
    model: str
    seeds: int
    budgets: tuple[int, ...]
    batch: int
    train_examples: int | None
    goal: int


WORKLOADS = (
    Workload("digits, bncnn", "digits", "bncnn", 20, (1, 2, 4, 8), 32, None, 20),
    Workload("mnist, tutorial_cnn", "mnist", "tutorial_cnn", 4, (1, 2, 4), 32, None, 10),
    Workload("cifar10-jpeg, resnet8", "cifar10-jpeg", "resnet8", 4, (1, 2, 4), 64, 10_000, 4),
)


def product(work: Workload, data: Path, out: Path) -> tuple[float, float]:
    """Seconds of the whole command, and the largest worker in MB."""
    source = work.dataset if work.dataset == "digits" else str(data / work.dataset)
    fields = {
        "arms": ARMS,
        "datasets": [source],
        "models": [work.model],
        "seeds": work.seeds,
        "budgets": list(work.budgets),
        "batch_size": work.batch,
        "batch_norm_momentum": "model",
        "primary_over": [],
    }
    if work.train_examples:
        fields["train_examples"] = work.train_examples
    settings = [f"--set={name}={json.dumps(value)}" for name, value in fields.items()]
    command = [sys.executable, "-m", "bench", "run", "digits", "--out", str(out), *settings]
    started = time.perf_counter()
    with WorkerMemory() as memory:
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - started, memory.peak


def peer(work: Workload, script: Path, seeds: int, out: Path) -> float:
    """Seconds of the whole process for all seeds of the study, from a run of `seeds` of them."""
    command = [
        *(sys.executable, str(script), work.dataset, work.model, "--out", str(out)),
        *("--seeds", str(seeds), "--budgets", ",".join(map(str, work.budgets))),
        *("--batch", str(work.batch)),
    ]
    if work.train_examples:
        command += ["--train-n", str(work.train_examples)]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    whole = time.perf_counter() - started
    said = re.search(r"models in ([0-9.]+) s", done.stdout)
    assert said, done.stdout
    models = float(said[1])
    return whole - models + models * work.seeds / seeds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer-seeds", type=int, default=1)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    print(
        "| work | models | product, s | by hand: before, after, s | seeds by hand | ratio | goal "
        "| in training, conversion, interpreter | at most | largest worker, GB |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        flush=True,
    )
    for work in WORKLOADS:
        if asked.only not in work.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            out, by_hand_out = Path(folder) / "results", Path(folder) / "peer.csv"
            seeds = min(asked.peer_seeds or work.seeds, work.seeds)
            before = peer(work, asked.peer, seeds, by_hand_out)
            seconds, memory = product(work, asked.data, out)
            rows = Store(out).statuses("train_s", "convert_s", "eval_s")
            assert all(row["status"] in ("ok", "diverged") for row in rows)
            inside = sum(row["train_s"] + row["convert_s"] + row["eval_s"] for row in rows)
            after = peer(work, asked.peer, seeds, by_hand_out)
        by_hand = (before + after) / 2
        print(
            f"| {work.name} | {len(rows)} | {seconds:.0f} | {before:,.0f}, {after:,.0f} "
            f"| {seeds} of {work.seeds} | {by_hand / seconds:.1f} | {work.goal} | "
            f"{inside / (2 * seconds):.0%} | {by_hand / (inside / 2):.1f} | "
            f"{memory / 1024:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
