"""What a study would run, how long it takes, and what it can detect: nothing is started."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from bench.plan import extent, times
from bench.plan.cells import cells
from bench.plan.costs import Cost, costs
from bench.plan.data import check_data
from bench.plan.simulate import critical_path, simulate
from bench.plan.trajectories import OWN, Trajectory, trajectories
from bench.statistics import families, power
from bench.store.schema import RESULTS
from bench.study import Study, designs, effects
from bench.study.arms import TRAININGS
from bench.study.effects import RECIPE
from bench.study.factors import FACTORS
from bench.study.heading import heading
from bench.study.pipeline import OwnPipeline
from bench.study.resources import Resources, duration
from bench.study.units import amounts

ASSUMED_SD = (0.5, 1.0, 2.0, 5.0)
"""pp: what to show where nobody named an SD. QAT after one epoch can be at the upper end."""


PRETRAINED = (
    "every seed starts from the weights that model() returns: initialization does not vary, seeds "
    "differ in what is drawn behind it"
)


@dataclass(frozen=True)
class Forecast:
    """Counts of a plan and what follows from them.

    evaluated, done: cells; trainings: how many of each training; steps: optimizer steps of each;
    seconds: wall clock on `workers` CPUs, simulated; longest: the same on any number of CPUs, of
    the longest chain; both None if nothing says what the model `unknown` takes; measured: do its
    times come from a run; family: tests in the primary family; detectable: true difference in pp
    that is found with 80% power, by SD over seeds in pp; costs: of each list of the study.
    """

    evaluated: int
    done: int
    trainings: Mapping[str, int]
    steps: Mapping[str, int]
    seconds: float | None
    longest: float | None
    unknown: str | None
    workers: int
    measured: bool
    family: int
    fewest_seeds: int
    detectable: Mapping[float, float | None]
    costs: Mapping[str, Cost]


def forecast(
    study: Study, rows: Sequence[Mapping[str, Any]], sds: tuple[float, ...], workers: int
) -> Forecast:
    """Plan a study without running it.

    rows: of a folder's cells, with the columns of times.MEASURED: those that have a result are not
    run again, and their times are taken. Raises InputError as check_data does.
    """
    sizes = check_data(study)
    wanted = cells(study)
    done = {row["cell"] for row in rows if row["status"] in RESULTS}
    missing = [cell for cell in wanted if cell.id not in done]
    planned = trajectories(missing)
    trainings: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    for trajectory in planned:
        first = trajectory.segments[0]
        if first.own:
            trainings[OWN] += 1
            continue
        examples = extent.examples(first.recipe, sizes[first.dataset])
        for training, taken in _trainings(trajectory, examples):
            trainings[training] += taken > 0
            steps[training] += taken
    assumed = times.Measured(rows, times.Estimated(sizes))
    at_once = max(1, workers // study.cpus)
    seconds, longest, unknown = _times(planned, at_once, assumed)
    family = primary_family(study)
    level = study.alpha / family if family else study.alpha
    return Forecast(
        evaluated=len(wanted),
        done=len(wanted) - len(missing),
        trainings=trainings,
        steps=steps,
        seconds=seconds,
        longest=longest,
        unknown=unknown,
        workers=workers,
        measured=bool(rows),
        family=family,
        fewest_seeds=families.fewest_seeds(study.alpha, max(family, 1)),
        detectable={sd: power.detectable_difference(len(study.seeds), sd, level) for sd in sds},
        costs=costs(study, assumed),
    )


def _times(
    planned: Sequence[Trajectory], workers: int, assumed: times.Measured
) -> tuple[float | None, float | None, str | None]:
    """Forecast's seconds, longest and unknown."""
    if not planned:
        return 0.0, 0.0, None
    try:
        simulated = times.START_S + simulate(planned, workers, assumed).makespan_s
        return simulated, times.START_S + critical_path(planned, assumed), None
    except times.UnknownCost as unknown:
        return None, None, unknown.model


def _trainings(trajectory: Trajectory, examples: int) -> Iterator[tuple[str, int]]:
    """The kind of each training in a trajectory, and how many steps it has."""
    last = trajectory.segments[-1]
    yield "float", extent.float_steps(last.recipe, examples, last.budget)
    for segment in trajectory.segments:
        for fork in segment.forks:
            if fork.extras:
                yield (
                    fork.training,
                    extent.fork_steps(fork.recipe, examples, segment.budget, fork.extras[-1]),
                )


def primary_family(study: Study) -> int:
    """Tests in the primary family: each primary contrast at every budget, where the factors that
    reach it have their baseline or the study declares otherwise, and the primary effects."""
    return sum(primary_sizes(study).values())


def primary_sizes(study: Study) -> dict[str, int]:
    """Tests in the primary family, by contrast (by `factor: contrast` for effects)."""
    sizes: dict[str, int] = {}
    for name in study.primary_contrasts:
        sizes[name] = sum(_settings(study, name, place) for place in designs.places(study))
    known: set[object] = set()
    for effect in study.primary_effects:
        # Those that are equal by construction are one.
        found = set(effects.tests(study, effect)) - known
        known |= found
        sizes[str(effect)] = len(found)
    return sizes


def _settings(study: Study, contrast: str, place: tuple[str, str, int]) -> int:
    """At how many settings there a contrast is primary."""
    arms = effects.arms_of(study, contrast)
    return designs.count(study, arms, *place, lambda f, level: study.is_primary_at({f: level}))


def describe(study: Study, made: Forecast, sd_source: str) -> str:
    """A forecast in a few lines of plain text. sd_source: where the SDs come from."""
    left = made.evaluated - made.done
    lines = [
        heading(study),
        f"{made.evaluated} models to evaluate: {len(study.seeds)} seeds, {_trained(study)}, "
        f"arms {_listed(study.arms)}",
    ]
    if study.pipeline is not None:
        lines += _of_pipeline(study, study.pipeline, made)
    elif study.own:
        lines.append(
            f"models: {_where(study, study.models)}; data: {_where(study, study.datasets)}"
        )
    if 0 in study.budgets:
        lines.append(PRETRAINED)
    lines += [
        f"{factor} does not reach {model}, which has no {FACTORS[factor].lacking}: computed once"
        for factor, model in study.out_of_reach
    ]
    lines += _reserved(study)
    if made.done:
        lines.append(f"{made.done} of them are there already, {left} are missing")
    lines += [
        f"  {made.trainings[kind]:>6,} {kind:<18} {made.steps[kind]:>11,} optimizer steps"
        for kind in TRAININGS
        if made.trainings[kind]
    ]
    if made.unknown is not None and study.pipeline is not None:
        lines.append(
            f"no estimate of the time: what {study.pipeline.file} takes is not known before it "
            "runs; `check` measures it, and so do the first cells"
        )
    elif made.unknown is not None:
        lines.append(
            f"no estimate of the time: COST is missing in the file of the model {made.unknown}; it "
            "is measured after the first cells"
        )
    if left and made.seconds is not None and made.longest is not None:
        lines.append(
            f"estimated time: {_rough(made.seconds)} on {made.workers} CPUs, "
            f"{_rough(made.longest)} on any number ("
            + (
                "simulated with the times of the run that is there)"
                if made.measured
                else "from step times measured on one kind of machine; yours may take half or "
                "twice that)"
            )
        )
    lines += _costs(study, made.costs)
    if not made.family:
        return "\n".join([*lines, "no primary contrast: nothing is tested in a family"])
    n, each = len(study.seeds), f"alpha = {study.alpha:g}/{made.family} each"
    if n < made.fewest_seeds:
        lines.append(
            f"too few seeds: no outcome of the exact test could be significant in a primary family "
            f"of {made.family} tests ({each}); that takes {made.fewest_seeds} seeds"
        )
    if made.detectable:
        lines.append(
            f"smallest true difference that {n} seeds detect with 80% power, in a primary family "
            f"of {made.family} tests ({each}):"
        )
    unit = study.declared_metrics()[0].unit
    for sd, difference in made.detectable.items():
        shown = "" if difference is None else f"{difference:.2f}"
        if difference is not None and unit != "pp":
            shown = f"{difference:.3g}"
        found = f"{shown} {unit}" if shown else "not with one seed"
        if difference is not None and difference > 100 and unit == "pp":
            found = "none"
        lines.append(f"  {found:>10} if the SD over seeds is {sd:.2g} {unit}")
    return "\n".join([*lines, f"SDs over seeds of a paired difference: {sd_source}"])


def _trained(study: Study) -> str:
    more = [name for name in study.arms if study.arm(name).extra]
    if study.pipeline is None:
        said = f"float {amounts(study.budgets, study.budget_unit)}"
        each = amounts(study.extra, study.extra_unit)
        return f"{said}, QAT and controls {each} more" if more else said
    said = f"budgets {_listed(study.budgets)}"
    return f"{said}, {_listed(tuple(more))} {_listed(study.extra)} more" if more else said


def _of_pipeline(study: Study, pipeline: OwnPipeline, made: Forecast) -> Iterator[str]:
    """What runs of somebody's whole pipeline, and what its results are compared with."""
    data = study.own[study.models[0]].data
    if data is None:
        judged = f"labels of {_listed(study.datasets)} (built in or a file)"
    elif pipeline.labels:
        judged = f"labels of {data}()"
    else:
        judged = "no labels: its arms give metrics by name"
    what = "commands" if pipeline.kind == "command" else "a whole pipeline"
    yield f"{what} (in {pipeline.file}); {judged}"
    if made.trainings[OWN] and pipeline.kind == "functions":
        yield f"  {made.trainings[OWN]:>6,} starts, from each of which its arms fork"


def _costs(study: Study, found: Mapping[str, Cost]) -> Iterator[str]:
    """Each list, the dearest first: what would not run with the first of it alone."""
    if not found:
        return
    how = "each combination runs" if study.design == "crossed" else "one list at a time"
    yield f"what each list costs beyond its base, all seeds ({how}):"
    for name, cost in sorted(found.items(), key=lambda each: -each[1].models):
        if name == RECIPE:
            name, values = "recipes", len(study.recipes)
        else:
            values = len(getattr(study, name))
        minutes = "" if cost.cpu_s is None else f", {cost.cpu_s / 60:,.1f} CPU minutes"
        yield (
            f"  {name} ({values}): {cost.trainings:,} trainings, {cost.models:,} models{minutes}"
        )


def _reserved(study: Study) -> list[str]:
    """What each task reserves, where the study asks for more than one CPU; its time limit."""
    said = [] if study.resources == Resources() else [f"each task reserves {study.resources}"]
    if study.timeout is not None:
        said.append(f"a task may take {duration(study.timeout)}")
    return ["; ".join(said)] if said else []


def _where(study: Study, names: tuple[str, ...]) -> str:
    """Models or data, and which of them are somebody's own."""
    return ", ".join(
        f"{name} (in {study.own[name].file})" if name in study.own else f"{name} (built in)"
        for name in names
    )


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values))


def _rough(seconds: float) -> str:
    if seconds < 90:
        return f"about {5 * ceil(seconds / 5)} s"
    if seconds < 5400:
        return f"about {ceil(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
