"""Running a user's code from its text: imports of its siblings, its folder, its `files`."""

import importlib
import importlib.abc
import importlib.util
import linecache
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from bench.plugins import packages
from bench.plugins.syntax import syntax

if TYPE_CHECKING:
    from bench.plugins import Own

_modules: dict[tuple[str, str | None], ModuleType] = {}
_unpacked: dict[str, "tempfile.TemporaryDirectory[str]"] = {}


def module(own: "Own") -> ModuleType:
    """The file, run: once in this process. Raises what it raises."""
    known = _modules.get(own.run_as)
    if known is None and own.imported_as:
        with running(own), _quiet():
            if own.installed:
                _check_same(own)
            known = importlib.import_module(own.imported_as)
        _modules[own.run_as] = known
    elif known is None:
        path, text = own.texts[0]
        known = ModuleType(f"own_{own.stem}")
        sys.modules[known.__name__] = known  # dataclasses look for their module there
        with running(own), _quiet():
            _run(known, place(own, path), text)
        _modules[own.run_as] = known
    return known


def _check_same(own: "Own") -> None:
    """Raises ModuleNotFoundError where an installed package is not there; RuntimeError where it is
    not the one that the text, which identifies results, is of."""
    name = str(own.imported_as)
    root = name.partition(".")[0]
    if packages.find(name) is None:
        raise ModuleNotFoundError(f"no package {root!r} on node {platform.node()}", name=root)
    found = packages.installed(name)
    unlike = next((p for p, text in own.texts if syntax(found.get(p, "")) != syntax(text)), None)
    if unlike is not None:
        raise RuntimeError(
            f"the package {root!r} on node {platform.node()} is another one than where the command "
            f"runs: {unlike} is unlike"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """While TensorFlow is imported for the first time: it writes to file descriptor 2 what no
    setting turns off. What Python writes to standard error is still seen."""
    before = sys.stderr
    if "tensorflow" in sys.modules or before is None or before is not sys.__stderr__:
        yield
        return
    seen = os.dup(2)
    with open(seen, "w", buffering=1) as stderr, open(os.devnull, "w") as nothing:
        print(end="", file=before, flush=True)
        sys.stderr = stderr
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr = before
            os.dup2(seen, 2)


def place(own: "Own", path: str) -> str:
    """Where a text of it is said to lie."""
    if own.installed:
        spec = packages.find(module_of(path))
        return str((spec and spec.origin) or path)
    return str(Path(root(own)) / path)


def root(own: "Own") -> str:
    """The folder that it runs in: its own; where it was sent to, one with its `files` and nothing
    else, so that what it reads beside them is missed on every machine alike."""
    if own.folder is not None:
        return own.folder
    if own.content not in _unpacked:
        folder = tempfile.TemporaryDirectory(prefix="own-")
        for path, content in own.files:
            (Path(folder.name) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder.name) / path).write_bytes(content)
        _unpacked[own.content] = folder
    return _unpacked[own.content].name


def unpacked(own: "Own", folder: Path) -> None:
    """Write all that travels with it into a folder: its texts and its files."""
    contents = [(path, text.encode()) for path, text in own.texts]
    for path, content in (*contents, *own.files):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def module_of(relative: str) -> str:
    """The name by which a relative path is imported."""
    parts = Path(relative).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _run(module: ModuleType, place: str, text: str) -> None:
    """Run a source as this module; tracebacks and inspect.getsource find its lines."""
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    module.__file__ = place
    exec(compile(text, place, "exec", dont_inherit=True), module.__dict__)


class _Siblings(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports of the siblings of the file that ran last, from their texts.

    Another file's may have the same names: each file's are put aside while another one runs.
    """

    serves_texts = True
    current: "Own | None" = None
    kept: ClassVar[dict[tuple[str, str | None], dict[str, ModuleType]]] = {}

    def serve(self, own: "Own") -> None:
        if self.current is not None and self.current.run_as == own.run_as:
            return
        if self.current is not None:
            before = self.kept.setdefault(self.current.run_as, {})
            for name in self._texts:
                if name in sys.modules:
                    before[name] = sys.modules.pop(name)
        self.current = own
        sys.modules.update(self.kept.get(own.run_as, {}))
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    @property
    def _texts(self) -> Mapping[str, tuple[str, str]]:
        if self.current is None or self.current.installed:
            return {}
        imported = self.current.texts[0 if self.current.imported_as else 1 :]
        return {module_of(path): (path, text) for path, text in imported}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = self._texts.get(fullname)
        if found is None:
            return None
        package = found[0].endswith("__init__.py")
        return importlib.util.spec_from_loader(fullname, self, is_package=package)

    def exec_module(self, module: ModuleType) -> None:
        assert self.current is not None
        path, text = self._texts[module.__name__]
        _run(module, place(self.current, path), text)


_siblings_finder = _Siblings()


@contextmanager
def running(own: "Own") -> Iterator[None]:
    """While a user's code runs: its siblings can be imported, it is in its folder, what it prints
    is no output of the command's, and it cannot end the process."""
    # Keras 2, which TFMOT needs, where TensorFlow is imported by this code first; and no banner.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _siblings_finder.serve(own)
    before = os.getcwd()
    os.chdir(root(own))
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SystemExit as error:
        raise RuntimeError(f"it ended the process: sys.exit({error.code!r})").with_traceback(
            error.__traceback__
        ) from None
    finally:
        os.chdir(before)
