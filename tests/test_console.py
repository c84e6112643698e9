"""Names that would control a terminal, or break an SVG, become visible signs."""

import io
import subprocess
import sys
import xml.etree.ElementTree as ET

from bench.console import Console, visible
from bench.report import svg

HOSTILE = "qat\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x7f"


def test_every_control_character_but_tab_and_newline_gets_a_sign():
    every = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
    kept = [c for c in visible(every) if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0]
    assert kept == ["\t", "\n"]
    assert visible("Größe 3×\n") == "Größe 3×\n"


def test_on_a_terminal_only_what_rich_sends_controls_it():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, color_system="standard", highlight=False)
    console.print(f"[bold]{HOSTILE}[/]")
    shown = visible(HOSTILE.replace("\x07", ""))  # rich leaves the bell out by itself
    assert text.getvalue() == f"\x1b[1m{shown}\x1b[0m\n"


def test_a_study_of_such_a_title_is_planned_and_refused_plainly(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text('title = "tidy \\u001b[2J\\u009b31m"\nseeds = 2\nbudgets = [1]\n')
    for fields, code in ([], 0), (["--set", "arms=\x1b[2J"], 2):
        done = subprocess.run(
            [sys.executable, "-m", "bench", "plan", study, *fields], capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        said = done.stdout + done.stderr
        assert visible(said) == said


def test_a_figure_with_such_a_name_is_well_formed():
    drawn = '<?xml version="1.0"?><svg viewBox="0 0 9 9"><text>a\x1b\x00\x0b\ufffe</text></svg>'
    made = svg.standalone(svg.clean(drawn, "a"), HOSTILE)
    assert "a␛␀␋" in "".join(ET.fromstring(made).itertext())
