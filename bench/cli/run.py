"""`run`: what is missing of a study, then its report."""

import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.options import SetOption, StudyArgument, show
from bench.errors import InputError

if TYPE_CHECKING:
    from bench.plan.cells import Cell

EXAMPLES = (
    "ptq-vs-qat run digits",
    "ptq-vs-qat run digits --set seeds=30 --set budgets=[1,16] --out results/longer",
    "ptq-vs-qat run digits --until decided --max-seeds 40 --out results/until-decided",
    "ptq-vs-qat run my-study.toml --address auto",
)


def run(
    study: StudyArgument,
    out: Annotated[
        Path | None,
        typer.Option(help="The result folder. By default results/ and the study's name."),
    ] = None,
    overrides: SetOption = None,
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            help="A Ray cluster to run on; without one, a local Ray is started on loopback.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of a local Ray; by default one per CPU.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="decided|half-width=PP",
            help="Add seeds until every primary contrast is decided, or its interval that narrow.",
        ),
    ] = None,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="With --until: the declared maximum. Without one, intervals are wider and seeds "
            "are added for as long as it takes.",
        ),
    ] = None,
) -> None:
    """Run what is missing of a study, then write the report.

    Kill it at any moment: the same command goes on where it was.
    """
    from rich.console import Console

    from bench import runner
    from bench.cli.progress import RunProgress
    from bench.study import load

    # The analysis, with SciPy, is imported when it is needed: workers start sooner.
    loaded = load(study, overrides or ())
    if until is not None:
        from bench.plan.looks import declare

        loaded = declare(loaded, until, max_seeds)
    elif max_seeds is not None:
        raise InputError("--max-seeds", f"found {max_seeds} alone", "allowed: with --until")
    folder = (out or Path("results") / Path(study).stem).expanduser()  # `ray job submit` quotes ~
    _interrupt_on(signal.SIGTERM, signal.SIGHUP)

    def more() -> Sequence["Cell"]:
        from bench.analysis.next_look import next_cells
        from bench.store.folder import read

        return next_cells(read(folder))

    try:
        with RunProgress(Console(stderr=True)) as progress:
            asked = more if loaded.sequential else None
            runner.run(loaded, folder, progress, address or None, workers, asked)
    except KeyboardInterrupt:
        with suppress(OSError):  # a lost connection takes the terminal with it
            typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    from bench import report

    show(report.write(folder), folder)


def _interrupt_on(*signals: signal.Signals) -> None:
    """Make these end the run as Ctrl-C does: a lost ssh connection sends SIGHUP."""

    def interrupt(number: int, _: Any) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    for each in signals:
        signal.signal(each, interrupt)
