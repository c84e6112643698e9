"""Writes docs/guesses.md: what each shipped `guess-...` study answered.

`python docs/guesses.py FOLDER`: it holds a result folder for each study that was run, by its name.
"""

import json
import sys
import tomllib
from pathlib import Path

from bench.study import shipped

PAGE = Path(__file__).parent / "guesses.md"

HEAD = """# The thread's guesses, each with a number

Each is a shipped study (`ptq-vs-qat run guess-one-epoch`), small enough for a few minutes on two
cores, and answers for one model on handwritten digits alone. *Supported*: significant in the
guess's direction and beyond 0.5 pp; *refuted*: equivalent within 0.5 pp, or significant the other
way; else *undecided*. Intervals are 95%. Run on 2 cores (x86-64) beside other work;
`python docs/guesses.py FOLDER` wrote this table from the result folders.

| study | guess | what decides | expected | answer | pp |
| --- | --- | --- | --- | --- | --- |
"""


def shown(value: float) -> str:
    """Two decimals, or as many as keep it from reading as 0."""
    digits = 2 if abs(value) >= 0.005 or value == 0 else 4
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def row(name: str, results: Path) -> str:
    fields = tomllib.loads(shipped()[name].read_text("utf-8"))
    said = f"| `{name}` | {fields['guess']} | `{fields['decides']}` | {fields['direction']} |"
    found = results / name / "verdicts.json"
    if not found.is_file():
        return f"{said} not run for this page | – |"
    answer = json.loads(found.read_text("utf-8"))["guess"]["answers"][0]
    low, high = answer["interval_simultaneous"]
    other = "" if answer["expected"] == fields["direction"] else f" of `{answer['contrast']}` alone"
    number = f"{shown(answer['mean'])} [{shown(low)}, {shown(high)}]{other}"
    return f"{said} {answer['answer']} | {number} |"


def main(results: Path) -> None:
    names = [name for name in shipped() if name.startswith("guess-")]
    PAGE.write_text(HEAD + "\n".join(row(name, results) for name in names) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
