"""A study: the fields of its TOML file and all of their validation.

A factor's field comes from its row in study.factors.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from bench import datasets as known_datasets
from bench import models as known_models
from bench.errors import InputError, nearest
from bench.study import effects
from bench.study.annotations import (
    ListOf,
    NonNegative,
    as_tuple,
    ascending,
    each_once,
    seeds_of,
    tuple_or_none,
)
from bench.study.arms import ARMS, CONTRASTS, PRIMARY, Contrast
from bench.study.designs import Design, count, places
from bench.study.effects import Effect
from bench.study.factors import FACTORS, Count, Factor, Value, of_arms
from bench.study.recipes import Recipes, completed
from bench.study.sequential import Sequential

Stream = Literal["initialization", "order", "calibration"]

MOST_CELLS = 10_000_000
"""More than any cluster would finish; a slip of the keyboard, that would fill the memory."""


def _levels(factor: Factor) -> Any:
    """The annotation of a factor's field: its levels, each once."""

    def read(value: Any) -> Any:
        return tuple(None if v == factor.none else v for v in as_tuple(value))

    level = factor.level if factor.none is None else Optional[factor.level]  # noqa: UP045
    levels: Any = tuple.__class_getitem__((level, ...))
    return Annotated[levels, BeforeValidator(read), AfterValidator(each_once)]


if TYPE_CHECKING:
    _Factors = BaseModel
else:
    _Factors = create_model(
        "_Factors",
        **{name: (_levels(factor), (factor.default,)) for name, factor in FACTORS.items()},
    )


class OwnPart(BaseModel):
    """What stands in a file of somebody's own, under one name: functions for a model and for data.

    lacks: factors that the model has nothing for.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    file: str
    model: str | None = None
    data: str | None = None
    lacks: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()


class Study(_Factors):
    """A validated study. Lists may be written as a single value; every list is varied.

    design: whether every combination of the lists runs, or one list at a time from the first of
    each; recipes: levels that go together, the first is the base; baseline: of a factor, the level
    that its effects are counted from; primary_over: factors at whose every level the primary
    contrasts are primary (else at the baseline alone; of recipes at each). adapted: does the title
    speak of other fields than these, since `--set` has changed them?
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    title: str = ""
    own: dict[str, OwnPart] = Field(default={})
    datasets: ListOf[str] = ("digits",)
    models: ListOf[str] = ("bncnn",)
    seeds: Annotated[
        tuple[NonNegative, ...], BeforeValidator(seeds_of), AfterValidator(each_once)
    ] = tuple(range(20))
    budgets: Annotated[ListOf[Count], AfterValidator(ascending)] = (1, 2, 4, 8)
    extra: Annotated[ListOf[Count], AfterValidator(ascending)] = (1,)
    arms: ListOf[str] = tuple(ARMS)
    pin: dict[Stream, NonNegative] = Field(default={})
    design: Design = "crossed"
    recipes: Recipes = ()

    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    delta: Annotated[float, Field(ge=0.001, le=100)] = 0.5
    sequential: Sequential | None = None
    primary: Annotated[tuple[str, ...] | None, BeforeValidator(tuple_or_none)] = None
    primary_over: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()
    baseline: dict[str, str | int | float] = Field(default={})
    adapted: bool = False

    @field_validator("datasets")
    @classmethod
    def _datasets(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        own: dict[str, OwnPart] = info.data.get("own", {})
        for name in value:
            if name not in own or own[name].data is None:
                known_datasets.check_name(name, "datasets")
        each_once(tuple(known_datasets.label(name) for name in value))
        return value

    @field_validator("models")
    @classmethod
    def _models(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        own: dict[str, OwnPart] = info.data.get("own", {})
        for name in value:
            if name not in own or own[name].model is None:
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
    def _recipes(self) -> "Study":
        if self.recipes:
            completed(self.recipes, self._own_levels)
        return self

    @model_validator(mode="after")
    def _primary(self) -> "Study":
        for name in self.primary or ():
            effects.check(self, name, "primary")
        return self

    @model_validator(mode="after")
    def _baseline(self) -> "Study":
        for name in (*self.primary_over, *self.baseline):
            if name not in FACTORS:
                where = "baseline" if name in self.baseline else "primary_over"
                raise InputError(where, f"no factor {name!r}", nearest(name, FACTORS))
        for name, level in self.baseline.items():
            shown = [FACTORS[name].shown(each) for each in self.levels(name)]
            if level not in shown:
                raise InputError(
                    f"baseline.{name}", f"found {level!r}", f"allowed: one of {shown}, its levels"
                )
            if name in self.in_recipes or (self.design != "crossed" and level != shown[0]):
                raise InputError(
                    f"baseline.{name}",
                    f"found {level!r}, but here the first is the base",
                    f"allowed: {shown[0]!r}, or leave it out",
                )
        return self

    @model_validator(mode="after")
    def _not_too_many(self) -> "Study":
        settings = sum(
            count(self, (arm,), *place, lambda *_: True) for place in places(self)
            for arm in self.arms
        )  # fmt: skip
        cells = len(self.seeds) * settings
        if cells > MOST_CELLS:
            raise InputError(
                "seeds, budgets, ...", f"{cells:,} models to evaluate", f"allowed: {MOST_CELLS:,}"
            )
        return self

    def levels(self, factor: str) -> tuple[Value, ...]:
        """The levels of a factor in this study, in its order."""
        by_recipe = self.by_recipe
        if by_recipe and factor in next(iter(by_recipe.values())):
            return tuple(dict.fromkeys(levels[factor] for levels in by_recipe.values()))
        own: tuple[Value, ...] = getattr(self, factor)
        return own

    @property
    def _own_levels(self) -> dict[str, tuple[Value, ...]]:
        return {name: getattr(self, name) for name in FACTORS}

    @property
    def by_recipe(self) -> dict[str, dict[str, Value]]:
        """Recipe -> the level of each factor that recipes name; the first is the base."""
        return completed(self.recipes, self._own_levels) if self.recipes else {}

    @property
    def in_recipes(self) -> set[str]:
        """Factors that recipes name."""
        return {name for recipe in self.recipes for name in recipe.levels}

    def baseline_of(self, factor: str) -> Value:
        """The level that effects are counted from: of recipes, and one list at a time, the first;
        else the declared one, the default where it is a level, the first."""
        levels = self.levels(factor)
        if self.design != "crossed" or factor in self.in_recipes:
            return levels[0]
        if factor in self.baseline:
            declared = self.baseline[factor]
            return None if declared == FACTORS[factor].none else declared
        default = FACTORS[factor].default
        return default if default in levels else levels[0]

    @property
    def out_of_reach(self) -> tuple[tuple[str, str], ...]:
        """(factor, model) where a factor varies, but the model has nothing that it acts on."""
        return tuple(
            (name, model)
            for name, factor in FACTORS.items()
            for model in self.models
            if factor.concerns and len(self.levels(name)) > 1 and not self._has(model, name)
        )

    def reaching(self, *arms: str, model: str) -> tuple[str, ...]:
        """The factors that reach any of these arms of a model, in the table's order."""
        return tuple(name for name in of_arms(*arms) if self._has(model, name))

    def _has(self, model: str, factor: str) -> bool:
        """Has a model what a factor is about? Of somebody's own model the study itself says it:
        results can be read without their file."""
        if model in self.own:
            return factor not in self.own[model].lacks
        concerns = FACTORS[factor].concerns
        return concerns is None or concerns(model)

    def is_primary_at(self, held: Mapping[str, Value]) -> bool:
        """Are the primary contrasts primary where these factors have these levels?"""
        anywhere = {*self.primary_over, *self.in_recipes}
        return all(
            name in anywhere or name not in FACTORS or level == self.baseline_of(name)
            for name, level in held.items()
        )

    def with_seeds(self, n: int) -> "Study":
        """The same with its first n seeds; where it has fewer, it counts on from the largest."""
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

    @property
    def primary_effects(self) -> tuple[Effect, ...]:
        """The effects that the study declares primary."""
        found = (effects.parsed(name)[0] for name in self.primary or ())
        return tuple(effect for effect in found if effect is not None)

    def to_toml(self, folder: Path | None = None) -> str:
        """The study as a TOML file that `load` reads back to an equal study; folder: where the file
        is to lie, since relative paths start from there."""
        plain = set() if self.adapted else {"adapted"}
        fields = self.model_dump(mode="json", exclude_none=True, exclude=plain)
        if folder is not None:
            fields["datasets"] = [known_datasets.seen_from(name, folder) for name in self.datasets]
        if self.seeds == tuple(range(len(self.seeds))):
            fields["seeds"] = len(self.seeds)
        fields["recipes"] = [recipe.as_table() for recipe in self.recipes] or {}
        for name, factor in FACTORS.items():
            fields[name] = [factor.shown(level) for level in self._own_levels[name]]
        first = ("title", "datasets", "models", "seeds", "budgets", "extra", "arms")
        order = dict.fromkeys((*first, *fields))
        return tomli_w.dumps({name: fields[name] for name in order if fields[name] != {}})


def validate(fields: dict[str, Any], source: str) -> Study:
    """A study of these fields. Raises InputError that names every field that is wrong."""
    try:
        return Study.model_validate(fields)
    except ValidationError as error:
        problems = [_explain(dict(e)) for e in error.errors()]
        raise InputError(f"{source}", "\n".join(problems), "nothing was run") from None


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
