"""What the documentation names is there: tables, files, commands and their options."""

import re
import runpy
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from bench.cli.app import app
from bench.plan.forecast import primary_family
from bench.statistics.families import fewest_seeds
from bench.study import Study, validate

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "cluster").glob("*.md"),
    ]
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
FIELDS = runpy.run_path(str(ROOT / "docs" / "study_fields.py"))
COMMANDS = typer.main.get_command(app).commands
SECTION = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    titles = SECTION.findall(re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL))
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_what_is_there(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def lines_of_code(text: str) -> list[str]:
    """Lines of code blocks, those that end in a backslash joined with the next."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    blocks += ["\n".join(re.findall(r"^    (.*(?:\n    .*)*)", text, flags=re.MULTILINE))]
    return [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]


def called(text: str) -> list[list[str]]:
    """The words of every call of the command: in code blocks, and between backticks."""
    spans = re.findall(r"`((?:ptq-vs-qat|python -m bench) [^`]*)`", text)
    found = []
    for line in (*lines_of_code(text), *(" ".join(span.split()) for span in spans)):
        match = re.search(r"(?:^|[\s$/])(?:ptq-vs-qat|-m bench) (.*)", line)
        if match and not line.lstrip().startswith(("#", "//")):
            found.append(shlex.split(match[1].replace(" …", ""), comments=True))
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_and_options_exist(page):
    for words in called(text_of(page)):
        if words[0].startswith("-"):
            assert words[0] in {"--help", "--version"}, words
            continue
        assert words[0] in COMMANDS, f"{page.name}: {words}"
        known = {option for p in COMMANDS[words[0]].params for option in p.opts} | {"--help"}
        for word in words[1:]:
            if word in ("|", "&&", ">", ";"):
                break
            if re.match(r"--?[a-z]", word):
                assert word.partition("=")[0] in known, f"{page.name}: {words}"


def test_options_that_are_named_alone_exist():
    known = {option for command in COMMANDS.values() for p in command.params for option in p.opts}
    others = {"--help", "--version", "--real", "--seeds"}
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for option in re.findall(r"`(--[a-z-]+)", text_of(page)):
            assert option in known | others, f"{page.name}: {option}"


def test_the_calls_are_found():
    block = "```console\n$ ptq-vs-qat run digits --out x \\\n    --set a=1  # c\n```\n"
    text = f"{block}Say `ptq-vs-qat list`."
    assert called(text) == [["run", "digits", "--out", "x", "--set", "a=1"], ["list"]]
    assert called("Not `ptq-vs-qat`, and no call.") == []
    assert sum(len(called(text_of(page))) for page in PAGES) > 20


def test_the_tables_of_a_study_are_those_of_the_code():
    page = text_of(ROOT / "docs" / "your-own-study.md")
    assert page == FIELDS["written"](page), "python docs/study_fields.py writes them anew"


def test_the_studies_on_the_page_are_valid():
    page = text_of(ROOT / "docs" / "your-own-study.md")
    studies = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    assert len(studies) == 5
    for text in studies:
        assert isinstance(validate(tomllib.loads(text), "your-own-study.md"), Study)


def test_how_many_seeds_families_need():
    page = " ".join(text_of(ROOT / "docs" / "your-own-study.md").split())
    one, two = re.search(r"at 4 budgets need (\d+) seeds, at two momenta (\d+)", page).groups()
    plain = Study.model_validate({})
    both = {"batch_norm_momentum": [0.9, 0.99], "primary_over": "batch_norm_momentum"}
    for seeds, study in ((one, plain), (two, Study.model_validate(both))):
        assert fewest_seeds(0.05, primary_family(study)) == int(seeds)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_paths_of_the_repository_are_there(page):
    named = re.findall(r"`((?:bench|tests|docs|cluster)/[A-Za-z0-9_./-]+)", text_of(page))
    for path in named:
        if "NAME" not in path:
            assert (ROOT / path).exists(), f"{page.name}: {path}"
