"""The command: parse, call one function, print. Heavy imports stand inside the commands."""

import sys
from typing import Annotated

import typer

from bench import __version__
from bench.cli import (
    analyze,
    check,
    claim,
    compare,
    doctor,
    gate,
    list,
    new,
    plan,
    power,
    run,
    synthesize,
)
from bench.console import visible
from bench.errors import InputError, Unfinished

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


def _epilog(examples: tuple[str, ...]) -> str | None:
    if not examples:
        return None
    return "**Examples**\n\n" + "\n\n".join(f"`{line}`" for line in examples)


for _name, _command, _examples in (
    ("run", run.run, run.EXAMPLES),
    ("plan", plan.plan, plan.EXAMPLES),
    ("analyze", analyze.analyze, analyze.EXAMPLES),
    ("compare", compare.compare, compare.EXAMPLES),
    ("synthesize", synthesize.synthesize, synthesize.EXAMPLES),
    ("claim", claim.claim, claim.EXAMPLES),
    ("gate", gate.gate, gate.EXAMPLES),
    ("power", power.power, power.EXAMPLES),
    ("new", new.new, new.EXAMPLES),
    ("check", check.check, check.EXAMPLES),
    ("doctor", doctor.doctor, doctor.EXAMPLES),
    ("list", list.list_, list.EXAMPLES),
):
    app.command(name=_name, epilog=_epilog(_examples))(_command)


def main() -> None:
    """Entry point: bad input is one message and exit code 2."""
    try:
        app(standalone_mode=True)
    except InputError as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        sys.exit(2)
    except Unfinished as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        sys.exit(1)
