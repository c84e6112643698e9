"""Models, one file each; the file's name is the model's name in a study.

A model file has a docstring whose first line describes it, `build(shape, classes)` which returns
a new tf_keras model that ends in logits, and, if times are to be estimated, `COST`. A model of
somebody's own is a function of their file, under a name that `use` has made known in this process.
"""

import ast
import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench import plugins
from bench.errors import InputError, nearest
from bench.plugins import Part

_own: dict[str, Part] = {}
_measured: dict[str, "Cost"] = {}

HOOKS: Mapping[str, tuple[str, ...]] = {
    "augment": ("x", "y", "rng"),
    "optimizer": ("learning_rate",),
    "annotate": ("model",),
    "inputs": ("x",),
    "representative": (),
    "loss": ("y", "outputs", "x"),
}
"""Functions that may stand beside a model in somebody's file, and what they are given."""

EARLIER: Mapping[str, str] = {
    "3b7f08e6ffc56847": "8026395ff3238c5f",  # bncnn
    "f09a1c4f95f4a1e7": "e4a456098c4eb8dd",  # resnet8
    "eccb88199c192559": "00945350eff6bc2b",  # tutorial_cnn
}
"""What identifies a built-in model's file -> what identified an earlier one that builds the same
where nothing is asked of it: a test holds both against each other. Any other edit is another model.
"""

WITHOUT_LAYERS = frozenset({"numpy", "os", "math", "functools", "itertools", "pathlib", "typing"})
"""Packages from which a user's model gets no layer."""


@dataclass(frozen=True)
class Cost:
    """What training takes on one core, as docs/benchmarks/step_cost.py measures it.

    step_ms: milliseconds per optimizer step; pixel_us: microseconds per pixel of its examples on
    top of that; qat: how many times as long a step of quantization-aware training takes.
    """

    step_ms: float
    pixel_us: float
    qat: float


def names() -> list[str]:
    """The names of the shipped models, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def use(parts: Mapping[str, Part]) -> None:
    """Make models of somebody's own known in this process: name -> function."""
    _own.update(parts)


def own(names: Iterable[str]) -> dict[str, Part]:
    """Those of these models that are somebody's own."""
    return {name: _own[name] for name in names if name in _own}


def is_own(name: str) -> bool:
    """Is it a network of somebody's own, not a built-in one with the hooks of a file?"""
    return name in _own and not _built_in(_own[name])


def check(name: str, where: str) -> str:
    """`name` if it is a model's. Raises InputError naming `where` otherwise."""
    if name not in names():
        raise InputError(
            where,
            f"no model {name!r}",
            f"{nearest(name, names())}, or FILE.py:FUNCTION, or PACKAGE.MODULE:FUNCTION",
        )
    return name


def get(name: str) -> Any:
    """The model's module: import is cheap, TensorFlow comes with `build`."""
    if name in _own:
        base = _built_in(_own[name])
        return get(base) if base else SimpleNamespace(build=partial(_build, _own[name]))
    return importlib.import_module(f"{__name__}.{name}")


def hooks(own: plugins.Own) -> dict[str, Part]:
    """Those of HOOKS that a file defines; a module of a package has none, its functions stand
    alone."""
    if own.imported_as:
        return {}
    defined = own.names
    return {n: Part(own, n) for n in HOOKS if isinstance(defined.get(n), ast.FunctionDef)}


def hook(model: str, name: str) -> Part | None:
    """One of HOOKS in the file that a model comes from; None where it has none."""
    part = _own.get(model)
    return None if part is None else hooks(part.own).get(name)


def _built_in(part: Part) -> str | None:
    """The built-in model that a file's hooks are used with; None where the file has its own."""
    return None if part.function in part.own.names else part.function


def _build(part: Part, shape: tuple[int, ...], classes: int, **levels: Any) -> Any:
    given = {"shape": shape, "classes": classes, **levels}
    asked = part.own.parameters(part.function)
    return part(**{name: value for name, value in given.items() if name in asked})


def parameters(name: str) -> frozenset[str]:
    """The parameters that a model's function has, `shape` and `classes` among them."""
    if name in _own:
        part = _own[name]
        base = _built_in(part)
        return parameters(base) if base else frozenset(part.own.parameters(part.function))
    return _parameters(name) if name in names() else frozenset({"shape", "classes"})


@lru_cache
def _parameters(name: str) -> frozenset[str]:
    """Of a built-in model, read from its source."""
    functions = (f for f in ast.parse(source(name)).body if isinstance(f, ast.FunctionDef))
    build = next(f for f in functions if f.name == "build")
    return frozenset(arg.arg for arg in (*build.args.args, *build.args.kwonlyargs))


def cost(name: str) -> Cost | None:
    """What a model's training takes; None where its file does not say and nothing was measured."""
    if name in _measured:
        return _measured[name]
    return getattr(get(name), "COST", None)


def measured(name: str, cost: Cost) -> None:
    """What a model's training takes in this process's place, instead of what its file says."""
    _measured[name] = cost


def normalizes(name: str) -> bool:
    """Has the model BatchNormalization layers? Read from its source, without TensorFlow; a contract
    test builds every model and counts. Of a model that is not here nothing is known: it may; and
    one of somebody's own may too, if it gets layers from elsewhere than Keras and its own text."""
    if name in _own and (base := _built_in(_own[name])):
        return normalizes(base)
    if name in _own:
        trees = _own[name].own.trees
        return "batch_norm_momentum" in parameters(name) or any(
            _names_batch_norm(tree) or _from_elsewhere(tree, _own[name].own) for tree in trees
        )
    if name not in names():
        return True
    return _names_batch_norm(_parsed(source(name)))


def augments(name: str) -> bool:
    """Has the model augmentation: augment() beside it, or layers of Keras's? Read as `normalizes`
    is."""
    return hook(name, "augment") is not None or _may_have(name, _is_augmentation)


def drops(name: str) -> bool:
    """Has the model layers that draw in training, augmentation's left out? Read as `normalizes`."""
    return _may_have(name, _draws)


def has_depthwise(name: str) -> bool:
    """Has the model depthwise convolutions, separable ones among them? Read as `normalizes`."""
    return _may_have(
        name,
        lambda layer: layer.startswith(("DepthwiseConv", "SeparableConv")),
    )


def _draws(layer: str) -> bool:
    """Layers, and arguments of layers (`dropout`, `recurrent_dropout`)."""
    return "dropout" in layer.lower() or layer in ("GaussianNoise", "BaseRandomLayer")


def _is_augmentation(layer: str) -> bool:
    return layer.startswith("Random") and layer[6:7].isupper()


def _may_have(name: str, is_wanted: Callable[[str], bool]) -> bool:
    if name in _own and (base := _built_in(_own[name])):
        return _may_have(base, is_wanted)
    if name in _own:
        own = _own[name].own
        return any(_names_one(t, is_wanted) or _from_elsewhere(t, own) for t in own.trees)
    return name not in names() or _names_one(_parsed(source(name)), is_wanted)


def _names_batch_norm(tree: ast.Module) -> bool:
    return _names_one(tree, lambda layer: layer == "BatchNormalization")


def _names_one(tree: ast.Module, is_wanted: Callable[[str], bool]) -> bool:
    return any(map(is_wanted, _names_in(tree)))


@lru_cache(maxsize=256)
def _names_in(tree: ast.Module) -> frozenset[str]:
    fields = ("attr", "id", "name", "arg")  # layers.X, X, `import X`, `f(X=...)`
    found = (getattr(node, field, "") for node in ast.walk(tree) for field in fields)
    return frozenset(name for name in found if isinstance(name, str))


@lru_cache(maxsize=64)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _from_elsewhere(tree: ast.Module, own: plugins.Own) -> bool:
    """Does a source name ready-made networks, or packages that may give layers?"""
    known = WITHOUT_LAYERS | {"tf_keras", "tensorflow", "keras"}
    known |= {Path(path).parts[0].removesuffix(".py") for path, _ in own.texts}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [] if node.level else [node.module or ""]
            imported += [alias.name for alias in node.names if alias.name in _READY_MADE]
        else:
            imported = [name for name in (getattr(node, "attr", ""),) if name in _READY_MADE]
        for module in imported:
            if module.partition(".")[0] not in known or _READY_MADE & {*module.split(".")}:
                return True
    return False


_READY_MADE = frozenset({"applications", "load_model", "model_from_json", "model_from_config"})


def identity(name: str) -> str:
    """What identifies a model: a hash of its file's syntax tree; of somebody's own model, of their
    file and what it imports and reads."""
    if name in _own:
        part = _own[name]
        if base := _built_in(part):
            return f"{part.own.identity}:{_identity(base)}"
        return (
            part.own.identity
            if part.function == "model"
            else f"{part.own.identity}:{part.function}"
        )
    return _identity(name)


@lru_cache
def _identity(name: str) -> str:
    tree = plugins.syntax(source(name), ignored={"COST"})
    found = hashlib.sha256(tree.encode()).hexdigest()[:16]
    return EARLIER.get(found, found)


def source(name: str) -> str:
    """The text of a model's file."""
    return (Path(__path__[0]) / f"{name}.py").read_text("utf-8")
