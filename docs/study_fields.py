"""Writes the tables of docs/your-own-study.md from bench.study: fields, factors, arms.

`python docs/study_fields.py`.

Defaults and types come from the model of a study and the table of factors; what a field means
stands here, and tests/test_docs.py fails where one is missing or the page is not what this writes.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bench.study import Study
from bench.study.arms import ARMS, PRIMARY
from bench.study.factors import FACTORS
from bench.study.resources import Reserving

PAGE = Path(__file__).parent / "your-own-study.md"

MEANINGS = {
    "title": "of the report, which says what ran where there is none, or where `--set` has changed "
    "what it was written for; results of another title "
    "need another folder",
    "datasets": "names, or paths of files and folders: [data](data.md)",
    "models": "names, as `ptq-vs-qat list` shows them",
    "seeds": "a number n (0 to n - 1), or a list",
    "budgets": "E: float training in `budget_unit`, a snapshot each",
    "extra": "k: training more in `extra_unit`, of QAT and of the controls, which other tables "
    "call the training more",
    "budget_unit": "what `budgets` counts: `epochs` or `steps` of float training",
    "extra_unit": "what `extra` counts: `epochs` of `extra_examples`, or `steps`",
    "arms": "see below; contrasts need both of their arms",
    "pin": "`pin.order = 7` gives every seed the data order of seed 7; also `initialization`, "
    "`calibration`, `augmentation`, `dropout`",
    "design": "`crossed`: each combination of the lists runs; `one-at-a-time`: the first of each "
    "list is the base, and each list varies with all else at it",
    "recipes": "tables `[[recipes]]` of a `name` and levels of factors that go together; the first "
    "is the base",
    "calibration_draws": "n draws of calibration examples for each seed: a contrast is their mean, "
    "and how much of its spread is theirs stands in the report",
    "resize": "`[height, width]` that images are brought to, where theirs are unlike: "
    "[data](data.md)",
    "label_column": "of Parquet and CSV files, where it is not called `label`",
    "audio": "`audio.bands = 10`: what sound becomes; also `rate`, `seconds`, `window_ms`, "
    "`hop_ms`, `floor_db`, `ceiling_db`",
    "diagnostics": "of how many seeds, the first ones, models are looked into layer by layer; or "
    "`all`",
    "guess": "a hypothesis in a sentence: the report begins with what this study says of it",
    "decides": "the contrast or effect whose one number answers the guess; the primary family, "
    "where `primary` declares no other",
    "direction": "`higher`, `lower` or `either`: on which side of 0 the guess expects it",
    "alpha": "level of the tests",
    "task": "`classification`, `regression`, or `reconstruction`, which finds anomalies by it; "
    "else what the first metric is for",
    "loss": "what training lowers: `cross_entropy`, `mse`, `mae`; else the first that fits",
    "metrics": "what models are measured by, the first one primary: `ptq-vs-qat list` shows them",
    "delta": "the smallest difference of the first metric that matters, in its unit (accuracy: pp, "
    "0.5), or by name, `delta = {mae = 0.1}`",
    "sequential": "looks at the data, as `run --until` fixes them: `looks`, `every`, `half_width`",
    "primary": 'the primary family: contrasts, and effects as `"learning_rate: qat - ptq"` or '
    '`"learning_rate=0.01: qat - ptq"`, also of `budget`, `extra`, `dataset`, `model`, `recipe`',
    "primary_over": "factors at whose every level the primary contrasts are primary; else at the "
    "baseline alone",
    "baseline": "`baseline.learning_rate = 0.01`: the level that effects of a factor are counted "
    "from; else its default, else its first level",
    "cpus": "CPUs that a task reserves on its node; TensorFlow keeps to one thread, for the bits",
    "gpus": "GPUs that a task reserves: a whole number, or a fraction of one that tasks share",
    "memory": 'memory that a task reserves: bytes, or `"4GB"`',
    "timeout": 'how long a task may take: seconds, or `"30min"`; else 10 times as long as its like '
    "took, at least 10 minutes",
    "require_same": '`"cpu"`: nodes of one CPU type alone get cells; else the arms of a seed stay '
    "on one type, and rows say which",
}


WRITTEN_BY_RUN = {"adapted", "own", "pipeline"}
"""Fields of a folder's study.toml that nobody writes by hand."""


def fields() -> str:
    """The fields of a study that are no factors."""
    rows = [
        (f"`{name}`", _default(name), MEANINGS[name])
        for name in sorted(Study.model_fields, key=_place)
        if name not in FACTORS and name not in WRITTEN_BY_RUN
    ]
    return _table(("field", "default", "meaning"), rows)


def _place(name: str) -> bool:
    """Those that every study inherits come last."""
    return name in Reserving.model_fields


def factors() -> str:
    """The factors: each a field that may be a list of levels."""
    rows = [
        (
            f"`{factor.name}`",
            _shown(factor.shown(factor.default)),
            _levels(factor),
            factor.stage,
            _reach(factor.stage),
            factor.meaning
            + (f"; not of a model with no {factor.lacking}" if factor.concerns else ""),
        )
        for factor in FACTORS.values()
    ]
    heads = ("factor", "default", "a level is", "stage", "reaches", "meaning")
    return _table(heads, rows)


def arms() -> str:
    return _table(("arm", "what it is"), [(f"`{a.name}`", a.sentence) for a in ARMS.values()])


TABLES = {"fields": fields, "factors": factors, "arms": arms}


def written(page: str) -> str:
    """The page with its tables made anew, each between two comments that name it."""
    for name, make in TABLES.items():
        start, end = f"<!-- {name}: by docs/study_fields.py -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(start)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"no table between {start} and {end}")
        page = f"{before}{start}\n\n{make()}\n\n{end}{after}"
    return page


def _default(name: str) -> str:
    if name == "seeds":
        return str(len(Study().seeds))
    if name == "arms":
        return "all"
    if name == "primary":
        return ", ".join(f"`{contrast}`" for contrast in PRIMARY)
    return _shown(getattr(Study(), name))


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "[its own](data.md#sound)"
    if value in (None, "", (), {}):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return f"`{value}`" if isinstance(value, str) else f"{value:g}"


def _levels(factor: Any) -> str:
    choices = getattr(factor.level, "__args__", None) if factor.type == "string" else None
    if choices:
        said = ", ".join(f"`{choice}`" for choice in choices)
    else:
        (limits,) = factor.level.__metadata__
        bounds = {type(each).__name__: each for each in limits.metadata}
        low = f"at least {bounds['Ge'].ge:g}" if "Ge" in bounds else f"above {bounds['Gt'].gt:g}"
        high = ""
        if "Lt" in bounds:
            high = f", below {bounds['Lt'].lt:g}"
        elif "Le" in bounds and bounds["Le"].le < 2**31 - 1:
            high = f", at most {bounds['Le'].le:,.0f}"
        said = f"a {'whole ' if factor.type.startswith('int') else ''}number, {low}{high}"
    return said + (f", or `{factor.none}`" if factor.none else "")


def _reach(stage: str) -> str:
    reached = {arm.name for arm in ARMS.values() if stage in arm.stages}
    left = [name for name in ARMS if name not in reached]
    if not left:
        return "all arms"
    said = ", ".join(f"`{name}`" for name in ARMS if name in reached)
    return said if len(reached) <= len(left) + 1 else "all but " + ", ".join(f"`{n}`" for n in left)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
