"""`gate`: may the new one be released? For people and for CI."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.options import CacheOption, FactorsOption, IgnoreOption, listed, renamed, written
from bench.console import visible
from bench.errors import InputError

EXAMPLES = (
    'ptq-vs-qat gate results/digits --contrast "qat - ptq" --margin 0.5 --setting budget=8',
    'ptq-vs-qat gate runs.csv --contrast "new - old" --margin 0.3 --summary gate.md',
    "ptq-vs-qat gate results/new --baseline results/released --arm qat --margin 0.5",
    "ptq-vs-qat gate new.tflite old.tflite --data ./mnist --margin 0.5 --json gate.json",
)

EXIT = {"passed": 0, "failed": 1, "undecided": 3, "withheld": 3}


def gate(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULTS | TABLE | NEW.tflite OLD.tflite",
            help="A result folder, a table of your own, or two model files.",
        ),
    ],
    margin: Annotated[
        float, typer.Option(help="How much worse the new one may be, in the metric's unit (pp).")
    ],
    contrast: Annotated[
        str | None, typer.Option(metavar='"NEW - OLD"', help="Of a folder or a table: two arms.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=LEVEL", help="Only settings with this level; may stand often."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Compare --arm with an older run's, seed by seed."),
    ] = None,
    arm: Annotated[str | None, typer.Option(help="With --baseline: the arm.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Of two files: a dataset's name, a file or a folder of data.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Of each wrong decision.")] = 0.05,
    population: Annotated[
        str, typer.Option(metavar="seeds|seeds+examples", help="Whom it speaks about.")
    ] = "seeds",
    metric: Annotated[str | None, typer.Option(help="Where there are several.")] = None,
    better: Annotated[
        str | None,
        typer.Option(metavar="higher|lower", help="Of a metric whose name does not say it."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A=B", help='Of a table, as for analyze: "run=seed".')
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="Of a table: a row per seed and a column per arm.")
    ] = False,
    factors: FactorsOption = None,
    ignore: IgnoreOption = None,
    percent: Annotated[
        str | None, typer.Option(metavar="A,B", help="Of a table: metrics in percent, 0 to 100.")
    ] = None,
    scale: Annotated[
        list[float] | None,
        typer.Option("--input-scale", help="Of two files, as for compare: x / scale + offset."),
    ] = None,
    offset: Annotated[
        list[float] | None, typer.Option("--input-offset", help="Of two files, as for compare.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a Markdown summary here.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the decision here.")
    ] = None,
    cache: CacheOption = None,
) -> None:
    """May the new one be released? Is it shown to be no worse than the old one by MARGIN or more?

    One line, and an exit code: 0 passed, 1 failed (shown to be worse by more than the margin), 3
    undecided or withheld by a check, 2 bad input. At several settings all must pass.
    """
    from bench.analysis.gating import Asked
    from bench.analysis.settings import wanted
    from bench.cli import gated

    tables = {
        "--columns": columns,
        "--wide": wide or None,
        "--factors": factors,
        "--ignore": ignore,
        "--percent": percent,
    }
    files = {"--data": data, "--input-scale": scale, "--input-offset": offset}
    runs = {"--contrast": contrast, "--setting": setting, "--metric": metric, "--better": better}
    older = {"--baseline": baseline, "--arm": arm}
    if better not in (None, "higher", "lower"):
        raise InputError("--better", repr(better), "allowed: higher, lower")

    def asked(name: str) -> Any:
        return Asked(name, margin, alpha, wanted(setting or ()), population, metric, better)

    if len(given) > 1 or data is not None or given[0].endswith(".tflite"):
        others = {"--population": None if population == "seeds" else population}
        _only(files, "two model files", tables | runs | older | others)
        if cache is not None:
            from bench.datasets.reading.cache import use

            use(cache)
        release = gated.of_files(given, data, asked(""), scale or (), offset or ())
    else:
        from bench.analysis import gating
        from bench.store.files import is_folder

        results = Path(given[0])
        if not (is_folder(results) or results.exists()):
            allowed = "allowed: a result folder, a table, or two .tflite files"
            raise InputError("RESULTS", f"no {given[0]!r}", allowed)
        if is_folder(results) and baseline is not None:
            _only(older, "--baseline", tables | files | {"--contrast": contrast})
            if arm is None:
                raise InputError("--arm", "missing", "allowed: the arm that --baseline compares")
            release = gating.of_folder(results, asked(""), baseline, arm)
        else:
            _only(runs, "a folder or a table", files | older)
            if contrast is None:
                raise InputError("--contrast", "missing", "allowed: as in 'ptq - float'")
            if is_folder(results):
                _only(runs, "a result folder", tables)
                release = gating.of_folder(results, asked(contrast))
            else:
                from bench.analysis.roles import Declared

                declared = Declared(
                    metrics=None if metric is None else [metric],
                    factors=listed(factors),
                    ignore=listed(ignore),
                    percent=listed(percent),
                    lower=[metric] if metric is not None and better == "lower" else [],
                )
                release = gating.of_table(
                    results, asked(contrast), declared=declared, columns=renamed(columns), wide=wide
                )
    if summary is not None:
        written("--summary", summary, gated.as_markdown(release))
    if json is not None:
        written("--json", json, gated.as_json(release))
    typer.echo(visible(gated.line(release)))
    raise typer.Exit(EXIT[release.outcome])


def _only(allowed: dict[str, Any], what: str, others: dict[str, Any]) -> None:
    for option, value in others.items():
        if value not in (None, []):
            raise InputError(option, f"does not go with {what}", f"allowed: {', '.join(allowed)}")
