"""`run`: what is missing of a study, then its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import interrupts
from bench.cli.options import (
    AddressOption,
    CacheOption,
    OutOption,
    SetOption,
    StudyArgument,
    WorkersOption,
    show,
)
from bench.errors import InputError

if TYPE_CHECKING:
    from bench.analysis import Analysis
    from bench.cli.failures import Failures
    from bench.plan.cells import Cell

EXAMPLES = (
    "ptq-vs-qat run digits",
    "ptq-vs-qat run digits --set seeds=30 --set budgets=[1,16] --out results/longer",
    "ptq-vs-qat run digits --until decided --max-seeds 40 --out results/until-decided",
    "ptq-vs-qat run my-study.toml --address auto",
    "ptq-vs-qat run digits --set seeds=1 --keep-models --out results/files",
)


def run(
    study: StudyArgument,
    out: OutOption = None,
    overrides: SetOption = None,
    address: AddressOption = None,
    cache: CacheOption = None,
    workers: WorkersOption = None,
    keep_models: Annotated[
        bool,
        typer.Option("--keep-models", help="Keep every TFLite file, in models/ of the folder."),
    ] = False,
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

    Kill it at any moment: the same command goes on where it was. Exit code: 0 done, 1 cells failed
    or a check did, 2 bad input, 130 interrupted.
    """
    from bench import runner
    from bench.cli.plan import foretold
    from bench.cli.progress import RunProgress
    from bench.console import Console, visible
    from bench.store.files import shown as files_shown
    from bench.store.lock import writing
    from bench.study import load

    if cache is not None:
        from bench.datasets.reading.cache import use

        use(cache)
    # The analysis, with SciPy, is imported when it is needed: workers start sooner.
    loaded = load(study, overrides or ())
    if until is not None:
        from bench.plan.looks import declare

        loaded = declare(loaded, until, max_seeds)
    elif max_seeds is not None:
        raise InputError("--max-seeds", f"found {max_seeds} alone", "allowed: with --until")
    folder = (out or Path("results") / Path(study).stem).expanduser()  # `ray job submit` quotes ~

    def more() -> Sequence["Cell"]:
        from bench.analysis.next_look import look
        from bench.store.folder import Store

        return look(Store(folder))

    def forecast(cpus: int) -> str:
        try:
            return foretold(loaded, folder, None, cpus)
        except InputError:  # an earlier run's files are damaged, which is no matter here
            return foretold(loaded, None, None, cpus)

    try:
        with interrupts.raised():
            with RunProgress(Console(stderr=True), forecast) as progress:
                asked = more if loaded.sequential else None
                runner.run(
                    loaded,
                    folder,
                    progress,
                    address or None,
                    workers,
                    asked,
                    keep_models=keep_models,
                )
            from bench import report

            with writing(files_shown(folder)):
                made = report.write(folder)
            show(made, folder)
    except KeyboardInterrupt:
        interrupts.end("interrupted; the same command goes on from here\n")
    if said := [*_failures(progress.failures), *_withheld(made)]:
        typer.echo(visible("\n".join(said)), err=True)
        raise typer.Exit(1)


def _failures(failures: "Failures") -> list[str]:
    return failures.table() if failures else []


def _withheld(analysis: "Analysis") -> list[str]:
    """Checks that have failed: what they withhold."""
    from bench.statistics.families import Verdict

    withheld = sum(c.verdict == Verdict.WITHHELD for c in analysis.comparisons)
    if not withheld:
        return []
    return [f"a check has failed: {withheld} verdicts are withheld, and the report says why"]
