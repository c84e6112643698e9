"""`compare`: two model files that are there already."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import CacheOption, written

EXAMPLES = (
    "ptq-vs-qat compare float.tflite int8.tflite --data digits",
    "ptq-vs-qat compare a.tflite b.tflite --data ./mnist --input-scale 127.5 --input-offset -1",
)


def compare(
    a: Annotated[str, typer.Argument(metavar="A.tflite", help="A model file.")],
    b: Annotated[str, typer.Argument(metavar="B.tflite", help="The one to compare it with.")],
    data: Annotated[
        str,
        typer.Option(
            help="A dataset's name, a file of data, or a folder of such, with a slash (./name)."
        ),
    ],
    cache: CacheOption = None,
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

    Says what each file really is, then tests the difference on the data's test examples. Ends
    with 1 where the verdict is withheld: a quantized input that holds another range than it is
    fed (until --input-scale or --input-offset is given), or outputs that are not finite.
    """
    from bench.cli.comparison import as_json, print_comparison
    from bench.pipelines import files

    if cache is not None:
        from bench.datasets.reading.cache import use

        use(cache)
    made = files.compare(
        a, b, data, delta=delta, alpha=alpha, scales=scale or (), offsets=offset or ()
    )
    print_comparison(made)
    if json:
        written("--json", json, as_json(made))
    if made.withheld:
        raise typer.Exit(1)
