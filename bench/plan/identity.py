"""What identifies a cell: all that determines its result, and nothing else.

docs/decisions/008-identity.md says what is in it, what is not, and why.
"""

import ast
import hashlib
import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from bench import models
from bench.study.arms import ARMS, CONVERSIONS, TRAININGS, Stage
from bench.study.factors import FACTORS, Value

STREAM_STAGES: dict[str, Stage] = {
    "initialization": "float",
    "order": "float",
    "calibration": "calibration",
}
"""The stage that each random stream acts in: a pinned one changes no arm beyond it."""


@lru_cache
def model_source(name: str) -> str:
    """What identifies a model: a hash of its file's syntax tree."""
    return hashlib.sha256(syntax(models.source(name), ignored={"COST"}).encode()).hexdigest()[:16]


def syntax(source: str, ignored: Collection[str] = ()) -> str:
    """The syntax tree of Python source as text, without comments, docstrings, positions and
    assignments to the `ignored` names: equal for sources that compute the same in the same way.

    Empty fields are left out, since Python's versions differ in which of them there are.
    Raises SyntaxError.
    """
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not _assigns(node, ignored)]
    return json.dumps(_plain(tree), separators=(",", ":"))


def _assigns(node: ast.stmt, names: Collection[str]) -> bool:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return bool(targets) and all(isinstance(t, ast.Name) and t.id in names for t in targets)


def _plain(node: Any) -> Any:
    if isinstance(node, ast.AST):
        return [type(node).__name__, dict(_fields(node))]
    if isinstance(node, list):
        return [_plain(each) for each in node]
    return node if isinstance(node, str | int | bool | type(None)) else repr(node)


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    for name, value in ast.iter_fields(node):
        if name in ("type_comment", "kind") or value is None or value == []:
            continue
        if name == "body" and isinstance(value, list):
            value = [each for each in value if not _is_docstring(each)]
        yield name, _plain(value)


def _is_docstring(node: ast.AST) -> bool:
    """A string alone on its line does nothing, wherever it stands."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def cell_id(
    data: str,
    model: str,
    seed: int,
    budget: int,
    arm: str,
    extra: int | None,
    factors: Collection[tuple[str, Value]],
    pin: Collection[tuple[str, int]],
) -> str:
    """16 hex digits over all that determines a cell's result.

    data, model: what identifies their content; factors: those that reach the arm, of which a level
    at its default is left out, so that a new factor changes no identity; pin: streams that reach
    it. The arm counts by what it is, its training and its conversion, not by its name.
    """
    training, conversion = TRAININGS[ARMS[arm].training], CONVERSIONS[ARMS[arm].conversion]
    determines = [
        data,
        model,
        [training.name, training.version],
        [conversion.name, conversion.version],
        seed,
        budget,
        extra,
        {name: level for name, level in factors if level != FACTORS[name].default},
        dict(pin),
    ]
    text = json.dumps(determines, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
