"""What a study would run, how long it takes, and what it can detect: nothing is started."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import ceil

from bench import models
from bench.arms import ARMS
from bench.plan import Trajectory, cells, check_data, trajectories
from bench.schema import FACTOR_NAMES
from bench.statistics import families, power
from bench.study import Study

START_S = 25.0
"""Seconds until workers train: importing TensorFlow, tracing the graphs."""

CONVERT_S = 0.2
"""Core seconds to convert a small model and to open it."""

FORWARD = 0.15
"""Time per pixel of evaluation in units of a training step's: no gradient, int8 kernels."""

ASSUMED_SD = (0.5, 1.0, 2.0, 5.0)
"""pp: what to show where nobody named an SD. QAT after one epoch can be at the upper end."""


@dataclass(frozen=True)
class Forecast:
    """Counts of a plan and what follows from them.

    evaluated, done: cells; trainings: how many of each training; steps: optimizer steps of each;
    seconds: wall clock on `workers` CPUs, an estimate; family: tests in the primary family;
    detectable: true difference in pp that is found with 80% power, by SD over seeds in pp.
    """

    evaluated: int
    done: int
    trainings: Mapping[str, int]
    steps: Mapping[str, int]
    seconds: float
    workers: int
    family: int
    fewest_seeds: int
    detectable: Mapping[float, float | None]


def forecast(study: Study, done: set[str], sds: tuple[float, ...], workers: int) -> Forecast:
    """Plan a study without running it. done: identities of cells that have a result.

    Raises InputError as check_data does.
    """
    sizes = check_data(study)
    wanted = cells(study)
    missing = [cell for cell in wanted if cell.id not in done]
    trainings: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    core_seconds = CONVERT_S * len(missing)
    for trajectory in trajectories(missing):
        for training, epochs, evaluated in _trainings(trajectory):
            first = trajectory.segments[0]
            size, cost = sizes[first.dataset], models.get(first.model).COST
            examples = first.recipe.train_examples or size.train
            count = epochs * ceil(examples / first.recipe.batch_size)
            trainings[training] += epochs > 0
            steps[training] += count
            slower = cost.qat if training.startswith("qat") else 1.0
            pixel_s = cost.pixel_us * 1e-6 * size.pixels
            core_seconds += slower * (count * cost.step_ms * 1e-3 + epochs * examples * pixel_s)
            seen = size.test + min(size.test, examples)
            core_seconds += FORWARD * evaluated * seen * pixel_s
    family = primary_family(study)
    level = study.alpha / family if family else study.alpha
    return Forecast(
        evaluated=len(wanted),
        done=len(wanted) - len(missing),
        trainings=trainings,
        steps=steps,
        seconds=(START_S + core_seconds / workers) if missing else 0.0,
        workers=workers,
        family=family,
        fewest_seeds=families.fewest_seeds(study.alpha, max(family, 1)),
        detectable={sd: power.detectable_difference(len(study.seeds), sd, level) for sd in sds},
    )


def _trainings(trajectory: Trajectory) -> Iterator[tuple[str, int, int]]:
    """Each training of a trajectory: its kind, its epochs, how many cells are evaluated."""
    base = [f for segment in trajectory.segments for f in segment.forks if f.training == "float"]
    yield "float", trajectory.segments[-1].budget, sum(len(fork.cells) for fork in base)
    for segment in trajectory.segments:
        for fork in segment.forks:
            if fork.extras:
                yield fork.training, fork.extras[-1], len(fork.cells)


def primary_family(study: Study) -> int:
    """Tests in the primary family: each of its contrasts at every setting."""
    varied = (study.datasets, study.models, *(getattr(study, name) for name in FACTOR_NAMES))
    settings = len(list(product(*varied, study.budgets)))
    return sum(
        settings * (len(study.extra) if ARMS[c.a].extra or ARMS[c.b].extra else 1)
        for c in study.contrasts
        if c.name in study.primary_contrasts
    )


def describe(study: Study, made: Forecast, sd_source: str) -> str:
    """A forecast in a few lines of plain text. sd_source: where the SDs come from."""
    shown = {
        "float": "float trajectories",
        "float+k": "controls",
        "qat": "QAT",
        "qat-cal": "QAT-cal",
    }
    left = made.evaluated - made.done
    lines = [
        study.title or "(no title)",
        f"{made.evaluated} models to evaluate: {len(study.seeds)} seeds, float budgets "
        f"{_listed(study.budgets)}, QAT and controls {_listed(study.extra)} more, "
        f"arms {_listed(study.arms)}",
    ]
    if made.done:
        lines.append(f"{made.done} of them are there already, {left} are missing")
    lines += [
        f"  {made.trainings[kind]:>6,} {shown[kind]:<18} {made.steps[kind]:>11,} optimizer steps"
        for kind in shown
        if made.trainings[kind]
    ]
    if left:
        lines.append(
            f"estimated time: {_rough(made.seconds)} on {made.workers} CPUs "
            "(from step times measured on one kind of machine; yours may take half or twice that)"
        )
    if not made.family:
        return "\n".join([*lines, "no primary contrast: nothing is tested in a family"])
    n, each = len(study.seeds), f"alpha = {study.alpha:g}/{made.family} each"
    if n < made.fewest_seeds:
        lines.append(
            f"too few seeds: no outcome of the exact test could be significant in a primary family "
            f"of {made.family} tests ({each}); that takes {made.fewest_seeds} seeds"
        )
    lines.append(
        f"smallest true difference that {n} seeds detect with 80% power, in a primary family of "
        f"{made.family} tests ({each}):"
    )
    for sd, difference in made.detectable.items():
        found = "not with one seed" if difference is None else f"{difference:.2f} pp"
        lines.append(f"  {found:>10} if the SD over seeds is {sd:.2g} pp")
    return "\n".join([*lines, f"SDs over seeds of a paired difference: {sd_source}"])


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values))


def _rough(seconds: float) -> str:
    if seconds < 90:
        return f"about {5 * ceil(seconds / 5)} s"
    if seconds < 5400:
        return f"about {ceil(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
