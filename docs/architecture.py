"""Draws docs/architecture.svg from the import rules in pyproject.toml.

`python docs/architecture.py`.

A row per layer, what each part is for from the first line of its docstring; a part may import what
stands below it, and nothing else (import-linter holds that). tests/test_architecture.py fails
where the picture is not that of the rules.
"""

import ast
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDTH, ROW, GAP = 760, 62, 10


def layers() -> list[list[str]]:
    """The layers, from the top: the parts of each."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = rules["tool"]["importlinter"]["contracts"]
    (found,) = [rule["layers"] for rule in contracts if rule["type"] == "layers"]
    return [layer.split(" | ") for layer in found]


def sentence(part: str) -> str:
    """The first sentence of a part's docstring, up to its first colon's end."""
    path = ROOT / "bench" / part / "__init__.py"
    path = path if path.is_file() else ROOT / "bench" / f"{part}.py"
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def draw() -> str:
    """The picture as SVG."""
    rows = layers()
    height = len(rows) * (ROW + GAP) + 2 * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>The layers of bench, from the command line to errors: a part imports only what "
        "stands below it</title>",
        "<style>svg{background:#fff}rect{fill:#f2f5f8;stroke:#5b6b7b}text{fill:#1f2328}"
        ".name{font-weight:600}@media (prefers-color-scheme:dark){svg{background:#14171b}"
        "rect{fill:#1f252c;stroke:#8fa1b3}text{fill:#d9dde2}}</style>",
    ]
    for at, names in enumerate(rows):
        y = GAP + at * (ROW + GAP)
        width = (WIDTH - GAP * (len(names) + 1)) / len(names)
        for place, name in enumerate(names):
            x = GAP + place * (width + GAP)
            parts.append(
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{ROW}" rx="5"/>'
                f'<text class="name" x="{x + 12:.0f}" y="{y + 22}">bench.{escape(name)}</text>'
            )
            for line, text in enumerate(_wrapped(sentence(name), int(width / 6.6))[:2]):
                parts.append(
                    f'<text x="{x + 12:.0f}" y="{y + 39 + 15 * line}">{escape(text)}</text>'
                )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _wrapped(text: str, most: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > most and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.svg").write_text(draw(), "utf-8")
