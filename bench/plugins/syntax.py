"""The syntax trees of a user's code, and of this package's models: what identifies them."""

import ast
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any


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


def bound(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """The names that statements bind, each with its statement: functions, assignments, imports."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name).partition(".")[0], node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                        yield each.id, node
        elif isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            continue  # it is no program here
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for field in ("body", "orelse", "finalbody"):
                yield from bound(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from bound(handler.body)


def literal(node: Any) -> Any:
    """The value of a literal, `dict(...)` of literals among them. Raises ValueError for others."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        if node.args or any(keyword.arg is None for keyword in node.keywords):
            raise ValueError("no literal")
        return {str(keyword.arg): literal(keyword.value) for keyword in node.keywords}
    try:
        return ast.literal_eval(node)
    except (TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from None
