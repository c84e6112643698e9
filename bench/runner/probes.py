"""What is tried before anything trains: every model, arm and data set once, on a few examples."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from bench.datasets import Dataset
from bench.errors import InputError
from bench.plan.cells import Cell
from bench.plan.trajectories import Fork, Segment, trajectories
from bench.runner.worker import Probed

EXAMPLES = 8
"""Of each split, that a model is tried on."""

Place = tuple[str, str, str]
"""Dataset, model, Cell.tried_as: what can or cannot be done, whatever the seed and the rest."""


def place(cell: Cell) -> Place:
    return cell.dataset, cell.model, cell.tried_as


@dataclass(frozen=True)
class Probe:
    """What one task tries: forks of one cell each, all of one model, one data set, and either float
    or quantized training."""

    dataset: str
    model: str
    pieces: tuple[tuple[Segment, Fork], ...]


def probes(wanted: Iterable[Cell]) -> list[Probe]:
    """One for each data set, model and kind of training: its arms share most of their graphs."""
    first: dict[Place, Cell] = {}
    for cell in wanted:
        first.setdefault(place(cell), cell)
    shared: dict[tuple[str, str, bool], list[tuple[Segment, Fork]]] = {}
    for cell in first.values():
        (segment,) = trajectories([cell])[0].segments
        (fork,) = segment.forks
        key = (cell.dataset, cell.model, fork.quantized)
        shared.setdefault(key, []).append((replace(segment, forks=()), fork))
    return [Probe(dataset, model, tuple(of)) for (dataset, model, _), of in shared.items()]


def few(data: Dataset) -> Dataset:
    """A data set with some examples of this one."""
    return replace(
        data,
        key=f"{data.key}/few",
        x_train=data.x_train[:EXAMPLES],
        y_train=data.y_train[:EXAMPLES],
        x_test=data.x_test[:EXAMPLES],
        y_test=data.y_test[:EXAMPLES],
        paths=data.paths[:EXAMPLES],
    )


def unsupported(found: Iterable[tuple[Probe, Probed]], arms: Collection[str]) -> dict[Place, str]:
    """Why an arm cannot be computed, for each that cannot.

    arms: all of the study. Raises InputError where none of them is left for a model.
    """
    why: dict[Place, str] = {}
    tried: dict[tuple[str, str], dict[str, list[Place]]] = {}
    for probe, probed in found:
        if probed.unusable:
            raise unusable(probe.model, probed.unusable)
        of_arms = tried.setdefault((probe.dataset, probe.model), {})
        for _, fork in probe.pieces:
            (cell,) = fork.cells
            of_arms.setdefault(cell.arm, []).append(place(cell))
        for arm, reason in probed.unsupported.items():
            why[probe.dataset, probe.model, arm] = reason
    for (dataset, model), of_arms in tried.items():
        if all(arm in of_arms and all(each in why for each in of_arms[arm]) for arm in arms):
            of_this = {key: why[key] for key in why if key[:2] == (dataset, model)}
            raise unusable(model, "; ".join(described(of_this)))
    return why


def check_momentum(found: Iterable[tuple[Probe, Probed]], wanted: Iterable[Cell]) -> None:
    """Raises InputError where cells set batch norm's momentum for a model without such layers: what
    its source does not show."""
    without = {
        (probe.dataset, probe.model)
        for probe, probed in found
        if not probed.batch_norms
        and len(probed.unsupported) + len(probed.unknown) < len(probe.pieces)
    }
    for cell in wanted:
        momentum = dict(cell.recipe.levels).get("batch_norm_momentum")
        if momentum is not None and (cell.dataset, cell.model) in without:
            raise InputError(
                "batch_norm_momentum",
                f"found {momentum}, but {cell.model} has no BatchNormalization layers",
                "allowed: leave it out",
            )


def described(why: Mapping[Place, str]) -> list[str]:
    """A line for each model and reason, with the arms that it keeps from being computed."""
    arms: dict[tuple[str, str, str], list[str]] = {}
    for (dataset, model, arm), reason in why.items():
        arms.setdefault((model, dataset, reason), []).append(arm)
    return [
        f"{', '.join(of)} not possible for {model} on {dataset}: {reason}"
        for (model, dataset, reason), of in arms.items()
    ]


def unusable(model: str, reason: str) -> InputError:
    """The error of a model that nothing can be done with."""
    return InputError(
        "models", f"{model}, {reason}", "allowed: a model of which the study can compute some arm"
    )
