"""Analyses of made-up result folders, and one comparison of them."""

from pathlib import Path

from bench.analysis import Analysis, Comparison, analyze
from bench.store import folder as store
from tests import synthetic


def one(analysis: Analysis, name: str, population: str = "seeds", **setting: object) -> Comparison:
    found = [
        c
        for c in analysis.comparisons
        if c.name == name
        and c.population == population
        and c.pairs.kind == "contrast"
        and setting.items() <= c.setting.fields().items()
    ]
    assert len(found) == 1
    return found[0]


def analyzed(folder: Path, **fields: object) -> Analysis:
    synthetic.write(folder, synthetic.study(**fields))
    return analyze(store.read(folder))
