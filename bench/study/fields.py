"""A study: the fields of its TOML file and all of their validation.

A new factor is a field here (its default keeps the identity of all cells that exist), a column
in schema.FACTORS, and its one use in the pipelines.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bench import datasets as known_datasets
from bench import models as known_models
from bench.errors import InputError, nearest
from bench.study.arms import ARMS, CONTRASTS, PRIMARY, Contrast

SHIPPED = Path(__file__).parent / "shipped"
Stream = Literal["initialization", "order", "calibration"]

T = TypeVar("T")


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise ValueError("empty list; allowed: at least one value")
    twice = next((v for i, v in enumerate(values) if v in values[:i]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} stands twice; allowed: each value once")
    return values


def _ascending(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(values))


def _tuple_or_none(value: Any) -> Any:
    return None if value is None else _tuple(value)


def _seeds(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f"found {value}; allowed: at least 1 seed, or a list of seeds")
        return tuple(range(value))
    return _tuple(value)


def _all_is_none(values: Any) -> Any:
    return tuple(None if v == "all" else v for v in _tuple(values))


Natural = Annotated[int, Field(ge=1)]
NonNegative = Annotated[int, Field(ge=0)]
ListOf = Annotated[tuple[T, ...], BeforeValidator(_tuple), AfterValidator(_each_once)]


class Sequential(BaseModel):
    """Seeds are added until the primary contrasts are clear; the looks are fixed beforehand.

    looks: numbers of seeds at which the data are looked at; the last is the declared maximum,
    unless `every` says that looks go on from there without one, each so many seeds later.
    half_width: pp; a contrast is clear when its interval is that narrow. None: when it is decided.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    looks: Annotated[
        tuple[Annotated[int, Field(ge=2)], ...],
        BeforeValidator(_tuple),
        AfterValidator(_each_once),
        AfterValidator(_ascending),
    ]
    every: Natural | None = None
    half_width: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    def look_after(self, seeds: int) -> int | None:
        """The first look at more than `seeds` seeds; None past the declared maximum."""
        later = next((look for look in self.looks if look > seeds), None)
        if later is None and self.every is not None:
            steps = (seeds - self.looks[-1]) // self.every + 1
            return self.looks[-1] + steps * self.every
        return later


class Study(BaseModel):
    """A validated study. Lists may be written as a single value; every list is a factor."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    title: str = ""
    datasets: ListOf[str] = ("digits",)
    models: ListOf[str] = ("bncnn",)
    seeds: Annotated[
        tuple[NonNegative, ...], BeforeValidator(_seeds), AfterValidator(_each_once)
    ] = tuple(range(20))
    budgets: Annotated[ListOf[Natural], AfterValidator(_ascending)] = (1, 2, 4, 8)
    extra: Annotated[ListOf[Natural], AfterValidator(_ascending)] = (1,)
    arms: ListOf[str] = tuple(ARMS)

    train_examples: Annotated[
        tuple[Natural | None, ...], BeforeValidator(_all_is_none), AfterValidator(_each_once)
    ] = (None,)
    batch_size: ListOf[Natural] = (32,)
    optimizer: ListOf[Literal["adam", "rmsprop", "sgd"]] = ("adam",)
    learning_rate: ListOf[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = (0.001,)
    calibration_examples: ListOf[Natural] = (200,)
    pin: dict[Stream, NonNegative] = {}

    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    delta: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    sequential: Sequential | None = None
    primary: Annotated[tuple[str, ...] | None, BeforeValidator(_tuple_or_none)] = None

    @field_validator("datasets")
    @classmethod
    def _datasets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            known_datasets.check_name(name, "datasets")
        _each_once(tuple(known_datasets.label(name) for name in value))
        return value

    @field_validator("models")
    @classmethod
    def _models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            known_models.check(name, "models")
        return value

    @field_validator("arms")
    @classmethod
    def _arms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in ARMS:
                raise InputError("arms", f"no arm {name!r}", nearest(name, ARMS))
        return tuple(name for name in ARMS if name in value)

    @model_validator(mode="after")
    def _enough_seeds(self) -> "Study":
        if self.sequential and not self.sequential.every:
            maximum = self.sequential.looks[-1]
            if len(self.seeds) < maximum:
                raise InputError(
                    "seeds",
                    f"found {len(self.seeds)}, but the last look is at {maximum}",
                    f"allowed: at least {maximum}",
                )
        return self

    @model_validator(mode="after")
    def _primary(self) -> "Study":
        for name in self.primary or ():
            if name not in CONTRASTS:
                raise InputError("primary", f"no contrast {name!r}", nearest(name, CONTRASTS))
            contrast = CONTRASTS[name]
            for arm in (contrast.a, contrast.b):
                if arm not in self.arms:
                    raise InputError(
                        "primary", f"{name!r} needs the arm {arm!r}", "allowed: arms of the study"
                    )
        return self

    def with_seeds(self, n: int) -> "Study":
        """The same with its first n seeds; past the last one it counts on from the largest."""
        later = range(max(self.seeds) + 1, max(self.seeds) + 1 + n - len(self.seeds))
        return self.model_copy(update={"seeds": (*self.seeds, *later)[:n]})

    @property
    def at_first_look(self) -> "Study":
        """What runs before the data are looked at: all of it, unless seeds are added by looks."""
        return self.with_seeds(self.sequential.looks[0]) if self.sequential else self

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """The contrasts whose two arms the study has."""
        return tuple(c for c in CONTRASTS.values() if {c.a, c.b} <= set(self.arms))

    @property
    def primary_contrasts(self) -> tuple[str, ...]:
        """The declared primary family; by default PRIMARY, as far as the arms allow."""
        declared = PRIMARY if self.primary is None else self.primary
        return tuple(c.name for c in self.contrasts if c.name in declared)

    def to_toml(self) -> str:
        """The study as a TOML file that `load` reads back to an equal study."""
        fields = self.model_dump(mode="json", exclude_none=True)
        if self.seeds == tuple(range(len(self.seeds))):
            fields["seeds"] = len(self.seeds)
        fields["train_examples"] = ["all" if n is None else n for n in self.train_examples]
        return tomli_w.dumps(fields)


def shipped() -> dict[str, Path]:
    """The studies inside the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load(source: str, overrides: Sequence[str] = ()) -> Study:
    """Read and validate a study: a TOML file, or the name of a shipped one.

    overrides: `field=value`, the value in TOML's syntax or a bare word.
    Raises InputError naming the file or field, what was found, and what is allowed.
    """
    path = shipped().get(source, Path(source))
    if not path.is_file():
        raise InputError(
            "study",
            f"no file {source!r}",
            f"a path of a TOML file, or a shipped study: {nearest(source, shipped())}",
        )
    try:
        fields = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(source, str(error), "allowed: a TOML file") from None
    for override in overrides:
        _override(fields, override)
    return validate(fields, source)


def validate(fields: dict[str, Any], source: str) -> Study:
    """A study of these fields. Raises InputError that names every field that is wrong."""
    try:
        return Study.model_validate(fields)
    except ValidationError as error:
        problems = [_explain(dict(e)) for e in error.errors()]
        raise InputError(f"{source}", "\n".join(problems), "nothing was run") from None


def _override(fields: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError("--set", repr(override), "allowed: field=value, such as seeds=30")
    value = _plain_value(text.strip())
    *tables, field = key.strip().split(".")
    for table in tables:
        fields = fields.setdefault(table, {})
        if not isinstance(fields, dict):
            raise InputError("--set", repr(override), f"{table} is no table")
    fields[field] = value


def _plain_value(text: str) -> Any:
    """A value in TOML's syntax, else a bare word, or a list of them: arms=[float,ptq]."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if text.startswith("[") and text.endswith("]"):
            return [_plain_value(part.strip()) for part in text[1:-1].split(",")]
        return text


def _explain(problem: dict[str, Any]) -> str:
    """One of pydantic's errors as `field: found; allowed`."""
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown field; {nearest(where, Study.model_fields)}"
    if cause is not None:
        return f"{where}: {cause}"
    allowed = problem["msg"].removeprefix("Input should be ")
    return f"{where}: found {problem['input']!r}; allowed: {allowed}"
