"""A study of somebody's whole pipeline: arms that are functions of their file, or commands.

What each arm takes follows from its parameters, or from what stands in braces in the command. The
file is run for that, once, where a user has named it.
"""

import inspect
import shlex
import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench import datasets
from bench.datasets.kinds import own_labels
from bench.errors import InputError, nearest
from bench.plugins import Own, Part, blamed, whole
from bench.study import returned_metrics, run_once
from bench.study.arms import contrasts_of
from bench.study.factors import FACTORS
from bench.study.fields import Study
from bench.study.pipeline import Level, OwnArm, OwnFactor, OwnPipeline

PREFIX = "arm_"

ALWAYS = ("seed", "budget", "dataset")
"""Columns of a cell that any function may ask for by its parameter's name."""

OF_ARMS = (*ALWAYS, "extra", "arm")

DATA = "data"
"""The parameter that gets ((x_train, y_train), (x_test, y_test)) as data() gave them."""

_ITS_OWN = {
    "models": "makes its own networks",
    "loss": "trains them by its own",
    "pin": "draws its own numbers",
    "recipes": "has no trainings of ours",
}
"""Fields of a study that no pipeline takes, and why."""

PLACES = (*OF_ARMS, "out", "python")
"""What a command may hold in braces beside factors; python: the interpreter that runs it."""

KNOWN = {
    "functions": "start(seed, budget), arm_NAME(started), arms = {...}, labels(), data(), "
    "study = dict(...), contrasts = [...], files = [...]",
    "command": 'command = "...", arms = [...], labels(), data(), study = dict(...), '
    "contrasts = [...], files = [...]",
}

_NOT_FACTORS = (Study.model_fields.keys() - FACTORS.keys()) | {"out", "python"}


def is_arm(name: str) -> bool:
    """Is a name of a file's top level an arm's function?"""
    return name.startswith(PREFIX) and len(name) > len(PREFIX)


def arms_of(own: Own) -> dict[str, Callable[..., Any]]:
    """The arms' functions by the arms' names, in the file's order. Runs the file, and raises what
    it raises; InputError for what is no function."""
    found = {n.removeprefix(PREFIX): getattr(own.module, n) for n in own.names if is_arm(n)}
    more = getattr(own.module, "arms", {}) if "arms" in own.names else {}
    if not isinstance(more, Mapping) or not all(isinstance(name, str) for name in more):
        raise InputError(
            f"{own.name}, arms", f"found {more!r:.80}", 'allowed: arms = {"name": function, ...}'
        )
    for name, function in (*found.items(), *more.items()):
        if not callable(function):
            where = f"arms[{name!r}]" if name in more else f"{PREFIX}{name}"
            raise InputError(
                f"{own.name}, {where}", f"found {function!r:.60}", "allowed: a function"
            )
        if name in found and name in more:
            raise InputError(
                f"{own.name}, arms", f"{name!r} stands there and as {PREFIX}{name}", "allowed: once"
            )
        if not name.strip() or name != name.strip() or "," in name:
            raise InputError(
                f"{own.name}, arms", f"the name {name!r}", "allowed: names without commas"
            )
    return found | dict(more)


def command_of(own: Own) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a file's command, and its arms. Raises what running the file raises, or
    InputError."""
    command, arms = own.value("command"), own.value("arms")
    if not isinstance(command, str) or not command.strip():
        raise InputError(
            f"{own.name}, command",
            f"found {command!r:.80}",
            'allowed: text, such as "python train.py --seed {seed} --arm {arm} --out {out}"',
        )
    try:
        words = tuple(shlex.split(command))
        asked = {name for word in words for name in _in_braces(word)}
    except ValueError as error:
        raise InputError(
            f"{own.name}, command", f"{error} in {command!r:.80}", "allowed: words as in a shell"
        ) from None
    for needed, why in (("out", "where it leaves its result"), ("arm", "what it is to run")):
        if needed not in asked:
            raise InputError(
                f"{own.name}, command", f"no {{{needed}}} in it: {why}", f"allowed: with {needed}"
            )
    listed = isinstance(arms, list | tuple) and all(isinstance(a, str) and a for a in arms)
    if not listed or len(set(arms)) < max(1, len(arms)):
        raise InputError(
            f"{own.name}, arms",
            f"found {arms!r:.80}",
            'allowed: beside a command a list of names, each once, such as ["float", "ptq"]',
        )
    return words, tuple(arms)


def _in_braces(word: str) -> Iterable[str]:
    for _, name, spec, conversion in string.Formatter().parse(word):
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ValueError(f"{{{name}}} is no name")
        yield name


def resolved(fields: Mapping[str, Any], own: Own, kind: str) -> dict[str, Any]:
    """The fields of a study of this pipeline: `pipeline` and `own` say what runs, and fields that
    are factors of its own are part of it.

    Raises InputError for a field that nothing takes, and for a parameter that nothing gives.
    """
    found = dict(fields)
    for name, why in _ITS_OWN.items():
        if name in found:
            raise InputError(
                name, f"set, but {own.name}, a whole pipeline, {why}", "allowed: leave it out"
            )
    with blamed(own, own.name):
        if kind == "command":
            taken, start = _of_command(own, found), dict[str, Any]()
        else:
            taken, start = _of_functions(own, found)
    labels = _data(own, found)
    names = [*FACTORS, *(n for n in found if n not in Study.model_fields)]
    arms = {
        arm: OwnArm(
            extra="extra" in of_it,
            takes=tuple(n for n in names if n in of_it or n in start),
        )
        for arm, of_it in taken.items()
    }
    _refuse_untaken(own, found, arms)
    defaults = {n: v for of_it in (start, *taken.values()) for n, v in of_it.items()}
    factors = {
        name: _own_factor(name, found.pop(name), defaults[name], own)
        for name in list(found)
        if name in defaults and name not in Study.model_fields
    }
    pipeline = OwnPipeline(
        file=own.name,
        kind="command" if kind == "command" else "functions",
        arms=arms,
        start=tuple(n for n in names if n in start),
        factors=factors,
        contrasts=_contrasts(own, tuple(arms)),
        labels=labels,
    )
    whole.use({own.stem: own})
    found.setdefault("arms", list(arms))
    part = {"file": own.name, "model": kind}
    if found["datasets"] == [own.stem]:
        part["data"] = next((f for f in ("data", "labels") if f in own.names), "none")
    plain = pipeline.model_dump(exclude_none=True)
    parts = {own.stem: part}
    if "metrics" in found:
        named = found["metrics"] if isinstance(found["metrics"], list) else [found["metrics"]]
        found["metrics"] = [returned_metrics.resolved(each, own, parts) for each in named]
    return found | {"models": [own.stem], "own": parts, "pipeline": plain}


def _data(own: Own, found: dict[str, Any]) -> bool:
    """Set `datasets`, and make them known. Returns whether there are labels."""
    functions = [name for name in ("data", "labels") if name in own.names]
    if "datasets" in found:
        if functions:
            raise InputError(
                "datasets", f"set beside {functions[0]}() of {own.name}", "allowed: one of them"
            )
        return True
    if own.stem in datasets.names():
        raise InputError(
            own.name,
            f"{own.stem!r} is also the name of a built-in dataset",
            "allowed: another name of the file",
        )
    for each in functions:
        run_once.check(own, each, found)
    function = functions[0] if functions else own_labels.NOTHING
    datasets.use({own.stem: Part(own, function)})
    if function == "data":
        own_labels.NAMES.discard(own.stem)
    else:
        own_labels.NAMES.add(own.stem)
    found["datasets"] = [own.stem]
    return bool(functions)


def _contrasts(own: Own, arms: tuple[str, ...]) -> tuple[str, ...] | None:
    with blamed(own, "contrasts"):
        chosen = own.value("contrasts")
    if chosen is None:
        return None
    listed = [chosen] if isinstance(chosen, str) else chosen
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
        raise InputError(
            f"{own.name}, contrasts", f"found {chosen!r:.80}", 'allowed: ["arm - arm", ...]'
        )
    contrasts_of(arms, listed, f"{own.name}, contrasts")
    return tuple(listed)


Taken = dict[str, Any]
"""Parameters that get something, each with its default; inspect's `empty` where it has none."""


def _of_functions(own: Own, fields: Mapping[str, Any]) -> tuple[dict[str, Taken], Taken]:
    """What each arm takes, and what start does."""
    functions = arms_of(own)
    if not functions:
        raise InputError(own.name, "no arm", "allowed: functions arm_NAME, or arms = {...}")
    start: Taken = {}
    begins = "start" in own.names
    if begins:
        start = _parameters(own, own.module.start, "start()", ALWAYS, fields)
    arms = {}
    for name, function in functions.items():
        where = f"{PREFIX}{name}()" if f"{PREFIX}{name}" in own.names else f"arms[{name!r}]"
        arms[name] = _parameters(own, function, where, OF_ARMS, fields, begins)
    return arms, start


def _parameters(
    own: Own,
    function: Callable[..., Any],
    where: str,
    columns: tuple[str, ...],
    fields: Mapping[str, Any],
    started: bool = False,
) -> Taken:
    """started: is its first parameter what start returned?"""
    place = f"{own.name}, {where}"
    if not callable(function):
        raise InputError(place, f"found {function!r:.60}", "allowed: a function")
    try:
        asked = list(inspect.signature(function).parameters.values())
    except ValueError:
        raise InputError(place, f"{function!r:.60}", "allowed: a function of Python") from None
    if started:
        if not asked or asked[0].kind in (asked[0].KEYWORD_ONLY, asked[0].VAR_KEYWORD):
            raise InputError(
                place, "no parameter for what start returned", "allowed: it comes first"
            )
        first = asked.pop(0).name
        if first in (*OF_ARMS, DATA, *FACTORS):
            raise InputError(
                place,
                f"its first parameter, which gets what start returned, is called {first!r}",
                "allowed: another name, and behind it the fields that it needs",
            )
    taken: Taken = {}
    given = (*columns, *FACTORS, *([DATA] if DATA in own.names else []))
    for p in asked:
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        if p.name == DATA and DATA not in own.names:
            raise InputError(place, "parameter 'data', but no data()", "allowed: with data()")
        if p.name in _NOT_FACTORS and p.name not in given:
            raise InputError(
                place,
                f"parameter {p.name!r}, which is a field of the study that no function gets",
                f"allowed: {', '.join(given)}, and names of your own",
            )
        if p.kind is p.POSITIONAL_ONLY:
            raise InputError(place, f"parameter {p.name!r} by place", "allowed: by its name")
        required = p.default is p.empty
        if (
            p.name in columns
            or p.name == DATA
            or p.name in fields
            or (required and p.name in FACTORS)
        ):
            taken[p.name] = p.default
        elif required:
            raise InputError(
                place,
                f"parameter {p.name!r} gets nothing",
                f"{nearest(p.name, given)}, or with a default, or set in `study`",
            )
    return taken


def _of_command(own: Own, fields: Mapping[str, Any]) -> dict[str, Taken]:
    """What each arm takes: the same, since there is one command."""
    words, arms = command_of(own)
    asked = dict.fromkeys(name for word in words for name in _in_braces(word))
    taken: Taken = {}
    for name in asked:
        if name in _NOT_FACTORS and name not in PLACES:
            raise InputError(
                f"{own.name}, command",
                f"{{{name}}} is a field of the study that no command gets",
                f"allowed: {', '.join(PLACES)}, and factors",
            )
        if name not in PLACES and name not in FACTORS and name not in fields:
            raise InputError(
                f"{own.name}, command",
                f"{{{name}}} gets nothing",
                f"{nearest(name, (*PLACES, *FACTORS))}, or set in `study`",
            )
        taken[name] = inspect.Parameter.empty
    return dict.fromkeys(arms, taken)


def _own_factor(name: str, levels: Any, default: Any, own: Own) -> OwnFactor:
    listed = list(levels) if isinstance(levels, list | tuple) else [levels]
    plain = all(isinstance(level, Level) for level in listed)
    if not plain or not listed or len({*map(repr, listed)}) < len(listed):
        raise InputError(
            name,
            f"found {levels!r:.80}",
            f"allowed, for a parameter of {own.name}: numbers or texts, each once",
        )
    kinds = {isinstance(level, str) for level in listed}
    if len(kinds) > 1:
        raise InputError(name, f"found {levels!r:.80}", "allowed: all numbers, or all texts")
    known = isinstance(default, Level) and isinstance(default, str) in kinds
    return OwnFactor(levels=tuple(listed), default=default if known else None)


def _refuse_untaken(own: Own, found: Mapping[str, Any], arms: Mapping[str, OwnArm]) -> None:
    """Raises InputError for a field that is set and that nothing takes."""
    taken = {name for arm in arms.values() for name in arm.takes}
    for name in FACTORS:
        if name in found and name not in taken:
            raise InputError(
                name,
                f"set, but nothing in {own.name} takes it",
                "allowed: leave it out, or a parameter of that name",
            )
    if "extra" in found and not any(arm.extra for arm in arms.values()):
        raise InputError(
            "extra",
            f"set, but no arm of {own.name} takes it",
            "allowed: leave it out, or an arm with the parameter extra",
        )
