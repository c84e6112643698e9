"""What every section of the report keeps, found by looking: a new one is tested by being there."""

import pkgutil
import xml.etree.ElementTree as ET
from importlib import import_module
from pathlib import Path

import pytest

from bench.analysis import Analysis, analyze
from bench.report import build, content, html, markdown, sections, svg
from bench.report.content import Report, Section
from bench.store import folder as store
from tests import synthetic
from tests.report.pages import Page

FOUND = sorted(module.name for module in pkgutil.iter_modules(sections.__path__))


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Of a sequential study, tested on groups, in which one cell failed and one diverged."""

    def spoil(row: dict) -> dict:
        if (row["arm"], row["seed"], row["budget"]) == ("qat", 3, 1):
            row |= {"status": "failed", "error": "out of memory", "predictions": None}
        if (row["arm"], row["seed"], row["budget"]) == ("qat", 4, 1):
            row["status"] = "diverged"
        return row

    folder = tmp_path_factory.mktemp("results")
    # Seeds were added by looks, so that this has its section too.
    study = synthetic.study(
        seeds=12, budgets=[1, 4], batch_size=[32, 64], randomness=["all", "order"],
        sequential={"looks": [10, 12]},
    )  # fmt: skip
    return analyze(store.read(synthetic.write(folder, study, edit=spoil, groups=8)))


@pytest.fixture(scope="module")
def whole(analysis: Analysis) -> Report:
    return build.build(analysis)


def alone(whole: Report, name: str) -> Report:
    parts = tuple(part for part in whole.parts if part.id == name)
    return Report(whole.title, whole.populations, (), parts)


def test_every_section_has_its_place() -> None:
    assert sorted(build.SECTIONS) == FOUND


@pytest.mark.parametrize("name", FOUND)
def test_renders_in_both_formats(whole: Report, name: str) -> None:
    report = alone(whole, name)
    assert report.parts, "has something to say about such a study"
    for population in report.populations:
        page = Page.of(html.render(report, population))
        assert "None" not in page.text.replace("None:", "")
        text = markdown.render(report, population)
        for figure in shown(report, population):
            assert f"](figures/{figure.id}.svg)" in text
        for part in report.parts:
            title = (part.variants.get(None) or part.variants[population]).title
            assert not title or f"## {title}" in text


def shown(report: Report, population: content.Population) -> list[content.Figure]:
    return [
        figure
        for part in report.parts
        for key, section in part.variants.items()
        if key in (None, population)
        for figure in content.figures_of(section.blocks)
    ]


@pytest.mark.parametrize("name", FOUND)
def test_figures_have_a_caption_and_alternative_text_and_are_svg(whole: Report, name: str) -> None:
    for figure in alone(whole, name).figures():
        assert len(figure.caption) > 40
        assert len(figure.alt) > 40
        root = ET.fromstring(svg.standalone(figure.svg, figure.alt))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "nan" not in figure.svg


def test_says_the_same_twice(analysis: Analysis, whole: Report) -> None:
    assert build.build(analysis) == whole


@pytest.mark.parametrize("name", FOUND)
def test_bears_a_study_in_which_nothing_worked(tmp_path: Path, name: str) -> None:
    def fail(row: dict) -> dict:
        return row | {"status": "failed", "error": "no", "predictions": None, "accuracy": None}

    study = synthetic.study(seeds=2, budgets=[1])
    failed = analyze(store.read(synthetic.write(tmp_path, study, edit=fail)))
    built = import_module(f"bench.report.sections.{name}").build(failed, "seeds")
    assert built is None or isinstance(built, Section)
    Page.of(html.render(build.build(failed)))


def test_ids_stand_once_in_the_whole_page_and_references_have_a_target(whole: Report) -> None:
    page = Page.of(html.render(whole))
    twice = {i for i in page.ids if page.ids.count(i) > 1}
    assert not twice
    assert {reference[1:] for reference in page.references} <= set(page.ids)
