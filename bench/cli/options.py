"""What several commands share."""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.console import visible
from bench.errors import InputError

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A TOML file, your own FILE.py, or a shipped study.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override a field; may stand many times."),
]

CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        envvar="PTQ_VS_QAT_CACHE",
        metavar="FOLDER",
        help="Where decoded data are kept for the next time; by default the user's cache folder.",
    ),
]

OutOption = Annotated[
    Path | None, typer.Option(help="The result folder. By default results/ and the study's name.")
]

AddressOption = Annotated[
    str | None,
    typer.Option(
        envvar="RAY_ADDRESS",
        help="A Ray cluster to run on; without one, a local Ray is started on loopback.",
    ),
]

WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes of a local Ray; by default one per CPU.")
]

CpusOption = Annotated[
    int | None, typer.Option(min=1, help="CPUs to estimate the time for; by default all.")
]

FactorsOption = Annotated[
    str | None, typer.Option(metavar="A,B", help="Of a table: columns that are factors.")
]

IgnoreOption = Annotated[
    str | None, typer.Option(metavar="A,B", help="Of a table: columns that are left out.")
]


def show(analysis: Any, folder: Path | None, population: Any = "seeds") -> None:
    """Print the verdicts, and where the report is if it was written."""
    from bench.report.terminal import print_verdicts
    from bench.store.files import shown

    print_verdicts(analysis, population=population)
    if folder is not None:
        rest = "each setting, every test and the figures are in the report"
        typer.echo(visible(f"{rest}: {shown(folder, 'report.html')}"))


def written(option: str, path: Path, text: str) -> None:
    """Write a file that an option asks for; InputError where that cannot be."""
    from bench.store.files import shown

    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise InputError(
            option, f"cannot write {shown(path)!r} ({error.strerror})", "allowed: a new file"
        ) from None


def listed(text: str | None) -> list[str]:
    """Names between commas; one that holds a comma itself stands in double quotes."""
    parts = next(csv.reader([text or ""], skipinitialspace=True), [])
    return [part.strip() for part in parts if part.strip()]


def renamed(text: str | None) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for part in listed(text):
        old, _, new = (name.strip() for name in part.rpartition("="))
        if not old or not new or new in renamed.values():
            raise InputError(
                "--columns", repr(part), 'allowed: name=meaning, each once, as in "run=seed"'
            )
        renamed[old] = new
    return renamed
