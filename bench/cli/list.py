"""`list`: datasets, models, metrics, arms and studies."""

from pathlib import Path
from typing import Any

EXAMPLES: tuple[str, ...] = ()


def list_() -> None:
    """The datasets, models, metrics, arms and studies that are there."""
    import ast
    import tomllib

    from rich.table import Table

    from bench import datasets, metrics, models
    from bench.console import Console
    from bench.datasets import kinds
    from bench.study import shipped
    from bench.study.arms import ARMS

    def sentence(package: Any, name: str) -> str:
        source = (Path(package.__path__[0]) / f"{name}.py").read_text("utf-8")
        return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]

    groups = {
        "datasets": {name: sentence(datasets, name) for name in datasets.names()}
        | {kinds.module(kind).EXAMPLE: sentence(kinds, kind) for kind in kinds.KINDS[2:]},
        "models": {name: sentence(models, name) for name in models.names()},
        "metrics": {
            name: f"{sentence(metrics, name)} ({metrics.get(name).direction})"
            for name in metrics.names()
        },
        "arms": {arm.name: arm.sentence for arm in ARMS.values()},
        "studies": {
            name: fields.get("title") or fields.get("guess", "")
            for name, path in shipped().items()
            for fields in [tomllib.loads(path.read_text("utf-8"))]
        },
    }
    console = Console()
    for group, entries in groups.items():
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for name, text in entries.items():
            table.add_row(f"  {name}", text)
        console.print(f"[bold]{group}[/]")
        console.print(table)
