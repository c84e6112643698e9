"""`check`: does all of a study fit together, before hours are spent?"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from bench.cli.options import CpusOption, SetOption, StudyArgument

if TYPE_CHECKING:
    from bench.pipelines.data_checks import Check

EXAMPLES = ("ptq-vs-qat check mine.py", "ptq-vs-qat check digits")


def check(
    study: StudyArgument,
    overrides: SetOption = None,
    workers: CpusOption = None,
) -> None:
    """Does all of a study fit together? Under a minute, before hours are spent.

    Looks at data and models, makes every arm once of untrained weights, and measures what the study
    will take. Exit code: 0 all is well, 1 something is not, with what to do about it.
    """
    from bench.cli import interrupts
    from bench.runner import checks
    from bench.study import load

    try:
        with interrupts.raised():
            loaded = load(study, overrides or ())
            failed = print_checks(checks.run(loaded, workers or os.cpu_count() or 1))
    except KeyboardInterrupt:
        interrupts.end("interrupted; nothing was changed\n")
    if failed:
        raise typer.Exit(1)


def print_checks(made: Iterable[tuple[str, "Check"]]) -> int:
    """Print checks as they are made, each with what it is about. Returns how many have failed."""
    from rich.markup import escape

    from bench.console import Console

    console = Console(highlight=False, soft_wrap=True)
    failed, before = 0, None
    for about, found in made:
        if about != before:
            console.print(f"[bold]{escape(about)}[/]")
            before = about
        tick = "[green]✓[/]" if found.ok else "[red]✗[/]"
        console.print(f"  {tick} {escape(found.what)}: {escape(found.found)}")
        if not found.ok:
            failed += 1
            console.print(f"    → {escape(found.remedy)}")
    console.print(f"{failed} to mend" if failed else "all is well")
    return failed
