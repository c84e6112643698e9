"""`new`: a file to put a network, a pipeline or a program of one's own into."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.cli import starters
from bench.console import visible
from bench.errors import InputError

EXAMPLES = ("ptq-vs-qat new mine.py", "ptq-vs-qat new mine.py --kind pipeline")

Kind = Literal["network", "pipeline", "command"]

TEXTS: dict[Kind, str] = {
    "network": starters.NETWORK,
    "pipeline": starters.PIPELINE,
    "command": starters.COMMAND,
}


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="Where to write it.")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="network: a Keras network and data; pipeline: functions of any framework, one for "
            "each arm; command: a program in any language."
        ),
    ] = "network",
) -> None:
    """Write a commented file to put your own network, pipeline or program into. It runs so."""
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise InputError("FILE.py", f"found {str(file)!r}", "allowed: a name such as mine.py")
    texts = {file: TEXTS[kind]}
    if kind == "command":
        texts[file.with_name(f"{file.stem}_program.py")] = starters.PROGRAM
    for path in texts:
        if path.exists():
            raise InputError("FILE.py", f"{str(path)!r} is there already", "allowed: a new file")
    for path, text in texts.items():
        try:
            with path.open("x", encoding="utf-8") as opened:
                opened.write(text.replace("STEM", file.stem).replace("NAME", str(file)))
        except OSError as error:
            raise InputError(
                "FILE.py", f"cannot write {str(path)!r} ({error.strerror})", "allowed: a new file"
            ) from None
    written = " and ".join(map(str, texts))
    is_are = "is" if len(texts) == 1 else "are"
    typer.echo(visible(f"{written} {is_are} written; next: ptq-vs-qat check {file}"))
