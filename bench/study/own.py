"""A study of somebody's own: what their file describes, and what of it becomes which field.

Their file is read and, where a field needs it, run: only `fields.load` calls this, for a file that
the user has named.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bench import datasets, models, plugins
from bench.errors import InputError
from bench.plugins import Own, Part, blamed
from bench.study import own_metrics, own_pipeline, run_once
from bench.study.factors import FACTORS

DEFAULT_MODEL = "bncnn"
"""The built-in network that a file without model() is used with."""

PARTS = {"models": "model", "datasets": "data"}
"""Fields whose entries may be a function of a file, and what that function is called."""

Kind = Literal["network", "functions", "command"]

NETWORK: Kind = "network"

WRITTEN_BY_RUN = frozenset({"own", "pipeline"})
"""Fields of a study in a result folder, by which it is read without the user's file."""

KNOWN = (
    "known names: model(shape, classes), data(), "
    + "".join(f"{name}({', '.join(given)}), " for name, given in models.HOOKS.items())
    + 'study = dict(...), contrasts = [...], metrics = [...], files = ["weights.h5"]; of a whole '
    "pipeline start(), arm_NAME(), arms, command, labels()"
)

ONE_KIND = (
    "allowed: model() and data() of a network, or start() and arm_NAME() of a whole pipeline, or "
    "command and arms of programs"
)

_FUNCTIONS = frozenset({"labels", "start"})
_VALUES = frozenset({"arms", "command"})
"""Names that would ask for something which is not done."""

_REFERENCE = own_metrics.REFERENCE


def is_source(name: str) -> bool:
    """Is it a Python file's name?"""
    return name.endswith(".py")


def is_own(fields: Mapping[str, Any]) -> bool:
    """Do these fields name a Python file?"""
    named = [each for name in (*PARTS, "metrics") for each in _listed(fields.get(name))]
    return "source" in fields or any(_REFERENCE.fullmatch(str(each)) for each in named)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def moved(fields: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The fields of a study that lies in this folder, its references to files relative to here."""

    def from_here(value: Any) -> Any:
        if isinstance(value, list):
            return [from_here(each) for each in value]
        match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            path = match["path"]
            is_beside = is_source(path) or "/" in path or plugins.lies_in(folder, path)
            return str(folder / value) if is_beside else value
        return datasets.based(value, folder) if isinstance(value, str) else value

    named = (*PARTS, "metrics")
    found = {name: from_here(value) if name in named else value for name, value in fields.items()}
    if isinstance(found.get("source"), str):
        found["source"] = str(folder / found["source"])
    return found


def with_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, and below them those that the file `source` gives. Raises InputError."""
    source = fields.get("source")
    if source is None:
        return dict(fields)
    if not isinstance(source, str) or not is_source(source):
        raise InputError("source", f"found {source!r}", "allowed: a Python file, such as mine.py")
    own = plugins.load(source)
    kind = kind_of(own)
    with blamed(own, "study"):
        given = own.value("study", {})
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise InputError(
            f"{own.name}, study", f"found {given!r:.80}", "allowed: study = dict(seeds=30, ...)"
        )
    for name in WRITTEN_BY_RUN | {"source"}:
        if name in given:
            raise InputError(f"{own.name}, study", f"the field {name!r}", "allowed: other fields")
    given = {
        name: list(value) if isinstance(value, range) else value for name, value in given.items()
    }
    title = (ast.get_docstring(own.trees[0]) or own.stem).splitlines()[0]
    given = moved(given, Path(source).parent)
    measured = own_metrics.references(own, source)
    if kind != NETWORK:
        usual = {"title": title, "budgets": [1]}
        return usual | ({"metrics": measured} if measured else {}) | given | dict(fields)
    with blamed(own, "contrasts"):
        contrasts = own.value("contrasts")
    if contrasts is not None:
        given.setdefault("primary", contrasts)
    references = {field: [f"{source}:{part}"] for field, part in PARTS.items() if part in own.names}
    if models.hooks(own) and "models" not in references:
        references["models"] = [DEFAULT_MODEL]
    if measured is not None:
        references["metrics"] = measured
    return {"title": title} | references | given | dict(fields)


def resolved(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with functions of files replaced by the names that rows carry, which are known to
    bench.models and bench.datasets from then on; `own` says what they stand for.

    Raises InputError if a file or a function is not there, or has parameters that nobody knows.
    """
    found = dict(fields)
    for name in WRITTEN_BY_RUN & found.keys():
        raise InputError(
            name, "a field that only `run` writes", "allowed: name the file, source = 'mine.py'"
        )
    source = found.pop("source", None)
    if source is not None:
        whole = plugins.load(source)
        if (kind := kind_of(whole)) != NETWORK:
            return own_pipeline.resolved(found, whole, kind)
    files: dict[str, Own] = {}
    own: dict[str, dict[str, Any]] = {}
    hooked = _with_hooks(source, files)
    for field, usual in PARTS.items():
        known = models if field == "models" else datasets
        value = found.get(field)
        listed = value if isinstance(value, list | tuple) else [value]
        names = []
        for each in listed:
            match = _REFERENCE.fullmatch(each) if isinstance(each, str) else None
            if match is not None:
                part = _part(match["path"], match["function"], usual, files, found)
            elif hooked and field == "models" and each in models.names():
                part = Part(hooked, each)  # a built-in network with the file's hooks
            else:
                names.append(each)
                continue
            stem, function = part.own.stem, part.function
            name = stem if function == usual else f"{stem}.{function}"
            if name in known.names():
                raise InputError(
                    part.own.name,
                    f"{name!r} is also the name of one of the built-in {field}",
                    "allowed: another name of the file",
                )
            known.use({name: part})
            own.setdefault(name, {"file": part.own.name})[usual] = function
            names.append(name)
        if value is not None:
            found[field] = names
    if "metrics" in found:
        found["metrics"] = [_metric(each, files, own) for each in _listed(found["metrics"])]
    if hooked:
        own_metrics.check_loss(found, hooked)
    if source is not None and Path(source).name not in {each["file"] for each in own.values()}:
        raise InputError(
            "source",
            f"{source!r}, of which nothing is used: models and datasets are set beside it",
            "allowed: leave out one of them",
        )
    for name, about in own.items():
        if "model" in about:
            about["lacks"] = [
                factor.name
                for factor in FACTORS.values()
                if factor.concerns is not None and not factor.concerns(name)
            ]
            if models.hook(name, "annotate") is not None:
                about["annotates"] = True
    _check_taken(found, own)
    return found | ({"own": own} if own else {})


def _with_hooks(source: str | None, files: dict[str, Own]) -> Own | None:
    """The file `source` where it has functions that go with every model of the study."""
    if source is None:
        return None
    own = files[Path(source).stem] = plugins.load(source)
    _check_hooks(own)
    return own if models.hooks(own) else None


def _check_hooks(own: Own) -> None:
    """Raises InputError where a hook has a parameter that it is not given."""
    for name in models.hooks(own):
        own.check_parameters(name, models.HOOKS[name])


def _metric(each: Any, files: dict[str, Own], own: dict[str, dict[str, Any]]) -> Any:
    """A metric's name; of a function of a file its own, under which it is known from then on."""
    match = _REFERENCE.fullmatch(each) if isinstance(each, str) else None
    if match is None:
        return each
    part = own_metrics.part(_file(match["path"], files), match["function"])
    own[part.function] = own_metrics.use(part)
    return part.function


def _part(
    path: str, function: str, usual: str, files: dict[str, Own], fields: Mapping[str, Any]
) -> Part:
    own = _file(path, files)
    if function not in own.names:
        raise InputError(own.name, f"no function {function!r}", f"allowed: one of {_offered(own)}")
    if usual == "data":
        run_once.check(own, function, fields)
        return Part(own, function)
    with blamed(own, function):
        needed = own.parameters(function)
    known = ("shape", "classes", *_passed())
    for parameter, must in needed.items():
        if must and parameter not in known:
            allowed = f"allowed: {', '.join(known)}, and others that have a default"
            raise InputError(
                f"{own.name}, {function}()",
                f"parameter {parameter!r} is not known",
                f"{allowed} (each seed draws weights of its own)",
            )
    return Part(own, function)


def _file(path: str, files: dict[str, Own]) -> Own:
    """A file, read once. Raises InputError."""
    if not is_source(path):
        return _module(path, files)
    stem = Path(path).stem
    if stem in files and files[stem].folder != str(Path(path).parent.resolve()):
        raise InputError(
            path,
            f"two files are called {Path(path).name}",
            "allowed: files with names of their own",
        )
    own = files[stem] = files.get(stem) or plugins.load(path)
    _check_names(own)
    _check_hooks(own)
    return own


def _module(path: str, files: dict[str, Own]) -> Own:
    """A module of a package, read once. Its functions stand alone: no name in it means anything
    else. Raises InputError."""
    own = plugins.load_module(path)
    if files.setdefault(own.stem, own) != own:
        raise InputError(path, f"two modules are called {own.stem}", "allowed: one of them")
    return files[own.stem]


def _passed() -> tuple[str, ...]:
    """The fields of a study that model() may ask for: those that every training of it has."""
    return tuple(f.name for f in FACTORS.values() if f.stage == "float")


def _offered(own: Own) -> str:
    functions = [name for name, node in own.names.items() if isinstance(node, ast.FunctionDef)]
    return ", ".join(functions) or "no function"


def kind_of(own: Own) -> Kind:
    """What a file describes. Raises InputError if that is nothing, or two things at once."""
    names = own.names
    is_command = "command" in names and _is_value(names["command"])
    arms = [name for name in names if own_pipeline.is_arm(name)]
    if "arms" in names and not is_command:
        arms.append("arms")
    kinds: dict[Kind, str] = {}
    if "model" in names and not _is_value(names["model"]):
        kinds[NETWORK] = "model"
    if arms:
        kinds["functions"] = arms[0]
    if is_command:
        kinds["command"] = "command"
    if len(kinds) > 1:
        raise InputError(
            own.name, f"it defines {' and '.join(kinds.values())}: two kinds at once", ONE_KIND
        )
    if kinds:
        (kind,) = kinds
        if kind == NETWORK:
            _check_names(own)
        elif "inputs" in names and not _is_value(names["inputs"]):
            raise InputError(
                own.name,
                "inputs: no part of a whole pipeline",
                "allowed: x in data() as the file is to get it",
            )
        return kind
    if "data" in names or models.hooks(own):
        _check_names(own)
        return NETWORK
    raise InputError(
        own.name,
        f"it defines none of model(), data(), arm_NAME() and command; it has {_offered(own)}",
        KNOWN,
    )


def _is_value(statement: ast.AST) -> bool:
    return not isinstance(statement, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.ClassDef)


def _check_names(own: Own) -> None:
    """Raises InputError where a file asks for what this kind of study does not do."""
    of_functions = {
        name
        for name, node in own.names.items()
        if (name in _FUNCTIONS or name.startswith("arm_")) and isinstance(node, ast.FunctionDef)
    }
    of_values = {
        name
        for name, node in own.names.items()
        if name in _VALUES and not isinstance(node, ast.Import | ast.ImportFrom)
    }
    unknown = sorted(of_functions | of_values)
    if unknown:
        raise InputError(
            own.name,
            f"{', '.join(unknown)}: no part of a study of networks and data",
            KNOWN,
        )


def _check_taken(fields: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises InputError for a field that is set, but of which no model has anything."""
    used = fields.get("models")
    used = used if isinstance(used, list | tuple) else [used]
    mine = [own[name] for name in used if isinstance(name, str) and name in own]
    if not mine or len(mine) < len(used):
        return
    for factor in FACTORS.values():
        if factor.name in fields and all(factor.name in about.get("lacks", ()) for about in mine):
            raise InputError(
                factor.name,
                f"set, but {', '.join(about['file'] for about in mine)} has no {factor.lacking}",
                "allowed: leave it out",
            )
