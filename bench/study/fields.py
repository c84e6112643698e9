"""A study: the fields of its TOML file and all of their validation.

A factor's field comes from its row in study.factors.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import tomli_w
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from bench import datasets as known_datasets
from bench import models as known_models
from bench.errors import InputError, nearest
from bench.metrics import Metric, Task
from bench.study import effects, guess, objective
from bench.study.annotations import (
    ListOf,
    NonNegative,
    as_tuple,
    ascending,
    each_once,
    seeds_of,
    tuple_or_none,
)
from bench.study.arms import ARMS, CONTRASTS, PRIMARY, Arm, Contrast, contrasts_of
from bench.study.data import Reading
from bench.study.designs import Design, check_base, check_size
from bench.study.diagnosing import Diagnosing
from bench.study.effects import Effect
from bench.study.factors import (
    FACTORS,
    RANDOMNESS,
    REPLICATES,
    Count,
    CountOrZero,
    Factor,
    Value,
    of_arms,
)
from bench.study.guess import Guessing
from bench.study.objective import Objective
from bench.study.parts import OwnPart, check_budgets
from bench.study.pipeline import OwnArm, OwnPipeline
from bench.study.recipes import Recipes, completed
from bench.study.resources import Reserving
from bench.study.sequential import Sequential
from bench.study.units import NAMES as UNITS
from bench.study.units import Counting

Stream = Literal["initialization", "order", "calibration", "augmentation", "dropout"]


def _levels(factor: Factor) -> Any:
    """The annotation of a factor's field: its levels, each once."""

    def read(value: Any) -> Any:
        return tuple(None if v == factor.none else v for v in as_tuple(value))

    level = factor.level if factor.none is None else Optional[factor.level]  # noqa: UP045
    levels: Any = tuple.__class_getitem__((level, ...))
    return Annotated[levels, BeforeValidator(read), AfterValidator(each_once)]


if TYPE_CHECKING:

    class _Factors(Reserving, Guessing, Diagnosing, Reading, Counting): ...
else:
    _Factors = create_model(
        "_Factors",
        __base__=(Reserving, Guessing, Diagnosing, Reading, Counting),
        **{name: (_levels(factor), (factor.default,)) for name, factor in FACTORS.items()},
    )


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
    pipeline: OwnPipeline | None = None
    datasets: ListOf[str] = ("digits",)
    models: ListOf[str] = ("bncnn",)
    seeds: Annotated[
        tuple[NonNegative, ...], BeforeValidator(seeds_of), AfterValidator(each_once)
    ] = tuple(range(20))
    budgets: Annotated[ListOf[CountOrZero], AfterValidator(ascending)] = (1, 2, 4, 8)
    extra: Annotated[ListOf[Count], AfterValidator(ascending)] = (1,)
    arms: ListOf[str] = tuple(ARMS)
    pin: dict[Stream, NonNegative] = Field(default={})
    design: Design = "crossed"
    recipes: Recipes = ()
    task: Task | None = None
    loss: objective.Loss = None
    metrics: Annotated[ListOf[str], AfterValidator(objective.known_metrics)] = ("accuracy",)

    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    delta: objective.Delta = objective.DELTA
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

    @model_validator(mode="before")
    @classmethod
    def _delta_of_the_metric(cls, fields: Any) -> Any:
        return objective.with_default_delta(fields) if isinstance(fields, dict) else fields

    @model_validator(mode="after")
    def _of_one_task(self) -> "Study":
        self.objective  # noqa: B018
        return self

    @field_validator("arms")
    @classmethod
    def _arms(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        pipeline: OwnPipeline | None = info.data.get("pipeline")
        known = ARMS if pipeline is None else pipeline.arms
        for name in value:
            if name not in known:
                raise InputError("arms", f"no arm {name!r}", nearest(name, known))
        return tuple(name for name in known if name in value)

    @model_validator(mode="after")
    def _pretrained(self) -> "Study":
        check_budgets(self.budgets, self.models, self.own)
        return self

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
        self.by_recipe  # noqa: B018
        for name in self.primary or ():
            effects.check(self, name, "primary")
        guess.check(self)
        return self

    @model_validator(mode="after")
    def _baseline(self) -> "Study":
        for name in (*self.primary_over, *self.baseline):
            if name not in self.factors or name in REPLICATES:
                where = "baseline" if name in self.baseline else "primary_over"
                raise InputError(where, f"no factor {name!r}", nearest(name, self.factors))
        for name, level in self.baseline.items():
            shown = [self.factors[name].shown(each) for each in self.levels(name)]
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
    def _design(self) -> "Study":
        check_base(self)
        check_size(self)
        return self

    def arm(self, name: str) -> Arm | OwnArm:
        """What an arm of this study is."""
        return ARMS[name] if self.pipeline is None else self.pipeline.arms[name]

    @property
    def all_arms(self) -> Collection[str]:
        """The names of all arms that this study could have, in their order."""
        return ARMS if self.pipeline is None else self.pipeline.arms

    @property
    def factors(self) -> Mapping[str, Factor]:
        """All factors that this study knows, by name, in the table's order."""
        return FACTORS if self.pipeline is None else self.pipeline.all_factors

    def of_arms(self, *arms: str) -> tuple[str, ...]:
        """The names of the factors that reach any of these arms, whatever the model."""
        if self.pipeline is not None:
            return self.pipeline.reaching(*arms)
        return of_arms(*arms, calibrated=self.levels("qat_ranges_start") != ("cold",))

    @property
    def objective(self) -> Objective:
        """What the models are trained for and measured by."""
        return objective.of(self.task, self.loss, self.metrics)

    def declared_metrics(self, stored: Collection[Metric] = ()) -> tuple[Metric, ...]:
        """The metrics with their smallest differences that matter; stored: metrics.json's, of
        metrics of somebody's own whose file is not there. Raises InputError for an unknown one."""
        return objective.declared(self.metrics, self.delta, stored)

    def delta_of(self, metric: str) -> float | None:
        """The smallest difference of a metric that matters, in its unit, as this study says it;
        None where it does not: the metric's own then holds."""
        if isinstance(self.delta, Mapping):
            return self.delta.get(metric)
        return self.delta if metric == self.metrics[0] else None

    def levels(self, factor: str) -> tuple[Value, ...]:
        """The levels of a factor in this study, in its order."""
        by_recipe = self.by_recipe
        if by_recipe and factor in next(iter(by_recipe.values())):
            return tuple(dict.fromkeys(levels[factor] for levels in by_recipe.values()))
        own = None if self.pipeline is None else self.pipeline.levels(factor)
        levels: tuple[Value, ...] = getattr(self, factor) if own is None else own
        return levels

    @property
    def by_recipe(self) -> dict[str, dict[str, Value]]:
        """Recipe -> the level of each factor that recipes name; the first is the base."""
        own = {name: getattr(self, name) for name in FACTORS}
        return completed(self.recipes, own) if self.recipes else {}

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
        if factor in self.baseline and factor != RANDOMNESS:
            declared = self.baseline[factor]
            return None if declared == self.factors[factor].none else declared
        default = self.factors[factor].default
        return default if default in levels or factor == RANDOMNESS else levels[0]

    @property
    def out_of_reach(self) -> tuple[tuple[str, str], ...]:
        """(factor, model) where a factor varies, but the model has nothing that it acts on."""
        return tuple(
            (name, model)
            for name, factor in FACTORS.items()
            for model in self.models
            if self.pipeline is None
            and factor.concerns
            and len(self.levels(name)) > 1
            and not self.has(model, name)
        )

    def reaching(self, *arms: str, model: str) -> tuple[str, ...]:
        """The factors that reach any of these arms of a model, in the table's order."""
        return tuple(name for name in self.of_arms(*arms) if self.has(model, name))

    def has(self, model: str, factor: str) -> bool:
        """Has a model what a factor is about? Of somebody's own model the study itself says it:
        results can be read without their file."""
        if self.pipeline is not None:
            return True
        if model in self.own:
            return factor not in self.own[model].lacks
        concerns = FACTORS[factor].concerns
        return concerns is None or concerns(model)

    def is_primary_at(self, held: Mapping[str, Value]) -> bool:
        """Are the primary contrasts primary where these factors have these levels?"""
        if held.get(RANDOMNESS, "all") != "all":
            return False  # nothing is tested where a source of it is pinned
        anywhere = {*self.primary_over, *self.in_recipes, RANDOMNESS}
        return all(
            name in anywhere or name not in self.factors or level == self.baseline_of(name)
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
    def known_contrasts(self) -> Mapping[str, Contrast]:
        """By name; of a whole pipeline of somebody's own those that its file asks for."""
        return CONTRASTS if self.pipeline is None else {c.name: c for c in self._of_pipeline[0]}

    @property
    def _of_pipeline(self) -> tuple[tuple[Contrast, ...], tuple[str, ...]]:
        assert self.pipeline is not None
        where = f"{self.pipeline.file}, contrasts"
        return contrasts_of(tuple(self.pipeline.arms), self.pipeline.contrasts, where)

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """The contrasts whose two arms the study has."""
        return tuple(c for c in self.known_contrasts.values() if {c.a, c.b} <= set(self.arms))

    @property
    def primary_contrasts(self) -> tuple[str, ...]:
        """The declared primary family; by default PRIMARY, as far as the arms allow, or what the
        rule for tables makes primary of a pipeline's arms."""
        return tuple(c.name for c in self.contrasts if c.name in self._declared)

    @property
    def _declared(self) -> tuple[str, ...]:
        """What is primary, as declared; of a guess, what decides it."""
        if self.primary is not None:
            return self.primary
        if self.decides is not None:
            return (self.decides,)
        return PRIMARY if self.pipeline is None else self._of_pipeline[1]

    @property
    def primary_effects(self) -> tuple[Effect, ...]:
        """The effects that the study declares primary."""
        found = (effects.parsed(name)[0] for name in self._declared)
        return tuple(effect for effect in found if effect is not None)

    def to_toml(self, folder: Path | None = None) -> str:
        """The study as a TOML file that `load` reads back to an equal study; folder: where the file
        is to lie, since relative paths start from there."""
        plain = set() if self.adapted else {"adapted"}
        if not self.audio.front_end.changed():
            plain.add("audio")
        plain |= {name for name in UNITS if getattr(self, name) == "epochs"}
        fields = self.model_dump(mode="json", exclude_none=True, exclude=plain)
        if folder is not None:
            fields["datasets"] = [known_datasets.seen_from(name, folder) for name in self.datasets]
        if self.seeds == tuple(range(len(self.seeds))):
            fields["seeds"] = len(self.seeds)
        fields["recipes"] = [recipe.as_table() for recipe in self.recipes] or {}
        for name, factor in FACTORS.items():
            fields[name] = [factor.shown(level) for level in getattr(self, name)]
            if self.pipeline is not None and name not in self.of_arms(*self.pipeline.arms):
                del fields[name]
        first = ("title", "datasets", "models", "seeds", "budgets", "extra", "arms")
        order = dict.fromkeys((*first, *fields))
        return tomli_w.dumps(
            {name: fields[name] for name in order if fields[name] != {} or name == "delta"}
        )
