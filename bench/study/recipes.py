"""The field `recipes`: levels of several factors that go together, under one name.

Rows carry the factors alone: which recipe a cell is of follows from its levels and the study.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from bench.errors import InputError, nearest
from bench.study.factors import FACTORS, Value

_NAME = re.compile(r"[\w][\w .+/=%×-]{0,59}")
"""It stands in sentences and tables."""


class NamedRecipe(BaseModel):
    """levels: of the factors that it names; of the others those of the first recipe hold, else the
    study's."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    name: str
    levels: dict[str, Value]

    def as_table(self) -> dict[str, Any]:
        """As a study writes it."""
        shown = {name: FACTORS[name].shown(level) for name, level in self.levels.items()}
        return {"name": self.name, **shown}


def _read(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise InputError("recipes", f"found {value!r:.60}", "allowed: tables, [[recipes]]")
    return tuple(each if isinstance(each, NamedRecipe) else _of_table(each) for each in value)


def _of_table(table: Any) -> NamedRecipe:
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise InputError(
            "recipes", f"found {table!r:.60}", "allowed: a table with a name, and levels of factors"
        )
    name = table["name"].strip()
    if not _NAME.fullmatch(name):
        raise InputError(
            "recipes",
            f"the name {name!r:.80}",
            "allowed: letters, digits, blanks and . + - / = % ×",
        )
    levels: dict[str, Value] = {}
    for field, written in table.items():
        if field == "name":
            continue
        where = f"recipes.{name}.{field}"
        if field not in FACTORS:
            raise InputError(where, "no factor of this name", nearest(field, FACTORS))
        factor = FACTORS[field]
        if factor.none is not None and written == factor.none:
            levels[field] = None
            continue
        try:
            levels[field] = TypeAdapter(factor.level).validate_python(written, strict=True)
        except ValidationError as error:
            problem = error.errors()[0]["msg"].removeprefix("Input should be ")
            raise InputError(where, f"found {written!r}", f"allowed: {problem}") from None
    return NamedRecipe(name=name, levels=levels)


def _told_apart(recipes: tuple[NamedRecipe, ...]) -> tuple[NamedRecipe, ...]:
    names = [recipe.name for recipe in recipes]
    for name in names:
        if names.count(name) > 1:
            raise InputError("recipes", f"{name!r} stands twice", "allowed: each name once")
    if len(recipes) == 1:
        raise InputError("recipes", "one recipe", "allowed: two or more, the first is the base")
    return recipes


Recipes = Annotated[tuple[NamedRecipe, ...], BeforeValidator(_read)]


def completed(recipes: tuple[NamedRecipe, ...], levels: Mapping[str, tuple[Value, ...]]) -> dict[
    str, dict[str, Value]
]:  # fmt: skip
    """Recipe -> the level of every factor that any recipe names, in the table's order.

    levels: of each factor, as the study's own field has them. Raises InputError if a factor that
    recipes name is a list as well, or if two recipes are the same.
    """
    _told_apart(recipes)
    named = [name for name in FACTORS if any(name in recipe.levels for recipe in recipes)]
    for name in named:
        if len(levels[name]) > 1:
            raise InputError(
                name, "a list, and recipes name it too", "allowed: one value, or no recipe with it"
            )
    made: dict[str, dict[str, Value]] = {}
    for recipe in recipes:
        found = {
            name: recipe.levels.get(name, recipes[0].levels.get(name, levels[name][0]))
            for name in named
        }
        same = next((other for other in made if made[other] == found), None)
        if same is not None:
            raise InputError(
                "recipes", f"{same!r} and {recipe.name!r} are the same", "allowed: unlike recipes"
            )
        made[recipe.name] = found
    return made
