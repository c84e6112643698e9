"""What a study's report is headed by: its declared title, or one made from what ran."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import datasets
from bench.study.arms import ARMS, TRAININGS
from bench.study.factors import FACTORS, REPLICATES
from bench.study.units import NAMES as UNITS
from bench.study.units import after, amounts

if TYPE_CHECKING:
    from bench.study.fields import Study

DESCRIBED = (
    *("datasets", "resize", "label_column", "audio", "models", "budgets", "extra", "arms"),
    *("design", "recipes", *UNITS, *FACTORS),
)
"""What a title may speak about. More seeds, or another alpha, delta or primary family, leave it
true."""


def heading(study: "Study") -> str:
    """The declared title, else the guess, unless they were written for other fields."""
    title = study.title or study.guess
    return title if title and not study.adapted else made(study)


def same_matter(study: "Study", declared: "Study") -> bool:
    """Is the title true of this study? declared: the study that its file declares."""
    if study.title != declared.title:
        return True  # it has a title of its own
    return not declared.adapted and all(
        getattr(study, name) == getattr(declared, name) for name in DESCRIBED
    )


def made(study: "Study") -> str:
    """A title of what a study runs: `PTQ against QAT on digits with bncnn, after 16 epochs`."""
    if study.pipeline is not None:
        return f"{_listed(study.arms)} of {study.pipeline.file}{_factors(study)}"
    data = _listed([datasets.label(name) for name in study.datasets])
    models = _listed([Path(name).name for name in study.models])
    trained = after(study.budgets, study.budget_unit)
    parts = [f"{_compared(study)} on {data} with {models}, {trained}"]
    if study.extra_unit != study.budget_unit:
        parts.append(f"and {amounts(study.extra, study.extra_unit)} more")
    elif len(study.extra) > 1:
        parts.append(f"and {_listed([str(k) for k in study.extra])} more")
    return ", ".join(parts) + _factors(study)


def _factors(study: "Study") -> str:
    """The factors that are not at their defaults: `, batch size 16 and 32`."""
    said = ""
    for name, factor in study.factors.items():
        levels = study.levels(name)
        if name in REPLICATES and len(levels) > 1:
            said += f", {len(levels)} calibration draws"
        elif levels != (factor.default,) and name not in study.in_recipes:
            shown = _listed([str(factor.shown(level)) for level in levels])
            said += f", {name.replace('_', ' ')} {shown}"
    if study.recipes:
        said += f", recipes {_listed([recipe.name for recipe in study.recipes])}"
    return said


def _compared(study: "Study") -> str:
    ptq = any(ARMS[arm].conversion == "ptq" for arm in study.arms)
    qat = any(TRAININGS[ARMS[arm].training].quantized for arm in study.arms)
    if ptq and qat:
        return "PTQ against QAT"
    quantized = "PTQ" if ptq else "QAT" if qat else ""
    if not quantized:
        return "Float models"
    floats = any(ARMS[arm].number_format == "float32" for arm in study.arms)
    return f"{quantized} against float" if floats else quantized


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
