"""data() and labels(): they run once, for all cells, so that no field can vary in them."""

from collections.abc import Container

from bench.errors import InputError
from bench.plugins import Own, blamed

OF_CELLS = ("seed", "budget", "dataset", "extra", "arm")
"""What differs between cells that share data."""


def check(own: Own, function: str, fields: Container[str]) -> None:
    """Raises InputError where a parameter has no default, or would get a field: what belongs to a
    cell, or what the study sets. Of another one the default holds."""
    with blamed(own, function):
        parameters = own.parameters(function)
    where = f"{own.name}, {function}()"
    elsewhere = "it runs once, for all cells: vary it in start(), an arm or model()"
    for name, must in parameters.items():
        if name in OF_CELLS:
            raise InputError(where, f"parameter {name!r}, which differs between cells", elsewhere)
        if name in fields:
            raise InputError(where, f"parameter {name!r}, a field that the study sets", elsewhere)
        if must:
            raise InputError(
                where, f"parameter {name!r}", "allowed: none without a default, since it runs once"
            )
