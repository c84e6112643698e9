"""Analysis -> the report's content: its sections in order."""

import importlib
from dataclasses import replace

from bench.analysis import Analysis
from bench.report import content
from bench.report.content import Part, Report

SECTIONS = (
    "answer",
    "believe",
    "forest",
    "looks",
    "accuracy",
    "costs",
    "one_epoch",
    "effects",
    "split",
    "inside",
    "one_run",
    "seeds",
    "churn",
    "differences",
    "groups",
    "checks",
    "self_check",
    "variance",
    "sources",
    "failures",
    "next_steps",
    "method",
    "paper",
)
"""Modules of bench.report.sections in the order of the report: answer, picture, numbers, method."""


def build(analysis: Analysis) -> Report:
    """The whole report. A section that has nothing to say (None) is left out."""
    from bench.report import notes

    populations = tuple(dict.fromkeys(c.population for c in analysis.comparisons)) or ("seeds",)
    parts = []
    for name in SECTIONS:
        module = importlib.import_module(f"bench.report.sections.{name}")
        variants = {
            population: replace(
                section,
                blocks=tuple(content.without_empty(block, "setting") for block in section.blocks),
            )
            for population in (populations if module.BY_POPULATION else (None,))
            if (section := module.build(analysis, population or "seeds")) is not None
        }
        if variants:
            parts.append(Part(name, variants))
    return Report(analysis.title, populations, tuple(notes.build(analysis)), tuple(parts))
