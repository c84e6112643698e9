"""Checks of a study before hours are spent: on this machine, without Ray, under a minute a model.

What needs TensorFlow runs in a process of its own: what ends it is a check that failed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from bench import datasets, models
from bench.datasets import Dataset, fixed_permutation
from bench.datasets.changed.training import changed
from bench.errors import InputError
from bench.metrics import own as own_metrics
from bench.pipelines.data_checks import ALIKE, FILE, LOSS, MODEL, SAME, Check, checks
from bench.plan.cells import cells
from bench.plan.data import Levels, check_data
from bench.plan.forecast import forecast
from bench.plan.schedule import data_key
from bench.plan.trajectories import Fork, Segment
from bench.runner import own_checks, probes
from bench.runner.isolation import Crash, Isolated, TookTooLong, WorkFailed
from bench.runner.limits import Limits
from bench.runner.pipeline import Pipeline
from bench.runner.worker import WORKER_ENVIRONMENT
from bench.study import Study
from bench.study.arms import ARMS
from bench.study.factors import FACTORS

MODULE = "bench.pipelines.check"

MOST_EXAMPLES = 2000
MOST_BYTES = 64 << 20
"""Of a split, that a model is checked on."""

CRASHED = "recurrent layers need unroll=True to be quantized; else leave it out of `arms`"

Pieces = Sequence[tuple[Segment, Fork]]


def run(study: Study, workers: int) -> Iterator[tuple[str, Check]]:
    """All checks of a study, each with what it is about, as they are made.

    workers: CPUs that the time of the study is estimated for. An InputError about the data is a
    check that failed, and then the last one.
    """
    if study.pipeline is not None:
        yield from own_checks.run(study, workers)
        return
    try:
        check_data(study)
    except InputError as error:
        remedy = error.allowed.removeprefix("allowed: ")
        yield error.where, Check("data", False, error.found, remedy)
        return
    one = study.with_seeds(1)
    planned = cells(one)
    peak = 0
    usable = True
    limit = Limits(study.timeout).least
    for source in study.datasets:
        label = datasets.label(source)
        data = datasets.load(source, options=study.reading, task=study.objective.task)
        made = {
            key[1]: changed(data, dict(key[1]))
            for key in dict.fromkeys(map(data_key, planned))
            if key[0] == label
        }
        yield from _of_data(made, label, _least(study))
        data = next(iter(made.values()))
        for model in study.models:
            pieces = [
                piece
                for probe in probes.probes(planned)
                if (probe.dataset, probe.model) == (label, model)
                for piece in probe.pieces
            ]
            # Of each arm the first of its levels.
            pieces = list({fork.cells[0].arm: (s, fork) for s, fork in reversed(pieces)}.values())
            pieces.reverse()
            about = f"{model} on {label}" if len(study.datasets) > 1 else model
            work = Pipeline(MODULE, models.own([model]), measures=own_metrics.named(study.metrics))
            with Isolated(work, WORKER_ENVIRONMENT, limit) as apart:
                few, checked = _some(data), []
                for check in _of_model(apart, few, pieces):
                    checked.append(check)
                    yield about, check
                if checked[0].ok:
                    peak = max(peak, _measure(apart, model, few, pieces))
                else:
                    usable = False
    if usable:
        yield "the study", _cost(study, peak, workers)


def _of_data(
    made: Mapping[Levels, Dataset], label: str, calibration_examples: int
) -> Iterator[tuple[str, Check]]:
    """All checks of a data set, as the study changes it first; of its other changes what they find
    that is not the same. made: by what is done to the training data."""
    known: set[Check] = set()
    for levels, data in made.items():
        of = [f"{name} = {FACTORS[name].shown(level)}" for name, level in levels]
        of = [said for said, (name, _) in zip(of, levels, strict=True) if _varies(name, made)]
        about = f"{label}, {', '.join(of)}" if of else label
        for check in checks(data, calibration_examples):
            if check not in known:
                yield about, check
            known.add(check)


def _varies(name: str, made: Collection[Levels]) -> bool:
    return len({dict(levels)[name] for levels in made}) > 1


def _of_model(apart: Isolated, data: Dataset, pieces: Pieces) -> Iterator[Check]:
    """All checks of a model, its usability first: without that the others have no object."""
    check = _asked(apart, MODEL, data, pieces)
    yield check
    if not check.ok:
        return
    yield _asked(apart, LOSS, data, pieces)
    yield _asked(apart, SAME, data, pieces)
    quantized = [fork.cells[0].arm for _, fork in pieces if fork.quantized]
    if quantized:
        check = _asked(apart, ALIKE, data, pieces)
        yield check
    impossible = set() if check.ok else set(quantized)
    yield _asked(apart, FILE, data, pieces)
    failed: dict[tuple[str, str], list[str]] = {}  # what was found, remedy -> arms
    crashed: dict[str, tuple[str, str]] = {}
    for arm in (fork.cells[0].arm for _, fork in pieces):
        if arm in impossible:
            key = ("not possible: see above", "leave them out of `arms`")
        elif ARMS[arm].conversion in crashed:  # it would take another process along
            key = crashed[ARMS[arm].conversion]
        else:
            check = _asked(apart, f"arm {arm}", data, pieces)
            if check.ok:
                yield check
                continue
            key = (check.found, check.remedy)
            if check.remedy == CRASHED:
                crashed[ARMS[arm].conversion] = key
        failed.setdefault(key, []).append(arm)
    for (found, remedy), arms in failed.items():
        yield Check(f"arm{'s' * (len(arms) > 1)} {', '.join(arms)}", False, found, remedy)


def _least(study: Study) -> int:
    drawn = study.levels("calibration_examples")
    return min(each for each in drawn if isinstance(each, int))


def _some(data: Dataset) -> Dataset:
    """The data set with a fixed choice of its examples."""
    each = max(1, data.x_train[0].nbytes)
    n = min(MOST_EXAMPLES, max(64, MOST_BYTES // each))
    train, test = (fixed_permutation(len(x))[:n] for x in (data.x_train, data.x_test))
    return replace(
        data,
        key=f"{data.key}/some",
        x_train=data.x_train[train],
        y_train=data.y_train[train],
        x_test=data.x_test[test],
        y_test=data.y_test[test],
        paths=(),
    )


def _asked(apart: Isolated, name: str, data: Dataset, pieces: Pieces) -> Check:
    try:
        check: Check = apart.ask("check", name, data, pieces)
        return check
    except TookTooLong as late:
        found, remedy = str(late), "an endless loop? else a larger `timeout`"
    except Crash as crash:
        found, remedy = f"its process ended: {crash}", CRASHED
    except WorkFailed as error:
        found, remedy = str(error), "mend model(), or leave the arm out"
    return Check(name, False, found, remedy)


def _measure(apart: Isolated, model: str, data: Dataset, pieces: Pieces) -> int:
    """Measure what training takes, for the forecast. Returns the memory of a worker in bytes; 0
    where training fails, which a check has said."""
    quantized = any(fork.quantized for _, fork in pieces)
    segment = pieces[0][0]
    try:
        (float_s, *qat_s), memory = apart.ask("measured", data, pieces, quantized)
    except (Crash, WorkFailed):
        return 0
    pixels = segment.recipe["batch_size"] * data.x_train[0, ..., 0].size
    ratio = qat_s[0] / float_s if qat_s else 1.0
    models.measured(model, models.Cost(0.0, 1e6 * float_s / pixels, ratio))
    return int(memory)


def _cost(study: Study, peak: int, workers: int) -> Check:
    what = "time and memory"
    made = forecast(study, (), (1.0,), workers)
    if made.seconds is None:
        return Check(what, False, f"no time of {made.unknown}", "see what failed above")
    each = made.seconds * workers / max(1, made.evaluated)
    found = (
        f"{made.evaluated:,} cells of {each:,.1f} CPU seconds: about {_duration(made.seconds)} on "
        f"{workers} CPUs"
    )
    return Check(what, True, f"{found}; {peak / 2**20:,.0f} MiB for each worker")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
