"""The kinds of sources, one file each.

A kind's module has a docstring whose first line describes it, EXAMPLE (how it is written in a
study) and `recognize(name, where, options) -> Source | None`: None where the source is not of this
kind, InputError naming the file where it is but is not whole.
"""

import importlib
from pathlib import Path
from types import ModuleType

from bench.datasets import Source, is_path
from bench.datasets.reading.options import DEFAULT, Options
from bench.errors import InputError

KINDS = (
    "own_labels",
    "own",
    "embedded",
    "npz",
    "parquet_audio",
    "parquet_images",
    "table",
    "class_folder",
)
"""In the order in which they are asked."""


def module(kind: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{kind}")


def resolve(name: str, where: str, options: Options = DEFAULT) -> Source:
    """The source of the first kind that recognizes the name. Raises InputError."""
    if is_path(name) and not Path(name).expanduser().exists():
        what = "file" if Path(name).suffix else "folder"
        raise InputError(where, f"no {what} {name!r}", f"allowed: a {what} that exists")
    for kind in KINDS:
        source: Source | None = module(kind).recognize(name, where, options)
        if source is not None:
            return source
    examples = ", ".join(module(kind).EXAMPLE for kind in KINDS[3:])
    raise InputError(
        where,
        f"{name!r} holds no data of a known kind",
        f"allowed: {examples}; `ptq-vs-qat list` says what is in them",
    )
