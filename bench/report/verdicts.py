"""verdicts.json: the verdicts for a program. Its schema is docs/verdicts.schema.json."""

import json
from math import isfinite
from typing import Any

from bench.analysis import METHODS, Analysis, Comparison
from bench.report import guess
from bench.statistics.checks import Interval

FORMAT = "ptq-vs-qat/verdicts/2"
"""Raised where a field goes or changes its meaning; new fields may come."""


def render(analysis: Analysis) -> str:
    """All comparisons with what decided them, as JSON; undefined and infinite numbers are null."""
    checks = analysis.checks
    families = dict.fromkeys(
        (c.family, c.pairs.metric, c.population, c.m) for c in analysis.comparisons if c.m
    )
    document = {
        "format": FORMAT,
        "title": analysis.title,
        "alpha": analysis.alpha,
        "complete": checks.complete,
        "believable": not (checks.disagreements or checks.wrong_formats),
        "guess": guess.document(
            analysis, list(dict.fromkeys(c.population for c in analysis.comparisons))
        ),
        "families": [
            {
                "family": family,
                "metric": metric,
                "population": population,
                "contrasts": m,
                "correction": METHODS[family],
            }
            for family, metric, population, m in families
        ],
        "verdicts": [_verdict(c) for c in analysis.comparisons],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _verdict(c: Comparison) -> dict[str, Any]:
    pairs = c.pairs
    return {
        "kind": pairs.kind,
        "factor": pairs.factor,
        "level": pairs.level,
        "reference": pairs.reference,
        "contrast": c.name,
        "setting": c.setting.fields(),
        "metric": pairs.metric,
        "unit": pairs.unit,
        "population": c.population,
        "family": c.family,
        "verdict": str(c.verdict),
        "withheld": list(c.withheld),
        "qualified": list(c.qualified),
        "mean": _finite(c.mean),
        "interval": _interval(c.interval),
        "interval_simultaneous": _interval(c.simultaneous),
        "p": c.p,
        "p_adjusted": c.p_adjusted,
        "p_equivalence_adjusted": c.p_equivalence_adjusted,
        "delta": pairs.margin,
        "seeds": c.n_seeds,
        "seeds_planned": pairs.planned,
        "seeds_needed": c.seeds_needed,
        "seeds_needed_equivalence": c.seeds_needed_equivalence,
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else value


def _interval(ends: Interval | None) -> list[float | None] | None:
    return None if ends is None else [_finite(ends.low), _finite(ends.high)]
