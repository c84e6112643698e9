"""No sentence of a report contradicts the numbers beside it, whatever the study or the table."""

import csv
import io
import re
from collections import Counter
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.analysis import Analysis, analyze
from bench.analysis.roles import Declared
from bench.analysis.table import analyze_table
from bench.errors import InputError
from bench.plan import cells as plan
from bench.report import build, markdown, terminal
from bench.store import folder as store
from bench.store.schema import RESULTS
from tests import synthetic
from tests.report.claims import Claims
from tests.report.reader import DIRECTED, INTERVAL, LABELS, NUMBER, Printed, Reader, label, number

EXPECTED = {"higher": "above 0", "lower": "below 0", "either": "away from 0"}
EXAMPLES = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # an example costs seconds: it is not made smaller
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ARMS = ("float", "ptq", "float+k", "ptq+k", "qat", "qat-recal", "qat-cal")
FEW_ARMS = (ARMS, ("float", "ptq", "qat"), ("ptq", "ptq+k", "qat", "qat-recal"), ("float", "ptq"))


@st.composite
def studies(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A study, and how its cells came out: per arm and budget a mean and a swing over seeds."""
    seeds = draw(st.sampled_from((2, 5, 8, 11, 14)))
    budgets = draw(st.sampled_from(([1], [1, 8], [1, 2, 4], [3, 5])))
    fields: dict[str, Any] = {
        "title": "",
        "seeds": seeds,
        "budgets": budgets,
        "extra": draw(st.sampled_from(([1], [1, 2]))),
        "budget_unit": draw(st.sampled_from(("epochs", "steps"))),
        "arms": list(draw(st.sampled_from(FEW_ARMS))),
        "models": draw(st.sampled_from((["bncnn"], ["bncnn"], ["bncnn", "resnet8"]))),
        "delta": draw(st.sampled_from((0.5, 0.25, 3.0))),
        "alpha": draw(st.sampled_from((0.05, 0.2))),
    }
    if draw(st.booleans()):
        fields["batch_norm_momentum"] = [0.9, 0.99]
        fields["primary_over"] = draw(st.sampled_from(([], ["batch_norm_momentum"])))
    elif draw(st.booleans()):
        fields["calibration_examples"] = [50, 100, 200, 400]
    if draw(st.booleans()):
        fields |= draw(st.sampled_from(designs(fields)))
    if draw(st.sampled_from((False, False, True))):  # lower is better, and real values
        fields["metrics"] = list(draw(st.sampled_from((("mae",), ("mae", "mse")))))
        fields["delta"] = draw(st.sampled_from((0.005, 0.05, {})))
    if seeds > 8 and draw(st.booleans()):
        fields["sequential"] = {"looks": draw(st.sampled_from(([seeds], [8, seeds])))}
    outcome = {
        "n": draw(st.sampled_from((200, 797))),
        "swing": draw(st.sampled_from((0, 1, 3, 20))),
        "offset": draw(st.sampled_from((0, 1, 2, 30))),
        "faults": draw(st.sampled_from((0.0, 0.0, 0.05, 0.3))),
        "random_state": draw(st.integers(0, 99)),
        "unsupported": draw(st.sampled_from(("", "", "qat"))),
        "stopped": draw(st.sampled_from((None, max(seeds - 2, 1)))),
        "near": draw(st.booleans()),
        "groups": draw(st.sampled_from((0, 0, 4, 12))),
    }
    return synthetic.study(**fields), outcome


def designs(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """What a study may have beside its lists: another design, recipes, a guess."""
    recipes = [
        {"name": "slow"}, {"name": "fast", "learning_rate": 0.01},
        {"name": "small", "batch_size": 8},
        {"name": "both", "batch_size": 8, "learning_rate": 0.01},
    ]  # fmt: skip
    found: list[dict[str, Any]] = [{"design": "one-at-a-time"}, {"recipes": recipes}]
    asked = ["ptq - float"]
    if len(fields["budgets"]) > 1:
        asked = ["budget: ptq - float"]
    one = all(len(fields.get(name, [1])) == 1 for name in ("budgets", "models", "extra"))
    if one or (len(fields["models"]) == 1 and "batch_norm_momentum" not in fields):
        found += [
            {"guess": "It is *so* `and` no other way", "decides": name, "direction": direction}
            for name in asked
            for direction in ("higher", "lower", "either")
            if not fields.get("primary_over")
        ]
    if "calibration_examples" in fields:
        found.append({"guess": "Few do", "decides": "calibration_examples: ptq - float",
                      "direction": "lower"})  # fmt: skip
    return found


def written(folder: Path, study: Any, outcome: dict[str, Any]) -> Counter[str]:
    """Write the study's folder; returns how many cells ended in which way."""
    rng = np.random.default_rng(outcome["random_state"])
    n, statuses = outcome["n"], Counter[str]()
    of_arm = {arm: int(rng.integers(-1, 2)) * outcome["offset"] for arm in ARMS}
    of_place: dict[tuple[Any, ...], int] = {}

    def counts(cell: plan.Cell) -> int:
        place = (cell.arm, cell.budget, cell.model)
        extra = of_place.setdefault(place, int(rng.integers(0, 2)) * of_arm[cell.arm])
        swing = int(rng.integers(-outcome["swing"], outcome["swing"] + 1))
        return int(np.clip(n // 2 + 10 * cell.seed + extra + swing, 0, n))

    def edit(row: dict[str, Any]) -> dict[str, Any] | None:
        if outcome["stopped"] is not None and row["seed"] >= outcome["stopped"]:
            statuses["missing"] += 1
            return None
        if outcome["unsupported"] and row["arm"].startswith(outcome["unsupported"]):
            row |= {"status": "unsupported", "error": "RuntimeError: no **such** `layer`"}
            row |= {"predictions": None, "number_format": None, "values": None}
        elif rng.random() < outcome["faults"]:
            how = rng.choice(["missing", "failed", "diverged"])
            if how == "missing":
                statuses["missing"] += 1
                return None
            row |= {"status": how, "error": "lost"}
            if how == "failed":
                row |= {"predictions": None, "number_format": None, "values": None}
        statuses[row["status"]] += 1
        return row

    groups = outcome.get("groups", 0)
    synthetic.write(folder, study, n=n, counts=counts, edit=edit, groups=groups)
    return statuses


def delta_at_an_end(analysis: Analysis, random_state: int) -> float:
    """A smallest difference that matters, a hair's breadth beside the end of some interval."""
    rng = np.random.default_rng(random_state)
    there = [c.simultaneous for c in analysis.comparisons if c.simultaneous is not None]
    # Beside the end that decides: the one nearer to 0 of a difference, the farther one of no other.
    ends = [(max if ends.holds(0) else min)(map(abs, ends)) for ends in there]
    finite = [end for end in ends if 0.0011 < end < 100] or [0.5]
    end = float(rng.choice(finite))
    return float(rng.choice([0.9999 * end, 1.0001 * end, round(end, 2), round(end, 2)])) or end


def families(analysis: Analysis) -> Counter[tuple[str, str, str]]:
    """From the rows of contrasts.parquet: those of a family, less those that cannot exist."""
    impossible = {arm for s in analysis.samples if s.unsupported for arm in [s.arm]}
    found: Counter[tuple[str, str, str]] = Counter()
    for c in analysis.comparisons:
        if not impossible & {c.pairs.contrast.a, c.pairs.contrast.b}:
            found[c.family, c.pairs.metric, c.population] += 1
    return found


def read(analysis: Analysis, text: str, **more: Any) -> Claims:
    deltas = {c.pairs.metric: c.pairs.delta for c in analysis.comparisons}
    of_unit = {c.pairs.unit: c.pairs.delta for c in analysis.comparisons}
    metric = analysis.samples[0].metric
    lower = frozenset(c.pairs.unit for c in analysis.comparisons if c.pairs.lower_is_better)
    more = {"lower": lower} | more
    return Claims(text, deltas | of_unit, analysis.alpha, metric=metric, **more)


def printed_on_a_terminal(analysis: Analysis, population: str) -> str:
    out = io.StringIO()
    terminal.print_verdicts(analysis, Console(file=out, width=500), population)
    return out.getvalue()


def check(reader: Claims, analysis: Analysis, population: str) -> None:
    reader.check_clauses()
    reader.check_tables()
    reader.check_counts(families(analysis), population)
    reader.check_seeds()
    reader.check_together()
    reader.check_headlines()
    reader.check_split()
    reader.check_shares()
    reader.check_belief()
    reader.check_inside()
    reader.check_self()
    said = Reader(
        printed_on_a_terminal(analysis, population), reader.delta, reader.alpha, reader.lower
    )
    said.check_clauses()
    verdicts = "|".join(sorted(LABELS, key=len, reverse=True))
    row = re.compile(rf"({verdicts})(\S*.*?)  .* ({NUMBER}) +{INTERVAL} *$")
    for line in said.lines:
        if match := row.search(line):
            kind, basis = label(match[1] + match[2])
            metric = next(
                (m for m in analysis_metrics(analysis) if f" {m} " in line), reader.metric
            )
            ends = Printed(number(match[3]), number(match[4]), number(match[5]), basis)
            if kind in (*DIRECTED, "equivalent", "undecided"):
                problem = ends.check(kind, reader.delta.get(metric))
                said.must(not problem, f"terminal: {kind}, but {problem}", line)
    assert reader.wrong + said.wrong == []


def analysis_metrics(analysis: Analysis) -> set[str]:
    return {c.pairs.metric for c in analysis.comparisons}


STOPPED = (
    synthetic.study(
        title="", seeds=12, budgets=[1, 8], arms=ARMS[:2], sequential={"looks": [8, 12]}
    ),
    {"n": 200, "swing": 20, "offset": 0, "faults": 0.0, "random_state": 0, "unsupported": "",
     "stopped": 11, "near": False},
)  # fmt: skip
"""Between two looks, with more seeds than the last one saw."""


@settings(EXAMPLES, max_examples=18)
@example(STOPPED)
@given(studies())
def test_of_any_study(tmp_path_factory: pytest.TempPathFactory, made: tuple[Any, Any]) -> None:
    study, outcome = made
    folder = tmp_path_factory.mktemp("study")
    statuses = written(folder, study, outcome)
    analysis = analyze(store.read(folder))
    if outcome["near"] and (delta := delta_at_an_end(analysis, outcome["random_state"])) > 0.001:
        study = study.model_copy(update={"delta": delta})
        (folder / "study.toml").write_text(study.to_toml())
        analysis = analyze(store.read(folder))
    made_of_it = build.build(analysis)
    spans = {"budget": log2(max(study.budgets) / min(study.budgets)), "calibration_examples": 3.0}
    planned = len(plan.cells(study))
    with_result = sum(n for status, n in statuses.items() if status in RESULTS)
    for population in dict.fromkeys(c.population for c in analysis.comparisons):
        reader = read(analysis, markdown.render(made_of_it, population), spans=spans)
        reader.check_cells(planned, with_result, statuses)
        if study.sequential is not None:
            reader.check_looks(population)
        if study.direction is not None:
            reader.check_guess(EXPECTED[study.direction])
        for budget in () if study.guess else study.budgets:
            reader.must(str(budget) in reader.lines[0], "a title of what ran", reader.lines[0])
        check(reader, analysis, population)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of somebody's own table, and what its user declares."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    seeds = draw(st.sampled_from((1, 2, 6, 9, 13)))
    arms = draw(st.sampled_from((("a", "b"), ("float", "ptq", "qat", "ptq+k"), ("x", "y", "z"))))
    metrics = draw(st.sampled_from((("accuracy",), ("accuracy", "loss"), ("loss",), ("auc", "ms"))))
    sizes = draw(st.sampled_from(((None,), ("s", "m"), (1, 2, 4, 8))))
    budgets = draw(st.sampled_from(((None,), (1, 4))))
    swing = draw(st.sampled_from((0.0, 0.0001, 0.01, 0.3)))
    offset = draw(st.sampled_from((0.0, 0.0002, 0.005, 0.2)))
    constant, gaps = draw(st.booleans()), draw(st.sampled_from((0.0, 0.0, 0.1)))
    rows = []
    for size in sizes:
        for budget in budgets:
            for at, arm in enumerate(arms):
                for seed in range(seeds):
                    row: dict[str, Any] = {"seed": seed, "arm": arm}
                    row |= {} if size is None else {"size": size}
                    row |= {} if budget is None else {"budget": budget}
                    for metric in metrics:
                        value = 0.6 + at * offset * int(rng.integers(0, 2)) + rng.normal(0, swing)
                        if constant and at == 0:
                            value = 0.5
                        scale = 1000.0 if metric == "ms" else 1.0
                        row[metric] = round(float(np.clip(value, 0.0, 1.0)) * scale, 4)
                        if rng.random() < gaps:
                            row[metric] = ""
                    rows.append(row)
    declared: dict[str, Any] = {"metrics": list(metrics)}
    if sizes != (None,):
        declared["factors"] = ["size"]
    options = {"declared": declared, "delta": draw(st.sampled_from((None, 0.5)))}
    options["near"] = draw(st.integers(0, 9))
    return rows, options


@settings(EXAMPLES, max_examples=50)
@given(tables())
def test_of_any_table(tmp_path_factory: pytest.TempPathFactory, made: tuple[Any, Any]) -> None:
    rows, options = made
    folder = tmp_path_factory.mktemp("table")
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    near = options.pop("near")
    options = options | {"declared": Declared(**options["declared"])}
    try:
        analysis = analyze_table(folder / "t.csv", **options)
        if options["delta"] is not None and near:
            delta = delta_at_an_end(analysis, near)
            analysis = analyze_table(folder / "t.csv", **options | {"delta": delta})
    except InputError:  # no pair is left, or delta is of no metric: nothing is said at all
        return
    lower = frozenset(s.unit for s in analysis.samples if s.lower_is_better)
    text = markdown.render(build.build(analysis), "seeds")
    reader = read(analysis, text, lower=lower, spans={"budget": 2.0, "size": 3.0})
    check(reader, analysis, "seeds")
