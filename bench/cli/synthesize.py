"""`synthesize`: several studies together, one report."""

from pathlib import Path
from typing import Annotated

import typer

from bench.console import visible

EXAMPLES = (
    "ptq-vs-qat synthesize results/mnist results/cifar10 results/spoken-digits --out report "
    "--setting budget=4",
    'ptq-vs-qat synthesize results/* --out report --overall --contrast "qat - ptq+k"',
)


def synthesize(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...",
            help="Result folders; those of the same data, model and recipe are one study.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the report.")],
    setting: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=LEVEL", help="Only settings with this level; may stand often."),
    ] = None,
    overall: Annotated[
        bool,
        typer.Option("--overall", help="Where a study has several settings, their mean, per seed."),
    ] = False,
    contrast: Annotated[
        list[str] | None,
        typer.Option(metavar='"A - B"', help="Only this contrast; may stand often."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Where there are several.")] = None,
    alpha: Annotated[float, typer.Option(help="Level of tests and intervals.")] = 0.05,
) -> None:
    """What several studies say together of each contrast, and where a new study would lie.

    A random-effects meta-analysis with a forest plot per contrast, as HTML, Markdown and JSON.
    """
    from bench import report
    from bench.analysis.settings import wanted
    from bench.report.terminal import print_report
    from bench.store.files import shown

    made = report.write_synthesis(
        folders,
        out,
        settings=wanted(setting or ()),
        contrasts=contrast or (),
        metric=metric,
        overall=overall,
        alpha=alpha,
    )
    print_report(made)
    typer.echo(visible(f"report: {shown(out, 'report.html')}"))
