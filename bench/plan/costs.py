"""What each list of a study costs: what would not run if only its first value were there."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.plan.cells import cells
from bench.plan.simulate import Times
from bench.plan.times import UnknownCost
from bench.plan.trajectories import trajectories
from bench.study import Study
from bench.study.effects import RECIPE
from bench.study.factors import FACTORS

LISTS = {"datasets": "dataset", "models": "model", "budgets": "budget", "extra": "extra"}
"""Fields that may be lists beside the factors, and what one value is called."""


@dataclass(frozen=True)
class Cost:
    """trainings: float trajectories and what is trained behind their snapshots; models: evaluated
    files; cpu_s: CPU seconds of both, without tracing; None where nothing says what a model takes.
    """

    trainings: int
    models: int
    cpu_s: float | None

    def __sub__(self, other: "Cost") -> "Cost":
        seconds = None
        if self.cpu_s is not None and other.cpu_s is not None:
            seconds = self.cpu_s - other.cpu_s
        return Cost(self.trainings - other.trainings, self.models - other.models, seconds)


def costs(study: Study, times: Times) -> Mapping[str, Cost]:
    """By list that has several values (`recipe` for recipes): the whole study less the study with
    its base alone. They need not add up: in a full crossing, one's cost depends on the others."""
    varied = [name for name in LISTS if len(getattr(study, name)) > 1]
    varied += [name for name in FACTORS if name not in study.in_recipes]
    varied = [name for name in varied if len(getattr(study, name)) > 1]
    varied += [RECIPE] if study.recipes else []
    if not varied or study.pipeline is not None:  # of somebody's own nothing is shared or known
        return {}
    one = study.model_copy(update={"seeds": study.seeds[:1]})  # all seeds cost the same
    whole, n = total(one, times), len(study.seeds)
    found = {name: whole - total(_without(one, name), times) for name in varied}
    return {
        name: Cost(n * of.trainings, n * of.models, None if of.cpu_s is None else n * of.cpu_s)
        for name, of in found.items()
    }


def total(study: Study, times: Times) -> Cost:
    """Of everything that a study runs."""
    wanted = cells(study)
    planned = trajectories(wanted)
    pieces = [
        (segment, fork)
        for trajectory in planned
        for segment in trajectory.segments
        for fork in (None, *segment.forks)
    ]
    trained = len(planned) + sum(bool(fork and fork.extras) for _, fork in pieces)
    try:
        seconds: float | None = sum(times.seconds(*piece) for piece in pieces)
    except UnknownCost:
        seconds = None
    return Cost(trained, len({cell.id for cell in wanted}), seconds)


def _without(study: Study, name: str) -> Study:
    if name == RECIPE:
        base = {name: (level,) for name, level in next(iter(study.by_recipe.values())).items()}
        return study.model_copy(update={"recipes": (), **base})
    base_value = study.baseline_of(name) if name in FACTORS else getattr(study, name)[0]
    return study.model_copy(update={name: (base_value,)})
