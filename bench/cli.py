"""The command: parse, call one function, print. Heavy imports stand inside the commands."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench import __version__
from bench.errors import InputError

if TYPE_CHECKING:
    from bench.plan import Cell

app = typer.Typer(
    name="ptq-vs-qat",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Is PTQ really better than QAT, or than the float model? Many seeds, paired tests, "
    "compute-matched controls, one report with the answer first.\n\n"
    "**Start with:** `ptq-vs-qat run digits`",
)

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A TOML file, or the name of a shipped study.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override a field; may stand many times."),
]


def _example(*lines: str) -> str:
    return "**Examples**\n\n" + "\n\n".join(f"`{line}`" for line in lines)


@app.command(
    epilog=_example(
        "ptq-vs-qat run digits",
        "ptq-vs-qat run digits --set seeds=30 --set budgets=[1,16] --out results/longer",
        "ptq-vs-qat run digits --until decided --max-seeds 40 --out results/until-decided",
        "ptq-vs-qat run my-study.toml --address auto",
    )
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
    from bench.progress import RunProgress
    from bench.study import load

    # The analysis, with SciPy, is imported when it is needed: workers start sooner.
    loaded = load(study, overrides or ())
    if until is not None:
        from bench.sequential import declare

        loaded = declare(loaded, until, max_seeds)
    elif max_seeds is not None:
        raise InputError("--max-seeds", f"found {max_seeds} alone", "allowed: with --until")
    folder = (out or Path("results") / Path(study).stem).expanduser()  # `ray job submit` quotes ~
    _interrupt_on(signal.SIGTERM, signal.SIGHUP)

    def more() -> Sequence["Cell"]:
        from bench.sequential import next_cells
        from bench.store import read

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

    _show(report.write(folder), folder)


@app.command(
    epilog=_example("ptq-vs-qat plan digits", "ptq-vs-qat plan digits --set seeds=50 --sd 2.5")
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
        typer.Option(min=0, help="SD over seeds of a paired difference, in pp, to assume."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="CPUs to estimate the time for; by default all.")
    ] = None,
) -> None:
    """What would run, how long it takes, and the smallest difference that it can detect."""
    from bench.forecast import ASSUMED_SD, describe, forecast
    from bench.store import Store
    from bench.study import load
    from bench.times import MEASURED

    loaded = load(study, overrides or ())
    store = Store(out) if out else None
    pilot = store.pilot_sds(loaded.primary_contrasts) if store else ()
    if sd is not None:
        sds, source = (sd,), "as given by --sd"
    elif pilot:
        sds, source = pilot, f"smallest, median and largest in {out}"
    else:
        sds, source = ASSUMED_SD, "assumed; --sd or a pilot (--out FOLDER) gives your own"
    measured = store.statuses(*MEASURED, "train_s", "convert_s", "eval_s") if store else ()
    made = forecast(loaded, measured, sds, workers or os.cpu_count() or 1)
    typer.echo(describe(loaded, made, source))


@app.command(
    epilog=_example(
        "ptq-vs-qat analyze results/digits",
        "ptq-vs-qat analyze results/digits --population seeds+examples",
        "ptq-vs-qat analyze my-runs.csv --out report --delta 0.3",
        'ptq-vs-qat analyze my-runs.parquet --out report --contrasts "new - old, newer - old"',
    )
)
def analyze(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            help="A result folder; or a table of your own, CSV or Parquet: columns seed, arm, one "
            "or more metrics, and if you like dataset, model, budget, extra and factors.",
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
    factors: Annotated[
        str | None, typer.Option(help="Of a table: numeric columns that are factors, a, b.")
    ] = None,
    contrasts: Annotated[
        str | None, typer.Option(help='Of a table: "a - b, c - b"; by default every pair of arms.')
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Of a table: smallest difference that matters.")
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="Of a table: level of the tests.")] = None,
) -> None:
    """Make the report again from the Parquet files alone, or one of your own table.

    Imports neither TensorFlow nor Ray.
    """
    from bench import report
    from bench.analysis import POPULATIONS

    if population not in POPULATIONS:
        raise InputError("--population", repr(population), f"allowed: {', '.join(POPULATIONS)}")
    of_a_table = {
        "--out": out,
        "--factors": factors,
        "--contrasts": contrasts,
        "--delta": delta,
        "--alpha": alpha,
    }
    if not results.exists():
        raise InputError(
            "RESULTS", f"no {str(results)!r}", "allowed: a result folder, or a CSV or Parquet file"
        )
    if results.is_dir():
        for option, value in of_a_table.items():
            if value is not None:
                raise InputError(
                    option, f"{str(results)!r} is no table", "allowed: with a CSV or Parquet file"
                )
        _show(report.write(results, population), results, population)
        return
    if out is None:
        raise InputError("--out", "missing", "allowed: a folder for the table's report")
    made = report.write_table(
        results,
        out,
        factors=_listed(factors),
        contrasts=None if contrasts is None else _listed(contrasts),
        delta=delta,
        alpha=0.05 if alpha is None else alpha,
    )
    _show(made, out, population)


@app.command(
    epilog=_example(
        "ptq-vs-qat compare float.tflite int8.tflite --data digits",
        "ptq-vs-qat compare a.tflite b.tflite --data ./mnist --input-scale 127.5 --input-offset -1",
    )
)
def compare(
    a: Annotated[str, typer.Argument(metavar="A.tflite", help="A model file.")],
    b: Annotated[str, typer.Argument(metavar="B.tflite", help="The one to compare it with.")],
    data: Annotated[
        str,
        typer.Option(
            help="A dataset's name, or a folder with test.parquet, with a slash (./name)."
        ),
    ],
    delta: Annotated[float, typer.Option(help="Smallest difference that matters, in pp.")] = 0.5,
    alpha: Annotated[float, typer.Option(help="Level of the test and the interval.")] = 0.05,
    scale: Annotated[
        list[float] | None,
        typer.Option(
            "--input-scale",
            help="The input is x / scale + offset. By default the dataset's own scale (255 for "
            "pixels); 1 feeds raw pixels. Once for both files, or twice: for A, then for B.",
        ),
    ] = None,
    offset: Annotated[
        list[float] | None,
        typer.Option("--input-offset", help="-1, with a scale of 127.5, for inputs in [-1, 1]."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here too.")
    ] = None,
) -> None:
    """Two model files that are there already: which is better, and could one tell?

    Says what each file really is, then tests the difference on the data's test examples.
    """
    from bench import compare as comparing
    from bench.compare_terminal import as_json, print_comparison

    made = comparing.compare(
        a, b, data, delta=delta, alpha=alpha, scales=scale or (), offsets=offset or ()
    )
    print_comparison(made)
    if json:
        try:
            json.write_text(as_json(made), "utf-8")
        except OSError as error:
            raise InputError(
                "--json", f"cannot write {str(json)!r} ({error.strerror})", "allowed: a new file"
            ) from None


@app.command(
    epilog=_example(
        "ptq-vs-qat power --seeds 20 --sd 1.2",
        "ptq-vs-qat power --difference 0.5 --sd 1.2 --tests 16",
        "ptq-vs-qat power --examples 10000 --churn 2",
    )
)
def power(
    seeds: Annotated[int | None, typer.Option(help="Seeds that both arms share.")] = None,
    sd: Annotated[
        float | None, typer.Option(help="SD over seeds of the paired difference, in pp.")
    ] = None,
    difference: Annotated[
        float | None, typer.Option(help="True difference, or margin of equivalence, in pp.")
    ] = None,
    examples: Annotated[int | None, typer.Option(help="Test examples.")] = None,
    churn: Annotated[
        float | None,
        typer.Option(help="Percent of test examples that only one of the two models has right."),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Level of the family, two-sided.")] = 0.05,
    tests: Annotated[int, typer.Option(help="Tests in the family: each at alpha / tests.")] = 1,
    target: Annotated[
        float, typer.Option("--power", help="Chance to find what is there, 0 to 1.")
    ] = 0.8,
) -> None:
    """Difference, seeds, test-set size: any of them from the others."""
    from rich.console import Console

    from bench.power_command import Asked, print_answers, solve

    asked = Asked(seeds, sd, difference, examples, churn, alpha, tests, target)
    print_answers(asked, solve(asked), Console())


@app.command(name="list")
def list_() -> None:
    """The datasets, models, arms and studies that are there."""
    import ast
    import tomllib

    from rich.console import Console
    from rich.table import Table

    from bench import datasets, models
    from bench.arms import ARMS
    from bench.study import shipped

    def sentence(package: Any, name: str) -> str:
        source = (Path(package.__path__[0]) / f"{name}.py").read_text("utf-8")
        return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]

    groups = {
        "datasets": {name: sentence(datasets, name) for name in datasets.names()}
        | {"./FOLDER": sentence(datasets, "parquet_folder")},
        "models": {name: sentence(models, name) for name in models.names()},
        "arms": {arm.name: arm.sentence for arm in ARMS.values()},
        "studies": {
            name: tomllib.loads(path.read_text("utf-8")).get("title", "")
            for name, path in shipped().items()
        },
    }
    console = Console()
    for group, entries in groups.items():
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for name, text in entries.items():
            table.add_row(f"  {name}", text)
        console.print(f"[bold]{group}[/]")
        console.print(table)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"ptq-vs-qat {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


def _show(analysis: Any, folder: Path, population: Any = "seeds") -> None:
    from bench.report.terminal import print_verdicts

    print_verdicts(analysis, population=population)
    typer.echo(f"report: {folder / 'report.html'}")


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _interrupt_on(*signals: signal.Signals) -> None:
    """Make these end the run as Ctrl-C does: a lost ssh connection sends SIGHUP."""

    def interrupt(number: int, _: Any) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    for each in signals:
        signal.signal(each, interrupt)


def main() -> None:
    """Entry point: bad input is one message and exit code 2."""
    try:
        app(standalone_mode=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
