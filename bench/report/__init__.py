"""A result folder's report: contrasts.parquet, report.html, report.md, figures/*.svg.

content.py holds what is said, once; html.py and markdown.py render it, terminal.py prints the
verdicts. Neither TensorFlow nor Ray is ever imported here.
"""

from pathlib import Path

from bench import store
from bench.analysis import Analysis, Population, analyze


def write(folder: Path, population: Population = "seeds") -> Analysis:
    """Analyze a result folder and write its report into it.

    population: whom report.md speaks about, and what report.html shows until the reader switches.
    Raises InputError for a folder that is none, or whose files do not fit each other.
    """
    analysis = analyze(store.read(folder))
    write_report(analysis, folder, population)
    return analysis


def write_report(analysis: Analysis, folder: Path, population: Population = "seeds") -> None:
    """Write the report of an analysis that is already made."""
    from bench.report import content, figures, html, markdown

    report = content.build(analysis)
    out = store.Store(folder)
    out.write_contrasts(analysis.rows)
    drawn = {f"{figure.id}.svg": figure for figure in report.figures()}
    for name, figure in drawn.items():
        out.write_text(f"figures/{name}", figures.standalone(figure.svg, figure.alt))
    for old in (folder / "figures").glob("*.svg"):
        if old.name not in drawn:
            old.unlink()
    out.write_text("report.md", markdown.render(report, population))
    out.write_text("report.html", html.render(report, population))
