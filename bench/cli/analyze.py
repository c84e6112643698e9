"""`analyze`: the report again, or one of somebody's own table."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import FactorsOption, IgnoreOption, listed, renamed, show
from bench.console import visible
from bench.errors import InputError

EXAMPLES = (
    "ptq-vs-qat analyze results/digits",
    "ptq-vs-qat analyze results/digits --population seeds+examples --self-check 20000",
    "ptq-vs-qat analyze my-runs.csv --out report --delta 0.3",
    'ptq-vs-qat analyze my-runs.parquet --out report --contrasts "new - old, newer - old"',
    'ptq-vs-qat analyze my-runs.csv --out report --columns "run=seed, method=arm" --ignore notes',
    "ptq-vs-qat analyze wide.csv --out report --wide --metrics accuracy",
)


def analyze(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            help="A result folder; or a table of your own, CSV, JSON or Parquet: columns seed, "
            "arm, one or more metrics (or example, prediction and label), and if you like dataset, "
            "model, budget, extra and factors.",
        ),
    ],
    population: Annotated[
        str,
        typer.Option(
            metavar="seeds|seeds+examples",
            help="Whom conclusions speak about: new seeds on this test set, or new test examples "
            "too.",
        ),
    ] = "seeds",
    out: Annotated[Path | None, typer.Option(help="Of a table: the folder for its report.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A=B", help='Of a table: what its columns are called here, "run=seed".'
        ),
    ] = None,
    wide: Annotated[
        bool,
        typer.Option(
            "--wide",
            help="Of a table: a row per seed and a column per arm; --metrics names what they hold.",
        ),
    ] = False,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Of a table: the metrics; by default all numbers."),
    ] = None,
    factors: FactorsOption = None,
    ignore: IgnoreOption = None,
    percent: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Of a table: metrics in percent, 0 to 100."),
    ] = None,
    lower_is_better: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Of a table: metrics that are better where lower; losses, errors "
            "and times are known by name.",
        ),
    ] = None,
    contrasts: Annotated[
        str | None, typer.Option(help='Of a table: "a - b, c - b"; by default every pair of arms.')
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Of a table: smallest difference that matters.")
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="Of a table: level of the tests.")] = None,
    self_check: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Sets of differences that the report's check of itself draws, 100 or more; by "
            "default as many as take a second or two.",
        ),
    ] = None,
) -> None:
    """Make the report again from the Parquet files alone, or one of your own table.

    Imports neither TensorFlow nor Ray.
    """
    from bench import report
    from bench.analysis import POPULATIONS
    from bench.analysis.roles import Declared
    from bench.store.files import is_folder, shown

    if population not in POPULATIONS:
        raise InputError("--population", repr(population), f"allowed: {', '.join(POPULATIONS)}")
    if self_check is not None and not 100 <= self_check <= 10**6:
        allowed = "allowed: 100 to 1,000,000"
        raise InputError("--self-check", f"found {self_check}", allowed)
    of_a_table = {
        "--out": out,
        "--columns": columns,
        "--wide": wide or None,
        "--metrics": metrics,
        "--factors": factors,
        "--ignore": ignore,
        "--percent": percent,
        "--lower-is-better": lower_is_better,
        "--contrasts": contrasts,
        "--delta": delta,
        "--alpha": alpha,
    }
    if not (is_folder(results) or results.exists()):
        raise InputError(
            "RESULTS", f"no {str(results)!r}", "allowed: a result folder, or a CSV or Parquet file"
        )
    if is_folder(results):
        for option, value in of_a_table.items():
            if value is not None:
                raise InputError(
                    option, f"{str(results)!r} is no table", "allowed: with a CSV or Parquet file"
                )
        made = report.read(results, self_check)
        try:
            report.write_report(made, results, population)
        except OSError as error:
            reason = error.strerror or str(error)
            said = f"{shown(results)} takes no files ({reason}): no report is written there"
            typer.echo(visible(said), err=True)
            show(made, None, population)
        else:
            show(made, results, population)
        return
    if out is None:
        raise InputError("--out", "missing", "allowed: a folder for the table's report")
    made = report.write_table(
        results,
        out,
        population,
        self_check,
        declared=Declared(
            metrics=None if metrics is None else listed(metrics),
            factors=listed(factors),
            ignore=listed(ignore),
            percent=listed(percent),
            lower=listed(lower_is_better),
        ),
        columns=renamed(columns),
        wide=wide,
        contrasts=None if contrasts is None else [contrasts],
        delta=delta,
        alpha=0.05 if alpha is None else alpha,
    )
    show(made, out, population)
