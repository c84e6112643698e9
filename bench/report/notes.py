"""What the reader must know before believing anything: it stands above the answer."""

from collections.abc import Iterator
from itertools import pairwise

from bench.analysis import DISAGREEING, Analysis, Comparison
from bench.analysis.reading import Reading
from bench.report.content import Note, Text, code
from bench.report.words import count, listed, percent, place
from bench.statistics.families import Verdict, fewest_seeds
from bench.statistics.sign_flip import smallest_p

MOST_NAMED = 8
"""Names in a list; the rest is counted."""


def build(analysis: Analysis) -> Iterator[Note]:
    """The notes at the top, the gravest kind of incompleteness first."""
    checks = analysis.checks
    if analysis.reading is not None:
        yield from _of_a_table(analysis, analysis.reading)
    elif not checks.complete:
        missing = checks.planned - checks.with_result
        yield Note(
            "warning",
            f"**This study is incomplete**: {missing:,} of {count(checks.planned, 'planned cell')} "
            "have no result. Everything below is about the others; the same `run` command goes on "
            "where it stopped.",
        )
    if analysis.study is not None and analysis.study.sequential is not None:
        yield _looked(analysis)
    yield from _disagreements(analysis)
    for wrong in checks.wrong_formats:
        yield Note(
            "error",
            f"**{code(wrong.arm)} is not what it claims to be**: "
            f"{count(wrong.cells, 'file')} of it were audited as {wrong.found}, not "
            f"{wrong.claimed}. Its contrasts compare number formats that nobody asked for.",
        )
    if checks.mixed_seeds:
        shown = [str(seed) for seed in checks.mixed_seeds[:10]]
        more = len(checks.mixed_seeds) - len(shown)
        seeds = listed([*shown, *([f"{more} more"] if more else [])])
        yield Note(
            "warning",
            f"**The arms of {count(len(checks.mixed_seeds), 'seed')} ran on more than one CPU type "
            f"or set of versions** (seeds {seeds}): the same code gives other results on another "
            "CPU, so that their differences are not only those of the arms.",
        )
    if checks.ignored_files:
        yield Note(
            "warning",
            f"Left out as unreadable: {count(len(checks.ignored_files), 'file')} in `cells/` "
            f"({listed(code(name) for name in checks.ignored_files[:5])}).",
        )
    if checks.rejected:
        yield Note(
            "warning",
            f"Left out as damaged: {count(len(checks.rejected), 'row')} that contradict themselves "
            f"or the labels ({listed(code(text) for text in checks.rejected[:3])}). The same `run` "
            "command computes them again.",
        )
    for text in checks.notes:
        yield Note("warning", code(text))
    yield from _declared_later(analysis)


def _looked(analysis: Analysis) -> Note:
    """Of a sequential study: whether what it waited for has come."""
    primary = [
        c for c in analysis.select("seeds") if c.family == "primary" and not c.pairs.impossible
    ]
    still = sum(not c.clear for c in primary)
    said = "**Seeds were added until it was clear**"
    if still:
        said = (
            f"**Seeds were added, and {still} of {len(primary)} primary contrasts are still open**"
        )
    return Note(
        "info",
        f"{said} (a sequential study): primary contrasts have intervals that hold at all looks at "
        "the data together, which decide the verdicts; see The looks at the data.",
    )


def _of_a_table(analysis: Analysis, reading: Reading) -> Iterator[Note]:
    """How it was read, and what in it cannot be paired or says nothing about new seeds."""
    yield Note("info", f"**How the table was read**: {_columns(reading)}.")
    for remark in reading.remarks:
        yield Note("info", f"{remark.text.format(*map(code, remark.names))}.")
    yield Note(
        "info",
        "Taken for granted, since a table cannot show it: rows of one seed belong together in all "
        "arms (the same start, data or draw), and different seeds are independent repetitions.",
    )
    checks = analysis.checks
    if not checks.complete:
        missing = checks.planned - checks.with_result
        yield Note(
            "warning",
            f"**Not every arm has a value for every seed**: {missing:,} of "
            f"{count(checks.planned, 'value')} are not there. Each contrast rests on the seeds "
            "that have a value in both of its arms.",
        )
    yield from _too_few(analysis)
    still = dict.fromkeys((arm, c.pairs.metric) for c in analysis.comparisons
                          for arm in c.pairs.unmoved)  # fmt: skip
    if still:
        shown = [f"{code(arm)} ({code(metric)})" for arm, metric in still][:MOST_NAMED]
        more = len(still) - len(shown)
        yield Note(
            "warning",
            "**The seed has no effect here**: every seed gives the same value to "
            f"{listed([*shown, *([f'{more} more'] if more else [])])}. Rows that repeat one "
            "outcome are no repetitions: their contrasts have a difference and no verdict about "
            "new seeds.",
        )


def _too_few(analysis: Analysis) -> Iterator[Note]:
    """Where no contrast of a metric gets a verdict since they are so many: the way out."""
    by_metric: dict[str, list[Comparison]] = {}
    for c in analysis.comparisons:
        if (c.family, c.population) == ("primary", "seeds") and not c.pairs.unmoved:
            by_metric.setdefault(c.pairs.metric, []).append(c)
    said = set()
    for members in by_metric.values():
        m, seeds = members[0].m, max(c.n_seeds for c in members)
        if m == 1 or any(c.verdict != Verdict.TOO_FEW_SEEDS for c in members):
            continue
        most = int(analysis.alpha / smallest_p(seeds)) if seeds else 0
        needed = fewest_seeds(analysis.alpha, m)
        if (m, seeds) in said or needed <= seeds:
            continue
        said.add((m, seeds))
        text = (
            f"**Too few seeds for so many contrasts**: verdicts on {m:,} contrasts at once need "
            f"{needed} seeds or more, and there {'is' if seeds == 1 else 'are'} {seeds}. "
        )
        if most:
            text += (
                f"With {seeds} seeds {'one alone gets' if most == 1 else f'up to {most} get'} a "
                "verdict: `--contrasts` names those that matter (fewer metrics or settings help "
                "likewise), best without an eye on their numbers."
            )
        else:
            alone = fewest_seeds(analysis.alpha)
            text += f"One alone needs {alone}: `--contrasts` names those that matter."
        yield Note("warning", text)


def _columns(reading: Reading) -> Text:
    """Every column by what it was taken for; those left out by the reason."""
    parts = []
    for role in ("metric", "setting", "factor"):
        taken = [t for t in reading.columns if t.role == role]
        shown = [f"{code(t.column)}{f' ({t.why})' if t.why else ''}" for t in taken[:MOST_NAMED]]
        if taken:
            parts.append(f"{role}{'s' if len(taken) > 1 else ''} {_some(shown, len(taken))}")
    reasons: dict[str, list[str]] = {}
    for t in reading.columns:
        if t.role == "left out":
            reasons.setdefault(t.why, []).append(code(t.column))
    left = [f"{_some(n[:MOST_NAMED], len(n))} ({why})" for why, n in reasons.items()]
    if left:
        parts.append(f"left out: {', '.join(left)}")
    return "; ".join(parts)


def _some(shown: list[Text], of: int) -> Text:
    return listed([*shown, *([f"{of - len(shown)} more"] if of > len(shown) else [])])


def _declared_later(analysis: Analysis) -> Iterator[Note]:
    """What was declared anew when results were there already."""
    history = analysis.checks.declared
    for before, after in pairwise(history):
        if not after.get("cells"):
            continue
        changed = [
            f"{name} from {_shown(before.get(name))} to {_shown(after.get(name))}"
            for name in ("alpha", "delta", "primary", "primary_over", "decides", "direction")
            if before.get(name) != after.get(name)
        ]
        if changed:
            yield Note(
                "warning",
                f"**Changed after {count(int(after['cells']), 'result')} were there** "
                f"({after.get('at') or 'at an unknown time'}): {'; '.join(changed)}. What was "
                "declared with the data in sight is not declared in advance.",
            )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(code(each) for each in value) or "none"
    return code(value)


def _disagreements(analysis: Analysis) -> Iterator[Note]:
    found = analysis.checks.disagreements
    if not found:
        return
    worst = max(found, key=lambda one: one.disagreements / one.n)
    places = list(dict.fromkeys(place(one.setting, analysis.varying) for one in found))
    shown = places[:4] + ([f"{len(places) - 4} more settings"] if len(places) > 4 else [])
    yield Note(
        "error",
        f"**The pipeline has an error**: the Keras float model and its TFLite file classify more "
        f"than {percent(DISAGREEING)} of the test examples differently in "
        f"{count(len(found), 'cell')} ({listed(shown)}); worst is seed {worst.seed} with "
        f"{worst.disagreements} of {worst.n}. No contrast below should be believed before this is "
        "mended.",
    )
