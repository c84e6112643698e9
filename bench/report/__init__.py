"""A result folder's report: contrasts.parquet, verdicts.json, report.html, report.md,
figures/*.svg.

content.py holds what is said, once; html.py and markdown.py render it, terminal.py prints the
verdicts. Neither TensorFlow nor Ray is ever imported here.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.analysis import Analysis, Population, analyze, beside
from bench.errors import InputError
from bench.report.content import Report
from bench.store import folder as store
from bench.store.files import shown


def write(
    folder: Path, population: Population = "seeds", self_check: int | None = None
) -> Analysis:
    """Analyze a result folder and write its report into it.

    population: whom report.md speaks about, and what report.html shows until the reader switches;
    self_check: draws of the report's check of itself, None for the usual. Raises InputError for a
    folder that is none, or whose files do not fit each other.
    """
    analysis = read(folder, self_check)
    write_report(analysis, folder, population)
    return analysis


def read(folder: Path, self_check: int | None = None) -> Analysis:
    """Analyze a result folder. Raises InputError for one that is none."""
    analysis = analyze(store.read(folder, spill=True))
    return replace(analysis, self_check=self_check)


def write_table(
    table: Path,
    out: Path,
    population: Population = "seeds",
    self_check: int | None = None,
    **options: Any,
) -> Analysis:
    """Analyze somebody's own results and write the same report.

    out: a folder for it, made if it is not there; options: of bench.analysis.table.analyze_table.
    Raises InputError for a table that cannot be analyzed, and for an `out` that holds a run's
    results.
    """
    from bench.analysis.table import analyze_table

    if store.Store(out).has("study.toml"):
        raise InputError(
            "--out", f"{shown(out)} holds a run's results", "allowed: a folder of its own"
        )
    analysis = replace(analyze_table(table, **options), self_check=self_check)
    populations = {c.population for c in analysis.comparisons}
    if population not in populations:
        raise InputError(
            "--population",
            f"{population!r} of a table, which has no test examples",
            f"allowed: {', '.join(sorted(populations))}",
        )
    write_report(analysis, out, population)
    return analysis


def write_synthesis(folders: Sequence[Path], out: Path, **options: Any) -> Report:
    """Pool several result folders and write the report over them into `out`, with synthesis.json.

    options: of bench.analysis.synthesis.synthesize. Returns the report's content. Raises InputError
    for folders that cannot be pooled, and for an `out` that holds a run's results.
    """
    from bench.analysis.synthesis import synthesize
    from bench.report import synthesis

    if store.Store(out).has("study.toml"):
        raise InputError(
            "--out", f"{shown(out)} holds a run's results", "allowed: a folder of its own"
        )
    together = synthesize(folders, **options)
    report = synthesis.build(together)
    store.Store(out).write_text("synthesis.json", synthesis.as_json(together))
    _write(report, out, "seeds")
    return report


def _held(out: Path) -> InputError:
    return InputError(
        "--out", f"{shown(out)} holds a run's results", "allowed: a folder of its own"
    )


def write_report(analysis: Analysis, folder: Path, population: Population = "seeds") -> None:
    """Write the report of an analysis that is already made."""
    from bench.report import build, verdicts

    if analysis.detailed:
        beside.exact_tests(c.pairs for c in analysis.comparisons if c.population == "seeds")
    out = store.Store(folder)
    out.write_contrasts(analysis.rows)
    out.write_text("verdicts.json", verdicts.render(analysis))
    if analysis.layers is not None:
        out.write_layers(analysis.layers)
    _write(build.build(analysis), folder, population)


def _write(report: Report, folder: Path, population: Population) -> None:
    """report.html, report.md and its figures, in place of those that were there."""
    from bench.report import html, markdown, svg

    out = store.Store(folder)
    drawn = {f"{figure.id}.svg": figure for figure in report.figures()}
    for name, figure in drawn.items():
        out.write_text(f"figures/{name}", svg.standalone(figure.svg, figure.alt))
    out.keep_only("figures", ".svg", drawn)
    out.write_text("report.md", markdown.render(report, population))
    out.write_text("report.html", html.render(report, population))
