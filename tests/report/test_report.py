"""The files of a report: self-contained, the same every time, true to the numbers."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bench import report
from bench.analysis import analyze
from bench.report import content, html, markdown, notes, terminal, text_width, words
from bench.report.sections import answer
from bench.statistics.checks import Interval
from bench.store import folder as store
from tests import synthetic
from tests.report.pages import Page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = synthetic.write(tmp_path_factory.mktemp("r"), synthetic.study(seeds=12))
    report.write(folder)
    return folder


def test_needs_nothing_but_itself(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    page = Page.of(text)
    assert page.loaded == []
    outside = set(re.findall(r"https?://[^\s\"']+", text))
    assert outside == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in text
    assert "url(" not in text.replace("url(#", "")


def test_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    synthetic.write(tmp_path, synthetic.study(seeds=12))
    report.write(tmp_path)
    names = {
        p.relative_to(folder) for p in folder.rglob("*") if p.suffix in (".html", ".md", ".svg")
    }
    assert {p.relative_to(tmp_path) for p in tmp_path.rglob("*.svg")} < names
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_markdown_links_the_figures_that_lie_beside_it(folder: Path) -> None:
    linked = re.findall(r"\]\((figures/[^)]+)\)", (folder / "report.md").read_text())
    assert linked
    assert all((folder / name).is_file() for name in linked)


def test_old_figures_are_removed(tmp_path: Path) -> None:
    synthetic.write(tmp_path, synthetic.study(seeds=3, budgets=[1]))
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.svg").write_text("<svg/>")
    report.write(tmp_path)
    assert not (tmp_path / "figures" / "old.svg").exists()


def test_imports_neither_tensorflow_nor_ray_nor_what_is_slow(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bench import report;"
        "report.write(Path(sys.argv[1]));"
        "print([m for m in ('tensorflow', 'tf_keras', 'ray', 'pandas', 'scipy.stats',"
        " 'matplotlib.pyplot') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_incomplete_study_says_so_first(tmp_path: Path) -> None:
    def drop(row: dict) -> dict | None:
        return None if row["seed"] == 0 and row["arm"] == "qat" else row

    synthetic.write(tmp_path, synthetic.study(seeds=5, budgets=[1]), edit=drop)
    analysis = report.write(tmp_path)
    lines = (tmp_path / "report.md").read_text().splitlines()
    assert "This study is incomplete" in lines[2]
    assert "1 of 35 planned cells have no result" in lines[2]
    assert next(notes.build(analysis)).text.startswith("**This study is incomplete**")


def test_disagreeing_pipelines_are_said_at_the_top(tmp_path: Path) -> None:
    def spoil(row: dict) -> dict:
        return row | {"disagreements": 40} if row["arm"] == "float" else row

    synthetic.write(tmp_path, synthetic.study(seeds=4, budgets=[1]), edit=spoil)
    report.write(tmp_path)
    page = Page.of((tmp_path / "report.html").read_text()).text
    assert page.index("The pipeline has an error") < page.index("Is PTQ better")


def test_names_of_users_are_never_markup(tmp_path: Path) -> None:
    title = '<script>alert(1)</script> **"x" | `y`'
    synthetic.write(tmp_path, synthetic.study(title=title, seeds=3, budgets=[1]))
    report.write(tmp_path)
    page = Page.of((tmp_path / "report.html").read_text())
    assert page.tags.count("script") == 1
    assert title in page.text


@pytest.mark.parametrize(
    ("text", "html_form", "markdown_form"),
    [
        ("a **b** `c`", "a <strong>b</strong> <code>c</code>", "a **b** `c`"),
        ("**b `c` d**", "<strong>b <code>c</code> d</strong>", "**b `c` d**"),
        ("`**`", "<code>**</code>", "`**`"),
        ("<i> & |", "&lt;i&gt; &amp; |", r"\<i\> & \|"),
    ],
)
def test_prose_has_two_marks(text: str, html_form: str, markdown_form: str) -> None:
    assert html.inline(text) == html_form
    assert markdown.inline(text) == markdown_form


def test_code_cannot_be_left() -> None:
    assert content.code("a` **b** `c") == "`a **b** c`"
    assert content.code("") == "` `"


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (-5.4, "pp", "−5.40"),
        (12.345, "pp", "+12.3"),
        (0.001, "pp", "0.00"),
        (-0.001, "pp", "0.00"),
        (9.999, "pp", "+10.0"),
        (0.0001234, "nats", "+0.000123"),
        (1234.5, "ms", "+1234"),
        (float("inf"), "pp", "∞"),
        (None, "pp", "–"),
    ],
)
def test_numbers_for_readers(value: float | None, unit: str, expected: str) -> None:
    assert words.signed(value, unit) == expected


def test_p_values_are_never_rounded_to_0_or_up_to_1() -> None:
    assert words.p_value(0.0) == "<0.0001"
    assert words.p_value(0.00005) == "<0.0001"
    assert words.p_value(0.0123) == "0.012"
    assert words.p_value(0.9994) == "0.999"
    assert words.p_value(1.0) == "1.000"


def test_intervals_for_readers() -> None:
    assert words.interval(Interval(-1.25, 0.5)) == "[−1.25, +0.50]"
    assert words.interval(None) == "–"


def said(folder: Path, **kwargs: object) -> str:
    study = synthetic.study(seeds=12, budgets=[1], arms=["float", "ptq", "qat"])
    synthetic.write(folder, study, **kwargs)
    section = answer.build(analyze(store.read(folder)), "seeds")
    assert section is not None
    paragraphs = (block for block in section.blocks if isinstance(block, content.Paragraph))
    return "\n".join(block.text for block in paragraphs)


def counts_of(**difference: tuple[int, int]):
    """Per arm (mean, swing): correct of 1,000, swinging over seeds; float has 900."""

    def counts(cell) -> int:
        mean, swing = difference.get(cell.arm.replace("-", "_"), (0, 0))
        return 900 + mean + (swing if cell.seed % 2 else -swing)

    return counts


@pytest.mark.parametrize(
    ("ptq", "expected"),
    [
        ((30, 1), "PTQ is better than the float model by more than 0.5 pp"),
        ((-30, 1), "PTQ is worse than the float model by more than 0.5 pp"),
        ((2, 1), "PTQ is better than the float model, but by less than 0.5 pp"),
        ((6, 2), "PTQ is better than the float model, whether by more than 0.5 pp is undecided"),
        ((0, 1), "PTQ and the float model are equivalent within 0.5 pp"),
        ((0, 40), "it is undecided whether PTQ differs from the float model"),
    ],
)
def test_the_answer_says_what_the_verdict_says(
    tmp_path: Path, ptq: tuple[int, int], expected: str
) -> None:
    text = said(tmp_path, n=1000, counts=counts_of(ptq=ptq, qat=(-60, 5)))
    first = text.splitlines()[0]
    assert expected in first
    assert "no difference" not in text.lower()
    assert "same" not in first


def test_the_terminal_says_what_the_report_says(folder: Path) -> None:
    out = io.StringIO()
    analysis = analyze(store.read(folder))
    terminal.print_verdicts(analysis, Console(file=out, width=300))
    text = out.getvalue()
    for c in analysis.select("seeds"):
        if c.family == "primary":
            assert re.search(
                rf"{re.escape(c.name)} +{re.escape(str(c.verdict))}.* E = {c.setting.budget} ", text
            )
    assert "Is PTQ better than the float model?" in text
    assert "**" not in text


def test_a_label_that_is_cut_keeps_the_end_of_each_part():
    """There the levels stand, which tell the rows of a figure apart."""
    both = [f"calibration examples {n}, calibration draw random, E = 4" for n in (2, 200)]
    for room in (200, 240, 300):
        made = [text_width.shortened(text, room) for text in both]
        assert len(set(made)) == 2
        assert all(text_width.text_width(text) <= room for text in made)
        assert all(text.endswith("random, E = 4") for text in made)
    assert text_width.shortened(both[0], 900) == both[0]
