"""What several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A TOML file, your own FILE.py, or a shipped study.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override a field; may stand many times."),
]


def show(analysis: Any, folder: Path, population: Any = "seeds") -> None:
    from bench.report.terminal import print_verdicts

    print_verdicts(analysis, population=population)
    typer.echo(f"report: {folder / 'report.html'}")
