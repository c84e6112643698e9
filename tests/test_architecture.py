"""The architecture page shows the parts and the rules that there are."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = runpy.run_path(str(ROOT / "docs" / "architecture.py"))


def test_the_picture_is_that_of_the_import_rules():
    drawn = (ROOT / "docs" / "architecture.svg").read_text("utf-8")
    assert drawn == PAGE["draw"](), "python docs/architecture.py draws it anew"


def test_every_part_has_a_line_on_the_page():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"^\| `bench/([a-z_]+)", text, flags=re.M))
    there = {
        p.stem
        for p in (ROOT / "bench").iterdir()
        if p.is_dir() or p.name in ("console.py", "errors.py", "results.py")
    }
    assert named == there - {"__pycache__"}


def test_paths_that_the_page_names_are_there():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for path in re.findall(r"`((?:bench|tests|docs)/[A-Za-z0-9_./-]+)`", text):
        assert (ROOT / path).exists(), path
