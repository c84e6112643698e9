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
        return self.plus(other, -1)

    def plus(self, other: "Cost", times: int) -> "Cost":
        """This, and the other so many times."""
        seconds = None
        if self.cpu_s is not None and other.cpu_s is not None:
            seconds = self.cpu_s + times * other.cpu_s
        return Cost(
            self.trainings + times * other.trainings, self.models + times * other.models, seconds
        )


def costs(study: Study, times: Times) -> Mapping[str, Cost]:
    """By list that has several values (`recipe` for recipes): the whole study less the study with
    its base alone. They need not add up: in a full crossing, one's cost depends on the others."""
    varied = [name for name in LISTS if len(getattr(study, name)) > 1]
    varied += [name for name in FACTORS if name not in study.in_recipes]
    varied = [name for name in varied if len(getattr(study, name)) > 1]
    varied += [RECIPE] if study.recipes else []
    if not varied or study.pipeline is not None:  # of somebody's own nothing is shared or known
        return {}
    whole = _of_all_seeds(study, times)
    return {name: whole - _of_all_seeds(_without(study, name), times) for name in varied}


def _of_all_seeds(study: Study, times: Times) -> Cost:
    """`total`, without planning all seeds: each behind the first costs what the second does, less
    than the first where their streams are pinned alike."""
    first = total(study.with_seeds(1), times)
    if len(study.seeds) == 1:
        return first
    return first.plus(total(study.with_seeds(2), times) - first, len(study.seeds) - 1)


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
