"""Metrics of somebody's own: `metrics = ["mae", my_metric]` in their file, or FILE.py:FUNCTION."""

import re
from collections.abc import Mapping
from typing import Any

from bench import metrics as built_in
from bench.errors import InputError
from bench.metrics import own as own_metrics
from bench.plugins import Own, Part, blamed

_NAME = r"[A-Za-z_]\w*"

REFERENCE = re.compile(rf"(?P<path>.+\.py|(?:.*/)?{_NAME}(?:\.{_NAME})*):(?P<function>{_NAME})")
"""A function of a file or of a module of a package, as a study names it."""

GIVEN = ("y", "outputs", "x")
"""What a metric's function may ask for."""

ALLOWED = 'allowed: metrics = ["mae", my_metric], names and functions of this file'


def references(own: Own, source: str) -> list[str] | None:
    """What a file sets as `metrics`, its functions as references; None where it sets nothing. Runs
    the file where one is a function. Raises InputError."""
    with blamed(own, "metrics"):
        found = own.value("metrics")
    if found is None:
        return None
    where = f"{own.name}, metrics"
    if not isinstance(found, list | tuple) or not found:
        raise InputError(where, f"found {found!r:.80}", ALLOWED)
    named = []
    for each in found:
        name = getattr(each, "__name__", None)
        if isinstance(each, str):
            named.append(each)
        elif callable(each) and name in own.names and getattr(own.module, name) is each:
            named.append(f"{source}:{name}")
        else:
            raise InputError(where, f"found {each!r:.80}", ALLOWED)
    return named


def part(own: Own, function: str) -> Part:
    """The function of a metric. Raises InputError."""
    if function not in own.names:
        raise InputError(own.name, f"no function {function!r}", "allowed: one that is in it")
    if function in built_in.names():
        raise InputError(
            own.name,
            f"{function!r} is also the name of a built-in metric",
            "allowed: another name of the function",
        )
    own.check_parameters(function, GIVEN)
    return Part(own, function)


def use(part: Part) -> dict[str, Any]:
    """Make a metric known in this process by its function's name. Returns what a study records of
    it. Runs the file; raises InputError where it does not say unit and direction."""
    with blamed(part.own, part.function):
        declared = own_metrics.declaration(part.function, part)
    own_metrics.use({part.function: own_metrics.OwnMetric(declared, part)})
    return {"file": part.own.name, "metric": part.function}


def check_loss(fields: Mapping[str, Any], own: Own) -> None:
    """Raises InputError where a study sets a loss beside a function of that name."""
    if "loss" in own.names and fields.get("loss") is not None:
        raise InputError(
            "loss", f"set, and {own.name} has a function loss()", "allowed: one of them"
        )
