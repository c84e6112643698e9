"""How near the program is to what the machine can do.

    python docs/benchmarks/limits.py [steps] [profile] [workers] [start]

steps: an epoch's time against the bare step of the same graph, and against the core's peak.
profile: which operators a step spends its time in.
workers: two against one on digits, in turn, and the memory of one worker over 504 cells.
start: seconds from the command to the first training, and where they go; decoding of images.
By default all; nothing else should run.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.runner.worker import WORKER_ENVIRONMENT

os.environ.update(WORKER_ENVIRONMENT)

import numpy as np
from PIL import Image
from worker_memory import WorkerMemory

from bench.datasets.reading.images import decode
from bench.store.folder import Store

SHAPES = {"bncnn": (8, 8, 1), "tutorial_cnn": (28, 28, 1), "resnet8": (32, 32, 3)}
BATCHES = {"bncnn": 32, "tutorial_cnn": 32, "resnet8": 64}
EXAMPLES = 2048
TURNS = 3
LARGEST = 7


def best(*works: Any, repeats: int = 7) -> list[float]:
    """Seconds of the fastest of a few: what the machine can do when nobody disturbs it.

    Several works take turns, so that a slow minute of the machine meets them all.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, so_far in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            so_far.append(time.perf_counter() - started)
    return [min(each) for each in times]


def steps() -> None:
    import tensorflow as tf

    from bench.pipelines import cell

    cell.prepare()
    a = tf.random.normal((1536, 1536))
    a @ a
    peak = 2 * 1536**3 / best(lambda: (a @ a).numpy())[0]
    print(f"peak of one core, by a matrix product: {peak / 1e9:.0f} GFLOP/s\n")
    print("| model | training | epoch, ms a step | bare step, ms | share | of the peak |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for work in epochs():
        trainer, count = work.trainer, EXAMPLES // work.batch

        @tf.function
        def bare(xs: Any, ys: Any, trainer: Any = trainer, count: int = count) -> None:
            for _ in tf.range(count):
                trainer.step(xs, ys)

        alike = partial(bare, work.x[: work.batch], work.y[: work.batch])
        work.run()
        alike()
        whole, alone = (seconds / count for seconds in best(work.run, alike))
        operations = 3 * forward_operations(work.float_model, SHAPES[work.model]) * work.batch
        print(
            f"| {work.model} | {work.training} | {whole * 1e3:.2f} | {alone * 1e3:.2f} | "
            f"{alone / whole:.0%} | {operations / whole / peak:.0%} |",
            flush=True,
        )
    print()


@dataclass(frozen=True)
class Epoch:
    """A training's epoch over random images."""

    model: str
    training: str
    trainer: Any
    float_model: Any
    x: Any
    y: Any
    batch: int

    def run(self) -> None:
        order = np.arange(EXAMPLES, dtype=np.int32)
        self.trainer.run(self.x, self.y, [order], self.batch, 1e-3)


def epochs() -> Iterator[Epoch]:
    """Of every model, float and QAT."""
    import tensorflow as tf

    from bench import models
    from bench.pipelines import train

    rng = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        build = models.get(name).build
        x = tf.constant(rng.integers(0, 256, (EXAMPLES, *shape), dtype=np.uint8))
        y = tf.constant(rng.integers(0, 10, EXAMPLES, dtype=np.int32))
        base = train.Trainer(build, shape, 10, "adam", 255.0)
        quantized = train.Trainer(build, shape, 10, "adam", 255.0, base.model)
        for training, trainer in (("float", base), ("QAT", quantized)):
            yield Epoch(name, training, trainer, base.model, x, y, BATCHES[name])


def profile() -> None:
    from bench.pipelines import cell

    cell.prepare()
    print("| model | training | operators, share of the time in all of them | all, ms a step |")
    print("| --- | --- | --- | ---: |")
    for work in epochs():
        work.run()
        spent = operator_seconds(work.run)
        whole = sum(spent.values())
        largest = [f"{kind} {seconds / whole:.0%}" for kind, seconds in spent.most_common(LARGEST)]
        per_step = whole / (EXAMPLES // work.batch)
        print(
            f"| {work.model} | {work.training} | {', '.join(largest)} | {per_step * 1e3:.2f} |",
            flush=True,
        )
    print()


def operator_seconds(work: Callable[[], None]) -> Counter[str]:
    """Seconds by kind of operator, which TensorFlow's profiler slows a little."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            work()
        for file in Path(folder).rglob("*.xplane.pb"):
            space.MergeFromString(file.read_bytes())
    events = (
        (plane.event_metadata[event.metadata_id].name, event.duration_ps)
        for plane in space.planes
        for line in plane.lines
        for event in line.events
    )
    spent: Counter[str] = Counter()
    for name, picoseconds in events:
        operator = re.fullmatch(r"while/.*:_?(Mkl)?(Native)?(\w+)", name)
        if operator:
            spent[operator[3]] += picoseconds / 1e12
    return spent


def forward_operations(model: Any, shape: tuple[int, ...]) -> int:
    """Multiplications and additions of one example's forward pass: convolutions and products."""
    import tensorflow as tf
    from tensorflow.python.profiler.model_analyzer import profile
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    graph = tf.function(model).get_concrete_function(tf.TensorSpec((1, *shape))).graph
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output()
    return int(profile(graph, options=options.build()).total_float_ops)


def ended(row: dict[str, Any]) -> float:
    return float(row["finished_at"].timestamp())


def inside(row: dict[str, Any]) -> float:
    return float(row["train_s"] + row["convert_s"] + row["eval_s"])


def run(folder: str, workers: int, *settings: str) -> tuple[float, list[dict[str, Any]]]:
    """When the command was given, and its rows in the order in which they ended."""
    out = Path(folder) / f"results-{workers}"
    command = [sys.executable, "-m", "bench", "run", "digits", "--out", str(out)]
    started = time.time()
    subprocess.run(
        [*command, "--workers", str(workers), *settings], check=True, capture_output=True
    )
    rows = Store(out).statuses("train_s", "convert_s", "eval_s", "finished_at", "node")
    return started, sorted(rows, key=ended)


def workers() -> None:
    print("| workers in turn, 240 cells of digits | one, s | two, s | efficiency |")
    print("| --- | ---: | ---: | ---: |")
    found = []
    for turn in range(1, TURNS + 1):
        spans = {}
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                _, rows = run(folder, count, "--set=seeds=10")
            # From the first cell on: before it, graphs are traced once per process.
            spans[count] = ended(rows[-1]) - ended(rows[24])
            share = sum(map(inside, rows[25:])) / count / spans[count]
        found.append(spans[1] / spans[2] / 2)
        print(f"| {turn} | {spans[1]:.1f} | {spans[2]:.1f} | {found[-1]:.2f} |", flush=True)
    print(f"median efficiency {median(found):.2f}")
    print(f"two workers inside training, conversion, interpreter: {share:.0%}")
    with tempfile.TemporaryDirectory() as folder, WorkerMemory() as memory:
        _, rows = run(folder, 1, "--set=seeds=21")
        at = [ended(rows[n]) for n in (24, 99, 199, 299, 399, len(rows) - 1)]
        resident = [memory.at(when) for when in at]
    print(f"one worker after 25, 100, 200, 300, 400, {len(rows)} cells, MB:", end=" ")
    print(", ".join(f"{mb:.0f}" for mb in resident), "\n")


def seconds(*codes: str) -> float:
    """Until processes that run these at the same time have all ended."""
    started = time.perf_counter()
    running = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) for code in codes
    ]
    for process in running:
        process.wait()
    return time.perf_counter() - started


def start() -> None:
    imports = (
        "",
        "import bench.cli.app, bench.runner, bench.cli.progress, bench.store",
        "import bench.cli.app, bench.runner, bench.cli.progress, bench.store, ray",
    )
    python, own, ray = (min(seconds(code) for _ in range(3)) for code in imports)
    worker = "import bench.pipelines.cell"
    one, two = (min(seconds(*[worker] * n) for _ in range(2)) for n in (1, 2))
    with tempfile.TemporaryDirectory() as folder:
        given, rows = run(folder, 2, "--set=seeds=2")
    first = min(ended(row) - inside(row) for row in rows)
    traced = [ended(row) - given for row in rows]
    print(f"from the command to the first training: {first - given:.1f} s; first row", end=" ")
    print(f"{traced[0]:.1f} s, all {len(rows)} cells of two seeds {traced[-1]:.1f} s")
    print(f"python {python:.2f} s, our imports {own - python:.2f}, Ray's {ray - own:.2f}")
    print(f"what a worker imports: {one:.1f} s alone, {two:.1f} s two at once")
    longest = max(b - a for a, b in pairwise(traced))
    print(f"longest time between two rows: {longest:.1f} s")
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    many = [buffer.getvalue()] * 2000
    ours, pillow = best(
        lambda: [decode(blob) for blob in many],
        lambda: [np.asarray(Image.open(io.BytesIO(blob))) for blob in many],
    )
    print(f"decoding a PNG of 28x28: {ours / 2000 * 1e6:.0f} us, Pillow's", end=" ")
    print(f"{pillow / 2000 * 1e6:.0f} us\n")


def main() -> None:
    parts = {"steps": steps, "profile": profile, "workers": workers, "start": start}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
