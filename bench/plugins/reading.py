"""Python source as text, and which files a source imports from its own folder."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.errors import InputError


def source(path: Path) -> str:
    """The text of a file. Raises InputError if it cannot be read or is no Python."""
    try:
        text = importlib.util.decode_source(path.read_bytes())
        ast.parse(text)
    except SyntaxError as error:
        line = f" line {error.lineno}" if error.lineno else ""
        raise InputError(f"{path.name}{line}", error.msg, "allowed: Python") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), f"no readable Python ({error})", "allowed: Python") from None
    return text


def with_siblings(folder: Path, relatives: Iterable[str]) -> dict[str, str]:
    """Path relative to the folder -> text: of these files, and of what they import from there.
    Raises InputError."""
    texts = {relative: source(folder / relative) for relative in relatives}
    waiting = list(texts.items())
    while waiting:
        for found in _siblings(folder, *waiting.pop()):
            relative = found.relative_to(folder).as_posix()
            if relative not in texts:
                texts[relative] = source(found)
                waiting.append((relative, texts[relative]))
    return texts


def _siblings(folder: Path, relative: str, text: str) -> Iterator[Path]:
    """The files of the same folder that a source imports: modules and, whole, packages."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            modules = [node.module]
        else:
            continue  # relative imports stay within a package, which is there whole
        for module in modules:
            root = module.partition(".")[0]
            if (folder / root / "__init__.py").is_file():
                yield from sorted((folder / root).rglob("*.py"))
            elif (folder / f"{root}.py").is_file() and f"{root}.py" != relative:
                yield folder / f"{root}.py"
