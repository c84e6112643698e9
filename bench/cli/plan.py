"""`plan`: what would run, how long it takes, what it can detect."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import CpusOption, SetOption, StudyArgument
from bench.console import visible

if TYPE_CHECKING:
    from bench.study import Study

EXAMPLES = (
    "ptq-vs-qat plan digits",
    "ptq-vs-qat plan digits --set seeds=50 --sd 2.5",
)


def plan(
    study: StudyArgument,
    overrides: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A result folder: what is there is not counted, its times and SDs are."),
    ] = None,
    sd: Annotated[
        float | None,
        typer.Option(min=0, help="SD over seeds of a paired difference, in the metric's unit."),
    ] = None,
    workers: CpusOption = None,
) -> None:
    """What would run, how long it takes, and the smallest difference that it can detect."""
    from bench.study import load

    typer.echo(visible(foretold(load(study, overrides or ()), out, sd, workers)))


def foretold(study: "Study", out: Path | None, sd: float | None, workers: int | None) -> str:
    """A study's forecast in words; out: a folder whose times and SDs are used."""
    from bench.plan.forecast import ASSUMED_SD, describe, forecast
    from bench.plan.times import MEASURED
    from bench.store.files import shown
    from bench.store.folder import Store

    store = Store(out) if out else None
    metric = study.declared_metrics()[0]
    pilot = store.pilot_sds(study.primary_contrasts, metric.name) if store else ()
    if sd is not None:
        sds, source = (sd,), "as given by --sd"
    elif pilot:
        sds, source = pilot, f"smallest, median and largest in {shown(out or '')}"
    elif metric.unit != "pp":
        sds, source = (), f"not known in {metric.unit}; --sd or a pilot (--out FOLDER) says it"
    else:
        sds, source = ASSUMED_SD, "assumed; --sd or a pilot (--out FOLDER) gives your own"
    measured = store.statuses(*MEASURED, "train_s", "convert_s", "eval_s") if store else ()
    made = forecast(study, measured, sds, workers or os.cpu_count() or 1)
    return describe(study, made, source)
