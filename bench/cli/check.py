"""`check`: does all of a study fit together, before hours are spent?"""

import os
from typing import Annotated

import typer

from bench.cli.options import SetOption, StudyArgument

EXAMPLES = ("ptq-vs-qat check mine.py", "ptq-vs-qat check digits")


def check(
    study: StudyArgument,
    overrides: SetOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="CPUs to estimate the time for; by default all.")
    ] = None,
) -> None:
    """Does all of a study fit together? Under a minute, before hours are spent.

    Looks at data and models, makes every arm once of untrained weights, and measures what the study
    will take. Exit code: 0 all is well, 1 something is not, with what to do about it.
    """
    from rich.markup import escape

    from bench.console import Console
    from bench.runner import checks
    from bench.study import load

    loaded = load(study, overrides or ())
    console = Console(highlight=False, soft_wrap=True)
    failed, before = 0, None
    for about, found in checks.run(loaded, workers or os.cpu_count() or 1):
        if about != before:
            console.print(f"[bold]{escape(about)}[/]")
            before = about
        tick = "[green]✓[/]" if found.ok else "[red]✗[/]"
        console.print(f"  {tick} {escape(found.what)}: {escape(found.found)}")
        if not found.ok:
            failed += 1
            console.print(f"    → {escape(found.remedy)}")
    console.print(f"{failed} to mend" if failed else "all is well")
    if failed:
        raise typer.Exit(1)
