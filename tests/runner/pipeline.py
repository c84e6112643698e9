"""A pipeline that trains nothing and whose processes die as a test says: see `Faults`.

Its module is imported by name in every worker; what it is to do stands in the environment.
"""

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets import Dataset
from bench.plan.trajectories import Fork, Segment
from bench.runner import board
from bench.study.arms import ARMS

VARIABLE = "TEST_PIPELINE_FAULTS"


@dataclass(frozen=True)
class Faults:
    """probe: arm -> signal of its probe; cell: `arm/extra/seed` -> signal of its conversion; once:
    `arm/extra/seed` whose process is killed the first time; segment: seeds whose training raises;
    fails: `arm/extra/seed` that fail as long as the file `broken` is in `folder`, which has notes
    on what ran too; hangs, hangs_once: `arm/extra/seed` that never end, or the first time; stops:
    those whose process is stopped the first time; probe_hangs: arms; eats: those that take 6 GB of
    memory; seconds: that each
    cell takes, noted in `ran` with begin, end, process and the GPUs that it sees."""

    folder: str
    probe: dict[str, str] = field(default_factory=dict)
    cell: dict[str, str] = field(default_factory=dict)
    once: list[str] = field(default_factory=list)
    segment: list[int] = field(default_factory=list)
    fails: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    hangs_once: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    probe_hangs: list[str] = field(default_factory=list)
    eats: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}


def _faults() -> Faults:
    return Faults(**json.loads(os.environ[VARIABLE]))


def _die(name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])
    signal.pause()


def _note(name: str, what: str = "x") -> None:
    with (Path(_faults().folder) / name).open("a") as file:
        file.write(what)


def _is_first(name: str) -> bool:
    return not (Path(_faults().folder) / name).exists()


def prepare() -> None: ...


def leave() -> str:
    """A temporary file that nobody removes."""
    return tempfile.mkstemp()[1]


def trace(data: Dataset, segments: Sequence[Segment]) -> None: ...


def probe(data: Dataset, segment: Segment, fork: Fork) -> dict[str, Any]:
    (cell,) = fork.cells
    if died := _faults().probe.get(cell.arm):
        _note(f"probe-{cell.arm}")
        _die(died)
    while cell.arm in _faults().probe_hangs:
        pass
    return {"unusable": None, "unsupported": None, "batch_norms": 3}


def run_segment(data: Dataset, segment: Segment, before: Any) -> Any:
    if segment.seed in _faults().segment:
        raise ValueError(f"seed {segment.seed} cannot be trained\nand more lines")
    return segment.budget


def run_fork(
    data: Dataset, segment: Segment, fork: Fork, checkpoint: Any
) -> Iterator[dict[str, Any]]:
    return (_row(data, cell) for cell in fork.cells)


def _row(data: Dataset, cell: Any) -> dict[str, Any]:
    faults, name = _faults(), f"{cell.arm}/{cell.extra or 0}/{cell.seed}"
    noted = name.replace("/", "-")
    if name in faults.once and _is_first(noted):
        _note(noted)
        _die("SIGKILL")
    if name in faults.hangs or (name in faults.hangs_once and _is_first(noted)):
        _note(noted)
        while (Path(faults.folder) / "broken").exists():
            pass
    if name in faults.stops and _is_first(noted):
        _note(noted)
        time.sleep(5 * board.LOOK_S)  # until it stands on the board that this process is at work
        os.kill(os.getpid(), signal.SIGSTOP)
    if name in faults.eats:
        _note(noted)
        taken = [np.ones(1 << 24) for _ in range(48)]
        time.sleep(20 + len(taken))
    began = time.time()
    time.sleep(faults.seconds)
    if faults.seconds:
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
        _note("ran", json.dumps([name, began, time.time(), os.getpid(), gpus]) + "\n")
    if died := faults.cell.get(name):
        _note(noted)
        _die(died)
    if name in faults.fails and (Path(faults.folder) / "broken").exists():
        return cell.failure("failed", "RuntimeError: broken for now")
    rng = np.random.default_rng(int(cell.id, 16))
    wrong = (data.y_test + 1) % len(data.classes)
    predictions = np.where(rng.random(len(wrong)) < 0.9, data.y_test, wrong).astype(np.uint8)
    correct = int((predictions == data.y_test).sum())
    return {
        **cell.columns,
        "status": "ok",
        "n": len(wrong),
        "correct": correct,
        "accuracy": correct / len(wrong),
        "predictions": predictions.tobytes(),
        "number_format": ARMS[cell.arm].number_format,
        "disagreements": 0,
        "finished_at": datetime.now(UTC),
    }
