"""`power`: difference, seeds, test-set size from one another."""

from typing import Annotated

import typer

EXAMPLES = (
    "ptq-vs-qat power --seeds 20 --sd 1.2",
    "ptq-vs-qat power --difference 0.5 --sd 1.2 --tests 16",
    "ptq-vs-qat power --examples 10000 --churn 2",
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
    from bench.cli.answers import Asked, print_answers, solve
    from bench.console import Console

    asked = Asked(seeds, sd, difference, examples, churn, alpha, tests, target)
    print_answers(asked, solve(asked), Console())
