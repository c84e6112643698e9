"""Where a study comes from: a TOML file, a shipped one, a Python file; and what overrides it."""

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.errors import InputError, nearest
from bench.study import own
from bench.study.fields import Study
from bench.study.heading import DESCRIBED, same_matter
from bench.study.validation import validate

SHIPPED = Path(__file__).parent / "shipped"


def shipped() -> dict[str, Path]:
    """The studies inside the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load(source: str, overrides: Sequence[str] = ()) -> Study:
    """Read and validate a study: a TOML file, the name of a shipped one, or a Python file with a
    model or data of somebody's own.

    overrides: `field=value`, the value in TOML's syntax or a bare word. Paths start from the
    file's folder, those of a shipped study from the working directory.
    Raises InputError naming the file or field, what was found, and what is allowed.
    """
    path = shipped().get(source, Path(source))
    if not path.is_file():
        raise InputError(
            "study",
            f"no file {source!r}",
            "a path of a TOML file or of a Python file, or a shipped study: "
            f"{nearest(source, shipped())}",
        )
    if own.is_source(source):
        fields: dict[str, Any] = {"source": source}
    else:
        try:
            fields = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(source, str(error), "allowed: a TOML file") from None
        fields = own.moved(fields, Path() if source in shipped() else path.parent)
    named = _overridden(fields, overrides).get("source")  # its own fields lie below these
    fields = own.with_defaults(fields if named is None else fields | {"source": named})
    study = validate(own.resolved(_overridden(fields, overrides)), source)
    if not overrides:
        return study
    return study.model_copy(update={"adapted": _adapted(study, fields, overrides)})


def _adapted(study: Study, declared: Mapping[str, Any], overrides: Sequence[str]) -> bool:
    """Does the title speak of other fields than the study's, since these have been overridden?"""
    if own.is_own(declared):  # not run a second time
        changed = _overridden(declared, overrides)
        other = any(changed.get(name) != declared.get(name) for name in DESCRIBED)
        return other and changed.get("title") == declared.get("title")
    try:
        return not same_matter(study, Study.model_validate(dict(declared)))
    except ValidationError:  # a file that is no study without what overrides it
        return bool(study.title == declared.get("title", ""))


def _overridden(fields: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    changed = deepcopy(dict(fields))
    for override in overrides:
        _override(changed, override)
    return changed


def _override(fields: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError("--set", repr(override), "allowed: field=value, such as seeds=30")
    value = _plain_value(text.strip())
    *tables, field = key.strip().split(".")
    for table in tables:
        fields = fields.setdefault(table, {})
        if not isinstance(fields, dict):
            raise InputError("--set", repr(override), f"{table} is no table")
    fields[field] = value


def _plain_value(text: str) -> Any:
    """A value in TOML's syntax, else a bare word, or a list of them: arms=[float,ptq]."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if text.startswith("[") and text.endswith("]"):
            return [_plain_value(part.strip()) for part in text[1:-1].split(",")]
        return text
