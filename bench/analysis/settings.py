"""Which settings somebody means: `budget=1` of --setting, and how a setting is called."""

from collections.abc import Iterable, Mapping, Sequence

from bench.analysis.records import Setting, Value
from bench.errors import InputError, nearest
from bench.study.factors import FACTORS

Wanted = Mapping[str, str]
"""Field of a setting -> its level, as it was written."""


def wanted(texts: Sequence[str]) -> dict[str, str]:
    """What --setting says, each `field=level`. Raises InputError."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, level = (part.strip() for part in text.partition("="))
        if not name or not level or name in found:
            raise InputError("--setting", f"found {text!r}", "allowed: as in budget=1, each once")
        found[name] = level
    return found


def is_wanted(setting: Setting, asked: Wanted) -> bool:
    """Has the setting these levels?"""
    fields = setting.fields()
    return all(
        name in fields and level in _texts(name, fields[name]) for name, level in asked.items()
    )


def refuse_unknown(settings: Iterable[Setting], asked: Wanted) -> None:
    """InputError for a field or level that none of the settings has."""
    levels: dict[str, dict[str, None]] = {}
    for setting in settings:
        for name, value in setting.fields().items():
            levels.setdefault(name, {}).update(dict.fromkeys(_texts(name, value)))
    for name, level in asked.items():
        if name not in levels:
            raise InputError("--setting", f"no {name!r}", nearest(name, levels))
        if level not in levels[name]:
            raise InputError("--setting", f"no {name} {level!r}", nearest(level, levels[name]))


def named(setting: Setting, fields: Iterable[str]) -> str:
    """`budget 1, batch_norm_momentum 0.9`: these fields of a setting, where it has them."""
    known = setting.fields()
    parts = (f"{name} {_texts(name, known[name])[-1]}" for name in fields if name in known)
    return ", ".join(parts)


def varying(settings: Sequence[Setting]) -> tuple[str, ...]:
    """The fields in which these settings differ."""
    names = dict.fromkeys(name for setting in settings for name in setting.fields())
    return tuple(name for name in names if len({_level(setting, name) for setting in settings}) > 1)


def _level(setting: Setting, name: str) -> str:
    return _texts(name, setting.fields().get(name))[-1]


def _texts(name: str, value: Value) -> tuple[str, ...]:
    """How a level may be written; the last is how it is shown."""
    if value is None:
        value = FACTORS[name].shown(value) if name in FACTORS else "none"
    return (str(value), f"{value:g}" if isinstance(value, float) else str(value))
