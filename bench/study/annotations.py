"""What a field of a study may be written as: single values as lists, each value once."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

MOST_SEEDS = 100_000

T = TypeVar("T")


def as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise ValueError("empty list; allowed: at least one value")
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} stands twice; allowed: each value once")
        seen.add(value)
    return values


def ascending(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(values))


def tuple_or_none(value: Any) -> Any:
    return None if value is None else as_tuple(value)


def seeds_of(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MOST_SEEDS:
            raise ValueError(
                f"found {value}; allowed: at least 1 seed, at most {MOST_SEEDS:,}, "
                "or a list of seeds"
            )
        return tuple(range(value))
    return as_tuple(value)


NonNegative = Annotated[int, Field(ge=0, lt=2**63)]
ListOf = Annotated[tuple[T, ...], BeforeValidator(as_tuple), AfterValidator(each_once)]
