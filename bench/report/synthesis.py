"""Studies together -> the report's content, in the one model that HTML, Markdown and the terminal
render; and synthesis.json."""

import json
from collections.abc import Iterator
from math import isfinite, sqrt
from typing import Any

from bench.analysis.synthesis import Part, Synthesis, Together
from bench.report import words
from bench.report.content import (
    Block,
    Bullets,
    Cell,
    Column,
    Details,
    Figure,
    Note,
    Paragraph,
    Report,
    Section,
    Table,
    Text,
    code,
)
from bench.report.content import Part as ReportPart
from bench.report.synthesis_plot import draw, numbers
from bench.statistics.checks import Interval
from bench.statistics.meta import FEWEST_POOLED, FEWEST_PREDICTED
from bench.study.arms import PRIMARY

METHOD = (
    "Each contrast by itself: a random-effects meta-analysis of the studies' mean differences, "
    "weighted by their variances for new seeds and new test examples and by the variance between "
    "studies (τ², REML). The interval of the mean is Hartung and Knapp's on k − 1 degrees of "
    "freedom, never narrower than without their correction (max(q, 1)); p-values are corrected by "
    "Holm for the number of contrasts. Where a new study would lie: μ ± t(k − 1) √(se² + τ²), from "
    f"{FEWEST_PREDICTED} studies on, approximate. In how many studies something holds: Holm on the "
    "studies' one-sided p-values, each direction at half the level, which is right however they "
    "depend on each other (partial conjunction). Röver, Knapp & Friede 2015; IntHout, Ioannidis & "
    "Borm 2014; Viechtbauer 2018; Nagashima, Noma & Furukawa 2019; Benjamini & Heller 2008."
)
ONE_STUDY = (
    "Folders of the same data, model and recipe are one study, in which each model counts once; "
    "settings of one study are never counted as studies, for they share a test set and checkpoints."
)


def build(together: Together) -> Report:
    """The whole report: answer, picture, numbers, method."""
    primary = [s for s in together.syntheses if s.name in PRIMARY] or list(together.syntheses)
    others = [s for s in together.syntheses if s not in primary]
    figures = {s.name: draw(s, i) for i, s in enumerate(together.syntheses, 1)}
    parts = [
        _part("answer", "", [Paragraph(said(s), lead=True) for s in primary] + [_note(together)]),
        _part("forest", "In each study, and over them", _forests(primary, others, figures)),
        _part("numbers", "Numbers", [_contrasts(together), _studies(together), *_care(together)]),
        _part("method", "Method", [Paragraph(METHOD), Paragraph(ONE_STUDY)]),
    ]
    notes = tuple(Note("warning", _plain(note)) for note in together.notes)
    return Report(_title(together), ("seeds",), notes, tuple(parts))


def _part(name: str, title: Text, blocks: list[Any]) -> ReportPart:
    return ReportPart(name, {None: Section(title, tuple(blocks))})


def _plain(note: str) -> Text:
    """A note holds names of folders and data: no markup."""
    return note.replace("`", "'").replace("**", "*")


def _title(together: Together) -> str:
    n = len({part.study for s in together.syntheses for part in s.parts})
    return f"PTQ and QAT over {n} studies"


def _note(together: Together) -> Paragraph:
    level = f"{100 * (1 - together.alpha):g}%"
    several = len(together.syntheses)
    corrected = f", p-values corrected for {several} contrasts" if several > 1 else ""
    return Paragraph(
        f"{_metric(together)}In brackets: {level} intervals of each contrast by itself"
        f"{corrected}. A mean over studies is about studies like these, taken as a sample of what "
        "one might study."
    )


def _metric(together: Together) -> Text:
    """Which metric, and which side of it is better; accuracy needs no word."""
    part = together.syntheses[0].parts[0]
    if part.metric == "accuracy" or part.lower_is_better is None:
        return "" if part.metric == "accuracy" else f"By {code(part.metric)}. "
    return f"By {code(part.metric)}: {'lower' if part.lower_is_better else 'higher'} is better. "


def said(s: Synthesis) -> Text:
    """One contrast in a paragraph: the mean and its verdict, how studies vary, in how many it
    holds."""
    a, b = code(s.contrast.a), code(s.contrast.b)
    head = f"{code(s.name)}: "
    if s.pooled.k < FEWEST_POOLED:
        each = "; ".join(f"{part.study} {_estimate(part, s)}" for part in s.parts)
        return (
            f"{head}two studies side by side: {_plain(each)}. Two are too few for a mean with a "
            f"verdict. {_holds(s)}"
        )
    mean = f"{words.signed(s.pooled.mean, s.unit)} {s.unit} {_interval(s.interval, s)}"
    if s.p_adjusted is not None and s.p_adjusted <= s.alpha:
        side = "above" if s.pooled.mean > 0 else "below"
        text = f"on average over {s.pooled.k} studies {a} is {side} {b} ({mean}, {_p(s)})."
    else:
        text = (
            f"over {s.pooled.k} studies it is undecided whether {a} differs from {b} on average "
            f"({mean}, {_p(s)})."
        )
    if s.directions.both:
        text = f"the studies differ in direction; {text}"
    return f"{head}{text} {_varies(s)} {_holds(s)}"


def _p(s: Synthesis) -> Text:
    return f"corrected p = {words.p_value(s.p_adjusted, s.alpha)}".replace("= <", "< ")


def _varies(s: Synthesis) -> Text:
    tau2, new = s.pooled.tau2 or 0.0, s.prediction
    if tau2 == 0:
        text = "The studies vary no more than by chance (τ = 0)."
    else:
        text = (
            f"Their true differences have an SD of τ = {words.number(sqrt(tau2), s.unit)} {s.unit} "
            f"(I² = {words.percent(s.pooled.i2, 0)})."
        )
    if new is not None:
        text += f" A new study's would lie in about {words.interval(new, s.unit)}."
    return text


def _holds(s: Synthesis) -> Text:
    """In how many studies something is shown, the level shared among them."""
    a, k = code(s.contrast.a), s.pooled.k
    found = s.directions
    text = (
        f"Study by study, corrected for {k}, {a} is shown to be above {_in(found.positive.u, k)}, "
        f"below {_in(found.negative.u, k)}"
    )
    if s.alike is not None and s.delta is not None:
        within = f"{words.trimmed(s.delta)} {s.unit}"
        text += f", equivalent within {within} {_in(s.alike.u, k)}"
    return f"{text}."


def _in(u: int, k: int) -> Text:
    return "in none" if not u else f"in {words.every(k)}" if u == k else f"in at least {u}"


def _estimate(part: Part, s: Synthesis) -> Text:
    return numbers(part.mean, part.interval(s.alpha), s.unit)


def _interval(ends: Interval | None, s: Synthesis) -> Text:
    return words.interval(ends, s.unit)


def _forests(
    primary: list[Synthesis], others: list[Synthesis], figures: dict[str, Figure]
) -> list[Block]:
    blocks: list[Block] = [figures[s.name] for s in primary]
    if others:
        folded = tuple(figures[s.name] for s in others)
        blocks.append(Details("The other contrasts", folded))
    return blocks


def _contrasts(together: Together) -> Table:
    level = f"{100 * (1 - together.alpha):g}%"
    columns = (
        Column("contrast", "first arm minus second"),
        Column("k", "studies", True),
        Column("mean", "over studies like these", True),
        Column(f"{level} interval", "of the mean, from three studies on", True),
        Column("p, corrected", "by Holm for the number of contrasts", True),
        Column("τ", "SD of the studies' true differences", True),
        Column("I²", "share of the studies' variance that is between them", True),
        Column("a new study", f"prediction interval, from {FEWEST_PREDICTED} studies on", True),
        Column("above in", "at least so many studies, shown one by one", True),
        Column("below in", "at least so many studies, shown one by one", True),
    )
    rows = []
    for s in together.syntheses:
        tau = None if s.pooled.tau2 is None else sqrt(s.pooled.tau2)
        rows.append(
            (
                Cell(code(s.name)),
                Cell(str(s.pooled.k), s.pooled.k),
                words.number_cell(s.pooled.mean, s.unit, sign=True),
                Cell(words.interval(s.interval, s.unit), s.interval and s.interval.low),
                words.p_cell(s.p_adjusted, s.alpha),
                words.number_cell(tau, s.unit),
                Cell(words.percent(s.pooled.i2, 0), s.pooled.i2),
                Cell(words.interval(s.prediction, s.unit), s.prediction and s.prediction.low),
                Cell(str(s.directions.positive.u), s.directions.positive.u),
                Cell(str(s.directions.negative.u), s.directions.negative.u),
            )
        )
    unit = together.syntheses[0].unit
    return Table(
        "synthesis-table", f"Every contrast over its studies, {unit}", columns, tuple(rows)
    )


def _studies(together: Together) -> Table:
    level = f"{100 * (1 - together.alpha):g}%"
    columns = (
        Column("contrast"),
        Column("study", "data and model, and what else tells it from the others", long=True),
        Column("setting", "of that study"),
        Column("seeds", "pairs", True),
        Column("examples", "in its test set; – where its interval is for new seeds alone", True),
        Column("mean", "", True),
        Column(f"{level} interval", "of this study, for new seeds and examples", True),
        Column("weight", "in the mean", True),
    )
    rows = []
    for s in together.syntheses:
        for part, weight in zip(s.parts, s.weights, strict=True):
            ends = part.interval(s.alpha)
            rows.append(
                (
                    Cell(code(s.name)),
                    Cell(code(part.study)),
                    Cell(code(part.place) if part.place else "the only one"),
                    Cell(str(part.seeds), part.seeds),
                    Cell("–" if part.examples is None else f"{part.examples:,}", part.examples),
                    words.number_cell(part.mean, s.unit, sign=True),
                    Cell(words.interval(ends, s.unit), ends.low),
                    Cell(words.percent(weight, 0), weight),
                )
            )
    folders = "; ".join(
        f"{code(study.name)}: {', '.join(map(code, study.folders))}" for study in together.studies
    )
    return Table("studies-table", f"Every study ({folders})", columns, tuple(rows))


def _care(together: Together) -> Iterator[Block]:
    """What must be said beside a study's own verdicts."""
    said = dict.fromkeys(
        f"{code(part.study)}{f', {code(part.place)}' if part.place else ''}: {_plain(text)}"
        for s in together.syntheses
        for part in s.parts
        for text in part.qualified
    )
    if said:
        yield Details("To be read with care", (Bullets(tuple(said)),))


def as_json(together: Together) -> str:
    """synthesis.json; what is not known is null."""
    document = {
        "alpha": together.alpha,
        "studies": [
            {"study": study.name, "folders": list(study.folders)} for study in together.studies
        ],
        "contrasts": [_json(s) for s in together.syntheses],
        "notes": list(together.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _json(s: Synthesis) -> dict[str, Any]:
    low, high = s.interval or (None, None)
    new_low, new_high = s.prediction or (None, None)
    return {
        "contrast": s.name,
        "metric": s.parts[0].metric,
        "unit": s.unit,
        "k": s.pooled.k,
        "mean": s.pooled.mean,
        "ci_low": low,
        "ci_high": high,
        "p": s.pooled.p,
        "p_adjusted": s.p_adjusted,
        "tau": None if s.pooled.tau2 is None else sqrt(s.pooled.tau2),
        "i2": s.pooled.i2,
        "prediction_low": new_low,
        "prediction_high": new_high,
        "holds_in": s.holds.u,
        "p_partial": s.holds.p_partial,
        "positive_in": s.directions.positive.u,
        "negative_in": s.directions.negative.u,
        "equivalent_in": None if s.alike is None else s.alike.u,
        "studies": list(_json_studies(s)),
    }


def _json_studies(s: Synthesis) -> Iterator[dict[str, Any]]:
    for part, weight in zip(s.parts, s.weights, strict=True):
        low, high = part.interval(s.alpha)
        yield {
            "study": part.study,
            "setting": part.place,
            "mean": part.mean,
            "se": sqrt(part.variance),
            "ci_low": low if isfinite(low) else None,
            "ci_high": high if isfinite(high) else None,
            "weight": weight,
            "seeds": part.seeds,
            "examples": part.examples,
            "delta": part.delta,
        }
