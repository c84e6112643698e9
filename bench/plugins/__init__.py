"""A user's own code: one file and what it imports from its folder, read, identified and run.

Nothing else in this package imports such code. A file is read as text, so that it can be sent to a
process that shares no disk with it; it is run from that text, once per process, and only where
somebody has named it. What it is called and what is in it is read from its syntax tree.
"""

import ast
import hashlib
import inspect
import json
import shlex
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.errors import InputError
from bench.plugins import packages, patience, reading, running
from bench.plugins.syntax import bound, literal, syntax

__all__ = ["Own", "Part", "blamed", "lies_in", "load", "load_module", "syntax"]

NOT_IDENTIFYING = frozenset({"study", "contrasts", "metrics"})
"""Names of a user's file that say what is asked of its models, not what they are."""

LARGEST_FILES = 1 << 30
"""Bytes of `files` that are sent to every node at most."""


@dataclass(frozen=True, eq=False)
class Own:
    """A user's file as text.

    name: of the file, without its folder; texts: (path relative to the folder, source), the file
    itself first, then the siblings that it imports; files: (relative path, content) of its `files`;
    folder: where it lies, None in a process that it was sent to. Equal if all but the folder is.

    imported_as: of a module of a package the name by which it is imported, which is its `name` too;
    installed: is that package one of the environment, and `texts` only what identifies it?
    """

    name: str
    texts: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, bytes], ...] = ()
    folder: str | None = None
    imported_as: str | None = None
    installed: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        return Own, (
            self.name, self.texts, self.files, None, self.imported_as, self.installed
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)

    @property
    def stem(self) -> str:
        return self.imported_as or Path(self.name).stem

    @cached_property
    def trees(self) -> tuple[ast.Module, ...]:
        """The syntax trees of `texts`."""
        return tuple(ast.parse(text, path) for path, text in self.texts)

    @cached_property
    def identity(self) -> str:
        """What identifies what it computes: a hash of its syntax tree without NOT_IDENTIFYING, of
        its siblings' and of the content of its `files`. Not where it lies, nor what it is called.
        """
        (_, text), *siblings = self.texts
        determines = [
            syntax(text, () if self.imported_as else NOT_IDENTIFYING),
            sorted((path, syntax(sibling)) for path, sibling in siblings),
            sorted((path, hashlib.sha256(content).hexdigest()) for path, content in self.files),
        ]
        return hashlib.sha256(json.dumps(determines).encode()).hexdigest()[:16]

    @cached_property
    def content(self) -> str:
        """A hash of all of it, comments included."""
        digest = hashlib.sha256(repr((self.name, self.texts)).encode())
        if self.imported_as:
            digest.update(repr((self.imported_as, self.installed)).encode())
        for path, content in self.files:
            digest.update(repr((path, len(content))).encode() + content)
        return digest.hexdigest()

    @cached_property
    def names(self) -> dict[str, ast.AST]:
        """What its top level binds, and by which statement: functions, assignments, imports."""
        return dict(bound(self.trees[0].body))

    def value(self, name: str, default: Any = None) -> Any:
        """What the top level assigns to a name: from the source alone where that is a literal, else
        the file is run. Raises whatever it raises."""
        statement = self.names.get(name)
        if statement is None:
            return default
        try:
            return literal(getattr(statement, "value", statement))
        except ValueError:
            return getattr(self.module, name)

    def parameters(self, function: str) -> dict[str, bool]:
        """The parameters of a function, and whether each has to be given. Runs the file only where
        the function is not defined in it, but imported or assigned."""
        statement = self.names[function]
        if not isinstance(statement, ast.FunctionDef):
            found = inspect.signature(self._function(function)).parameters.values()
            return {
                p.name: p.default is p.empty
                for p in found
                if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            }
        a = statement.args
        plain = [*a.posonlyargs, *a.args]
        needed = {arg.arg: at < len(plain) - len(a.defaults) for at, arg in enumerate(plain)}
        keyword = zip(a.kwonlyargs, a.kw_defaults, strict=True)
        return needed | {arg.arg: default is None for arg, default in keyword}

    def check_parameters(self, function: str, given: Collection[str]) -> None:
        """Raises InputError where a function needs a parameter that it is not given."""
        with blamed(self, function):
            needed = self.parameters(function)
        for parameter, must in needed.items():
            if must and parameter not in given:
                raise InputError(
                    f"{self.name}, {function}()",
                    f"parameter {parameter!r} is not known",
                    f"allowed: {', '.join(given) or 'none'}",
                )

    def call(self, function: str | Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Call one of its functions, in its folder, what it prints going to standard error. Raises
        what it raises; for an attempt to end the process, RuntimeError."""
        made = self._function(function) if isinstance(function, str) else function
        with running.running(self):
            return made(*arguments, **keywords)

    def _function(self, name: str) -> Callable[..., Any]:
        found = getattr(self.module, name)
        if not callable(found):
            raise TypeError(f"{name} is no function but {found!r:.60}")
        made: Callable[..., Any] = found
        return made

    @property
    def module(self) -> ModuleType:
        """The file, run: once in this process. Raises what it raises."""
        return running.module(self)

    @property
    def run_in(self) -> str:
        """The folder in which its functions run in this process."""
        return running.root(self)

    @property
    def run_as(self) -> tuple[str, str | None]:
        """Equal for what is run only once in a process."""
        return self.content, self.folder


@dataclass(frozen=True)
class Part:
    """One function of a user's file."""

    own: Own
    function: str

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.own.call(self.function, *arguments, **keywords)


def load(path: str) -> Own:
    """Read a user's file, the siblings that it imports and its `files`; run nothing.

    Raises InputError if one of them cannot be read or is no Python.
    """
    place = Path(path)
    if not place.is_file():
        raise InputError("source", f"no file {path!r}", "allowed: a Python file")
    beside = list(_named_by_command(place, reading.source(place)))
    programs = [each for each in beside if each.endswith(".py")]
    texts = reading.with_siblings(place.parent, [place.name, *programs])
    own = Own(place.name, tuple(texts.items()), folder=str(place.parent.resolve()))
    _check_shadowed(own.texts[1:], place.name)
    listed = dict(_files(own, place))
    for each in beside:
        if each not in texts:
            listed[each] = (place.parent / each).read_bytes()
    return Own(own.name, own.texts, tuple(listed.items()), own.folder)


def load_module(path: str) -> Own:
    """Read a module of a package by its name, such as `mypackage.nets`, `folder/mypackage.nets`
    where its package lies in a folder; run nothing.

    A package that lies in the folder travels whole, as text. One of the environment is expected
    wherever its code runs; what is read of it identifies it. Raises InputError.
    """
    folder, _, name = path.rpartition("/")
    texts = packages.beside(Path(folder), name)
    if texts is None:
        if folder:
            raise InputError(name, f"no package of that name in {folder}", "allowed: one in it")
        texts = packages.installed(name)
        return Own(name, tuple(texts.items()), imported_as=name, installed=True)
    _check_shadowed(texts.items(), name)
    return Own(name, tuple(texts.items()), folder=str(Path(folder).resolve()), imported_as=name)


def lies_in(folder: Path, name: str) -> bool:
    """Is the package of a module in this folder?"""
    root = name.partition(".")[0]
    return (folder / root / "__init__.py").is_file() or (folder / f"{root}.py").is_file()


def _check_shadowed(texts: Iterable[tuple[str, str]], beside: str) -> None:
    """Raises InputError where a file would take the place of a module of Python's own."""
    for name in {running.module_of(relative).partition(".")[0] for relative, _ in texts}:
        if name in sys.stdlib_module_names:
            raise InputError(
                f"{name}.py beside {beside}",
                f"has the name of Python's own module {name!r}",
                "allowed: another name",
            )


def _named_by_command(path: Path, text: str) -> Iterator[str]:
    """The words of a file's `command` that are files beside it or below."""
    statement = dict(bound(ast.parse(text).body)).get("command")
    try:
        command = literal(getattr(statement, "value", None)) if statement else ""
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return
    for word in dict.fromkeys(words):
        relative = Path(word)
        inside = not relative.is_absolute() and ".." not in relative.parts
        if inside and (path.parent / word).is_file() and relative.as_posix() != path.name:
            yield relative.as_posix()


@contextmanager
def blamed(own: Own, doing: str) -> Iterator[None]:
    """What a user's code raises, as an InputError with the user's own part of the traceback; that
    it still runs is said.

    doing: what was asked of it, such as `data()`.
    """
    try:
        with patience.said(f"{own.name}, {doing}"):
            yield
    except InputError:
        raise
    except Exception as error:
        frames = _users_frames(own, error)
        said = "".join(traceback.format_exception_only(error)).rstrip()
        shown = "".join(traceback.format_list(frames)).rstrip()
        what = f"{doing} failed\n{shown}\n{said}"
        raise InputError(own.name, what, "mend it: nothing was run") from None


def _users_frames(own: Own, error: BaseException) -> list[traceback.FrameSummary]:
    """Of a traceback, what lies in the user's texts; by the files' own names."""
    names = {running.place(own, path): path for path, _ in own.texts}
    return [
        traceback.FrameSummary(names[f.filename], f.lineno, f.name, line=f.line)
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename in names
    ]


def _files(own: Own, path: Path) -> Iterator[tuple[str, bytes]]:
    """Relative path and content of what `files` names; of a folder, all that is in it."""
    statement = own.names.get("files")
    try:
        named = literal(getattr(statement, "value", None)) if statement else []
    except ValueError:
        named = None
    if not isinstance(named, list | tuple) or not all(isinstance(each, str) for each in named):
        raise InputError(
            f"{own.name}, files", "no list of file names", 'allowed: files = ["weights.h5"]'
        )
    total = 0
    for name in named:
        place = path.parent / name
        inside = place.resolve().is_relative_to(path.parent.resolve())
        if not inside or not place.exists():
            raise InputError(
                f"{own.name}, files",
                f"no {name!r} below its folder" if inside else f"{name!r} lies outside its folder",
                "allowed: files and folders beside it",
            )
        for each in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if each.is_file():
                total += each.stat().st_size
                if total > LARGEST_FILES:
                    raise InputError(
                        f"{own.name}, files", f"{total:,} bytes", f"allowed: {LARGEST_FILES:,}"
                    )
                yield each.relative_to(path.parent).as_posix(), each.read_bytes()
