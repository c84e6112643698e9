"""What it costs, what to do next, and the methods paragraph: numbers from the rows themselves."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.analysis import Analysis, analyze
from bench.analysis.comparisons import OPEN
from bench.report import build, content, html, markdown
from bench.store import folder as store
from bench.study import load
from tests import synthetic


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    def timed(row: dict[str, Any]) -> dict[str, Any]:
        row["bytes"] += row["seed"] if row["arm"] == "qat" else 0
        row["train_s"] = 3.0 * row["budget"] * (row["arm"] == "float")
        return row

    folder = tmp_path_factory.mktemp("results")
    study = synthetic.study(seeds=12, budgets=[1, 2], delta=0.25)
    return analyze(store.read(synthetic.write(folder, study, edit=timed)))


def section(analysis: Analysis, title: str) -> str:
    text = markdown.render(build.build(analysis), "seeds").replace("\N{NO-BREAK SPACE}", " ")
    return re.split(r"^## ", text.split(f"## {title}\n")[1], flags=re.M)[0]


def test_costs_are_those_of_the_rows(analysis: Analysis):
    lines = [line for line in section(analysis, "What it costs").splitlines() if "| `" in line]
    rows = {cells[1].strip(" `"): [c.strip() for c in cells[2:-1]]
            for cells in (line.split("|") for line in lines)}  # fmt: skip
    assert rows["float"][:3] == ["20,000", "0", "9"]
    assert rows["qat"][:3] == ["20,000 to 20,011", "9", "0"]
    latency = sorted(40.0 + seed % 7 for seed in range(12) for _ in range(2))
    assert float(rows["float"][3]) == pytest.approx(np.median(latency), abs=0.05)
    # 24 files: the 7th smallest and largest, P(Bin(24, 1/2) <= 6) = 0.0113 <= 0.025 < P(<= 7)
    assert rows["float"][4] == f"[{latency[6]:.3g}, {latency[17]:.3g}]"
    assert rows["float"][5] == "24"
    assert rows["float"][6] == "3.0 to 6.0"
    assert rows["ptq"][6] == "0.0"


def test_next_steps_name_seeds_commands_and_their_cost(analysis: Analysis):
    text = section(analysis, "What to do next")
    primary = [c for c in analysis.select("seeds") if c.family == "primary"]
    still = [c for c in primary if c.verdict in OPEN]
    needs = sorted(max(13, c.seeds_needed, c.seeds_needed_equivalence) for c in still)
    per_seed = 2 * sum(0.2 + 1e-9 for _ in {s.arm for s in analysis.samples}) + 3.0 + 6.0
    found = re.findall(
        r"\*\*([\d,]+) seeds\*\* in place of 12 would do for (\d+) of the (\d+) primary contrasts? "
        r"without a plain verdict, in about ([\d,]+) CPU minutes? more: `([^`]+)`", text
    )  # fmt: skip
    assert found
    for target, reached, of, minutes, command in found:
        seeds = int(target.replace(",", ""))
        assert seeds in needs
        assert int(reached) == sum(need <= seeds for need in needs)
        assert int(of) == len(still)
        taken = max(1, int(np.ceil((seeds - 12) * per_seed / 60 - 1e-6)))
        assert int(minutes.replace(",", "")) == taken
        assert command == f"ptq-vs-qat run study.toml --out . --set seeds={seeds}"
    assert found[-1][1] == found[-1][2]
    hour = re.search(r"CPU hour\*\* gives about ([\d,]+) seeds", text)
    assert int(hour[1].replace(",", "")) == int(3600 // per_seed)


def test_the_command_is_one_that_run_understands(analysis: Analysis, tmp_path: Path):
    text = section(analysis, "What to do next")
    seeds = int(re.search(r"--set seeds=(\d+)", text)[1])
    folder = synthetic.write(tmp_path, analysis.study)
    assert load(str(folder / "study.toml"), [f"seeds={seeds}"]).seeds == tuple(range(seeds))


def test_the_methods_paragraph_says_what_was_done_and_no_more(analysis: Analysis, tmp_path: Path):
    text = section(analysis, "For a paper")
    m = {c.m for c in analysis.select("seeds") if c.family == "primary"}
    assert f"over {m.pop()} primary contrasts" in text
    assert "from 12 seeds" in text
    assert "Equivalence within ±0.25 pp" in text
    assert "crossed random effects (Owen, 2007)" in text
    assert "confidence" not in text
    looks = synthetic.study(seeds=12, budgets=[1], sequential={"looks": [8, 12]})
    folder = synthetic.write(tmp_path, looks)
    other = section(analyze(store.read(folder)), "For a paper")
    assert "repeated confidence intervals (Jennison & Turnbull, 1989)" in other
    assert "Holm" not in other


def test_the_answers_table_has_a_row_per_contrast_and_leads_to_figure_and_numbers(
    analysis: Analysis, tmp_path: Path
):
    for made in (analysis, many(tmp_path)):
        report = build.build(made)
        text = markdown.render(report, "seeds")
        rows = [line for line in text.split("The answer, row by row")[1].splitlines()
                if line.startswith("| ")][:14]  # fmt: skip
        table = [line for line in rows if "[figure](#every-contrast-with-its-interval)" in line]
        shown = dict.fromkeys(line.split("|")[1].split("`")[1] for line in table)
        asked = [line.split("|")[1] for line in table if "? `" in line.split("|")[1]]
        assert [one.split("`")[1] for one in asked] == list(shown)  # each question once, beside it
        assert list(shown) == ["ptq - float", "qat - ptq", "qat - ptq+k"]
        assert all("[numbers](#table-of-differences)" in line for line in table)
        assert "## Every contrast, with its interval" in text
        assert "## Table of differences" in text
        page = html.render(report)
        for part in ("forest", "differences"):
            assert f'<a href="#{part}">' in page
            assert f'<section id="{part}">' in page


def test_the_answer_is_three_sentences_and_a_table_and_the_rest_is_folded(
    analysis: Analysis, tmp_path: Path
):
    for made in (analysis, many(tmp_path)):
        (blocks,) = (part.variants["seeds"].blocks for part in build.build(made).parts[:1])
        *sentences, table, folded = blocks
        assert 1 <= len(sentences) <= 3
        assert all(re.findall(r"[.?!](?= |$)", one.text) == ["."] for one in sentences)
        assert isinstance(table, content.Table)
        assert isinstance(folded, content.Details)


def many(folder: Path) -> Analysis:
    """More settings than the table has rows."""
    study = synthetic.study(seeds=6, budgets=[1, 2, 4], learning_rate=[0.001, 0.01])
    return analyze(store.read(synthetic.write(folder, study)))
