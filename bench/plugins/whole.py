"""Whole pipelines of somebody's own that are known in this process, by the names in a study."""

from collections.abc import Iterable, Mapping

from bench.plugins import Own

_known: dict[str, Own] = {}


def use(pipelines: Mapping[str, Own]) -> None:
    """Make these known in this process."""
    _known.update(pipelines)


def get(name: str) -> Own:
    """The file of a pipeline. Raises KeyError where none of that name is known."""
    return _known[name]


def named(names: Iterable[str]) -> dict[str, Own]:
    """Those of these names that are pipelines'."""
    return {name: _known[name] for name in names if name in _known}
