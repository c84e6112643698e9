"""`claim`: what somebody's accuracies can prove, without any data or training."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import written
from bench.errors import InputError

EXAMPLES = (
    "ptq-vs-qat claim float=90.1 ptq=93.2 qat=87.0 --examples 1000",
    "ptq-vs-qat claim float=71.03 qat=71.06 --examples 50000 --json claim.json",
    "ptq-vs-qat claim ptq=92.4 qat=91.8 --examples 10000 --runs 5 --like results/digits",
)


def claim(
    accuracies: Annotated[
        list[str],
        typer.Argument(
            metavar="ARM=ACCURACY...",
            help="Two or more arms with their accuracies in percent, as they were written (87 is "
            "not 87.0), the earlier ones first.",
        ),
    ],
    examples: Annotated[
        int, typer.Option(metavar="N", help="Test examples, the same for all arms.")
    ],
    runs: Annotated[
        int, typer.Option(metavar="R", help="Of how many runs each accuracy is the mean.")
    ] = 1,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A result folder of your own, in place of the shipped studies' SDs over seeds.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(metavar="E", help="Hold it against runs of so many float epochs only."),
    ] = None,
    delta: Annotated[float, typer.Option(help="Smallest difference that matters, in pp.")] = 0.5,
    alpha: Annotated[float, typer.Option(help="Level of the tests.")] = 0.05,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here too.")
    ] = None,
) -> None:
    """What can accuracies prove, that somebody else has measured?

    Of the files: whether exact McNemar can tell them apart, over all overlaps of their errors. Of
    the recipes: how often a rerun would turn the sign, from SDs over seeds as measured in studies.
    """
    from bench.analysis import claims, priors
    from bench.cli.claimed import as_json, print_claim
    from bench.console import Console
    from bench.store.files import shown

    given = []
    for text in accuracies:
        name, _, value = text.rpartition("=")
        if not name.strip():
            raise InputError("ARM=ACCURACY", f"found {text!r}", "allowed: as in float=90.1")
        given.append((name.strip(), value.strip()))
    known = priors.shipped() if like is None else priors.of_folder(like, shown(like))
    if budget is not None:
        there = sorted({prior.budget for prior in known})
        known = tuple(prior for prior in known if prior.budget == budget)
        if not known:
            raise InputError(
                "--budget",
                f"found {budget}: no study has it",
                f"allowed: {', '.join(map(str, there)) or 'none'}",
            )
    found = claims.examine(given, known, examples=examples, runs=runs, alpha=alpha, delta=delta)
    if json:
        written("--json", json, as_json(found))
    print_claim(found, Console(), shipped=like is None)
