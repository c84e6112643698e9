"""What a run finds in its result folder, and whether it may add to it."""

from datetime import UTC, datetime
from typing import Any

from bench import datasets
from bench.errors import InputError
from bench.plan.cells import Cell, cells
from bench.runner import environment
from bench.store.folder import Store
from bench.study import Study


def planned(study: Study, store: Store) -> dict[str, Cell]:
    """The cells to have before the next look at the data, by id."""
    return {cell.id: cell for cell in places(study, store)}


def places(study: Study, store: Store) -> list[Cell]:
    """All places of the study, one cell each: those of the first look, and those that later looks
    have called for, so that one of these that failed is tried again."""
    first = cells(study.at_first_look)
    if study.sequential is None:
        return first
    plan = _plan_before(store)
    if plan is None or not plan.num_rows:
        return first
    known, most = set(plan["cell"].to_pylist()), max(plan["seed"].to_pylist())
    seeds = len(study.seeds) + max(most - max(study.seeds), 0)
    asked = known - {cell.id for cell in first}
    return first + [cell for cell in cells(study.with_seeds(seeds)) if cell.id in asked]


def about(study: Study, store: Store) -> dict[str, Any]:
    """environment.json with this study's data. Raises InputError if the study may not be added to
    what is there."""
    found = store.environment()
    if "recipe" in found:  # of a version that did not identify data by content
        found.pop("recipe")
        found["data"] = {}
    found = {"data": {}, "environments": {}, "declared": []} | found
    before = _study_before(store)
    there = len(store.done())
    contents = {datasets.label(s): datasets.identity(s) for s in study.datasets}
    _check_same_data(store, found["data"], contents)
    if before is not None and there:
        _check_title(store, before, study)
        _check_looks(store, before, study)
    found["data"] |= contents
    _note_declared(found, before if there else None, study, there)
    revision = environment.git_revision()
    return found | ({"git": revision} if revision else {})


def _plan_before(store: Store) -> Any:
    """None too where it is damaged: the run writes it anew."""
    try:
        return store.plan()
    except InputError:
        return None


def _study_before(store: Store) -> Study | None:
    """None too where it is damaged: the run writes it anew."""
    try:
        return store.study()
    except InputError:
        return None


def _check_same_data(store: Store, known: dict[str, str], contents: dict[str, str]) -> None:
    for label, content in contents.items():
        if known and known.get(label) != content:
            found = (
                f"results of other data that are also called {label!r}"
                if label in known
                else f"results of {', '.join(map(repr, sorted(known)))}, not of {label!r}"
            )
            raise InputError(
                str(store.folder), found, "allowed: the same data, or another folder (--out)"
            )


def _check_title(store: Store, before: Study, study: Study) -> None:
    if before.title != study.title:
        raise InputError(
            str(store.folder),
            f"results of the study {before.title!r}, not of {study.title!r}",
            "allowed: the same title, or another folder (--out)",
        )


def _check_looks(store: Store, before: Study, study: Study) -> None:
    """What the first look has fixed stays: looks, level, margin and primary family."""
    if before.sequential is None and study.sequential is None:
        return
    names = ("sequential", "alpha", "delta", "primary", "primary_over", "baseline")
    changed = [
        f"{name} {_shown(getattr(before, name))} -> {_shown(getattr(study, name))}"
        for name in names
        if getattr(before, name) != getattr(study, name)
    ]
    if changed:
        raise InputError(
            str(store.folder),
            f"the looks at its data, and what they test, were fixed when its run started; changed: "
            f"{'; '.join(changed)}",
            "allowed: the same (--until, --max-seeds, alpha, delta, primary), or another folder "
            "(--out)",
        )


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if hasattr(value, "model_dump"):
        return ", ".join(f"{k}={v}" for k, v in value.model_dump(exclude_none=True).items())
    return str(value)


def _note_declared(found: dict[str, Any], before: Study | None, study: Study, there: int) -> None:
    """Keep what was declared, and when: a change after results were there is said in the report."""
    history = found["declared"]
    if not history and before is not None:
        history.append(_declaration(before) | {"at": None, "cells": 0})
    now = _declaration(study)
    last = {name: history[-1].get(name) for name in now} if history else None
    if last != now:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        history.append(now | {"at": at, "cells": there})


def _declaration(study: Study) -> dict[str, Any]:
    return {
        "alpha": study.alpha,
        "delta": study.delta,
        "primary": [*study.primary_contrasts, *(": ".join(e) for e in study.primary_effects)],
        "primary_over": list(study.primary_over),
    }
