"""Modules of packages by their names: found and read as text; nothing is imported."""

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from bench.errors import InputError
from bench.plugins import reading


def beside(folder: Path, name: str) -> dict[str, str] | None:
    """The texts of a module in this folder, itself first: its package whole, and what that imports
    from the folder. None where no such package is there. Raises InputError."""
    root, *parts = name.split(".")
    whole = (folder / root / "__init__.py").is_file()
    if not whole and not (folder / f"{root}.py").is_file():
        return None
    place = folder.joinpath(root, *parts)
    found = next(
        (p for p in (place / "__init__.py", place.with_suffix(".py")) if p.is_file()), None
    )
    if found is None:
        raise InputError(name, f"no such module in {folder / root}", "allowed: one that is in it")
    files = [found, *(sorted((folder / root).rglob("*.py")) if whole else [])]
    return reading.with_siblings(
        folder, dict.fromkeys(each.relative_to(folder).as_posix() for each in files)
    )


def installed(name: str) -> dict[str, str]:
    """The texts of a module of this environment, itself first, and of the modules of its package
    that it imports, directly or not. Raises InputError."""
    spec = find(name)
    if spec is None or not _has_source(spec):
        what = "no module" if spec is None else "no Python source of the module"
        raise InputError(
            name,
            f"{what} {name!r}",
            "allowed: a module of an installed package, or of a package beside the study, a "
            "folder with __init__.py",
        )
    root = name.partition(".")[0]
    texts: dict[str, str] = {}
    waiting, seen = [name], {name}
    while waiting:
        each = waiting.pop()
        spec = find(each)
        if spec is None or not _has_source(spec):
            continue  # a name in a module, or compiled
        package = spec.submodule_search_locations is not None
        text = reading.source(Path(str(spec.origin)))
        texts[each.replace(".", "/") + ("/__init__.py" if package else ".py")] = text
        for more in _imported(each, package, text):
            if more not in seen and more.partition(".")[0] == root:
                seen.add(more)
                waiting.append(more)
    return texts


def find(name: str) -> ModuleSpec | None:
    """Where this environment has a module; its parents are not imported."""
    root, *parts = name.split(".")
    finders = (f for f in sys.meta_path if not getattr(f, "serves_texts", False))
    found = (f.find_spec(root, None) for f in finders if hasattr(f, "find_spec"))
    spec = next((each for each in found if each is not None), None)
    for part in parts:
        if spec is None or spec.submodule_search_locations is None:
            return None
        root = f"{root}.{part}"
        spec = PathFinder.find_spec(root, list(spec.submodule_search_locations))
    return spec


def _has_source(spec: ModuleSpec) -> bool:
    return bool(spec.origin and spec.origin.endswith(".py") and Path(spec.origin).is_file())


def _imported(name: str, package: bool, text: str) -> Iterator[str]:
    """The names that may be modules which importing this one imports: its parents among them."""
    parts = name.split(".")
    here = parts if package else parts[:-1]
    yield from (".".join(parts[:n]) for n in range(1, len(parts)))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            bases = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            bases = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for base in bases:
            inner = base.split(".")
            yield from (".".join(inner[: n + 1]) for n in range(len(inner)))
