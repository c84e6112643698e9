"""Write the outputs under the commands of a page: python docs/outputs.py docs/claims.md

A block of `console` that starts with `$ ptq-vs-qat claim` is run, 80 columns wide.
"""

import re
import shlex
import sys
from pathlib import Path

from typer.testing import CliRunner

from bench.cli.app import app

BLOCK = re.compile(r"```console\n\$ ptq-vs-qat (claim [^\n]*)\n(.*?)```", re.DOTALL)


def written(page: str) -> str:
    """The page with the output of every such command below it."""
    return BLOCK.sub(
        lambda block: f"```console\n$ ptq-vs-qat {block[1]}\n{_output(block[1])}```", page
    )


def _output(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command), env={"COLUMNS": "80"})
    if done.exit_code:
        raise RuntimeError(f"{command}: {done.output}{done.exception}")
    return "".join(f"{line.rstrip()}\n" for line in done.output.splitlines())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(written(path.read_text("utf-8")), "utf-8")
