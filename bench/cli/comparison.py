"""Two files compared, on a terminal and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from bench.console import Console
from bench.pipelines.files import POWER, Comparison, FileResult
from bench.report import words
from bench.report.words import count, interval, p_value, percent, signed, trimmed
from bench.statistics.families import Verdict
from bench.statistics.mcnemar import MOST_EXAMPLES


def as_json(comparison: Comparison) -> str:
    """Every field of a Comparison under its own name; intervals as [low, high]."""
    return json.dumps(asdict(comparison), indent=2, allow_nan=False) + "\n"


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Warnings, the answer, what each file is and where they differ; and unless the verdict is
    withheld what the test set can resolve, and for whom."""
    console = console or Console()
    for warning in comparison.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    console.print(Text(answer(comparison), style="bold"))
    console.print()
    console.print(_files(comparison.a, comparison.b))
    for letter, file in (("A", comparison.a), ("B", comparison.b)):
        console.print(Text(f"sha256 of {letter}  {file.audit.sha256}", style="dim"))
    console.print()
    console.print(Text(like_with_like(comparison)))
    if comparison.verdict is not None:
        more = (*churn(comparison), *groups(comparison), *resolution(comparison))
        for line in (*more, population(comparison)):
            console.print(Text(line))


def answer(comparison: Comparison) -> str:
    """The verdict as a sentence with its numbers, or why there is none."""
    if comparison.verdict is None:
        return f"No verdict. {'. '.join(comparison.withheld)}."
    within = f"{trimmed(comparison.delta)} pp"
    side = "above" if comparison.difference > 0 else "below"
    said = {
        Verdict.MATTERS: f"A is {side} B, by more than {within}",
        Verdict.TOO_SMALL: f"A is {side} B, but by less than {within}",
        Verdict.SIZE_UNDECIDED: f"A is {side} B; whether by more than {within} is undecided",
        Verdict.EQUIVALENT: f"A and B are equivalent within {within}",
        Verdict.UNDECIDED: "Whether A and B differ is undecided",
        Verdict.TOO_FEW_GROUPS: f"{_groups(comparison)} of test examples: too few for a verdict",
    }[comparison.verdict]
    p = _p(comparison.p)
    test, tested_on = "exact McNemar", count(comparison.n, "test example")
    if comparison.grouped is not None:
        test, tested_on = "exact sign flips of groups", f"{tested_on} in {_groups(comparison)}"
    level = f"{100 * (1 - comparison.alpha):g}%"
    ends = f"{level} interval {interval(comparison.interval)}" if comparison.interval else ""
    shown = ", ".join(text for text in (ends, f"{test} {p}") if text)
    return (
        f"{said}: A − B = {signed(comparison.difference)} pp, {shown}, "
        f"{comparison.dataset}, {tested_on}.{_unlike(comparison)}"
    )


def _p(p: float) -> str:
    return f"p = {p_value(p)}".replace("= <", "< ")


def _groups(comparison: Comparison) -> str:
    return count(comparison.grouped.n_groups if comparison.grouped else 0, "group")


def _unlike(comparison: Comparison) -> str:
    if not comparison.unlike_formats:
        return ""
    a, b = (file.audit.number_format for file in (comparison.a, comparison.b))
    return (
        f" Their number formats are unlike, A {a} and B {b}: the difference is that of the models "
        "and that of the formats in one."
    )


def like_with_like(comparison: Comparison) -> str:
    """In what the audited files differ beside their weights."""
    a, b = comparison.a, comparison.b
    found = []
    if a.audit.number_format != b.audit.number_format:
        found.append(f"number format (A {a.audit.number_format}, B {b.audit.number_format})")
    scales = [dict(_by_kind(file.audit.granularity)) for file in (a, b)]
    for kind in sorted(scales[0].keys() & scales[1].keys()):
        if scales[0][kind] != scales[1][kind]:
            found.append(f"weight scales of {kind} (A {scales[0][kind]}, B {scales[1][kind]})")
    kinds = sorted(
        kind
        for kind in {*a.operators, *b.operators}
        if a.operators.get(kind) != b.operators.get(kind)
    )
    if kinds:
        counts = [
            ", ".join(f"{file.operators[kind]} {kind}" for kind in kinds if kind in file.operators)
            for file in (a, b)
        ]
        found.append(f"operators (A {counts[0] or 'none'}; B {counts[1] or 'none'})")
    if a.kernels != b.kernels:
        found.append(f"kernels (A {a.kernels}; B {b.kernels})")
    if not found:
        return "Like with like: nothing else of what is audited differs."
    return f"Like with like: the files also differ in {'; '.join(found)}."


def _by_kind(granularity: str) -> Iterator[tuple[str, str]]:
    """("CONV_2D", "per channel") of each part of an audit's granularity."""
    for part in filter(None, granularity.split(", ")):
        kind, _, how = part.partition(" ")
        yield kind, how


def churn(comparison: Comparison) -> tuple[str, ...]:
    """Which examples make the difference."""
    discordant = comparison.fixed + comparison.broken
    return (
        f"Churn: {percent(discordant / comparison.n)} of the examples; A fixes "
        f"{comparison.fixed:,} that B has wrong, and breaks {comparison.broken:,} that B has "
        f"right. Predictions differ on {comparison.predictions_differ:,}.",
    )


def groups(comparison: Comparison) -> tuple[str, ...]:
    """What it changes that test examples come in groups; nothing where they do not."""
    found, single = comparison.grouped, comparison.ungrouped_interval
    if found is None or single is None or comparison.ungrouped_p is None:
        return ()
    said = "Examples of a group are not independent"
    if found.sizes is not None:
        said += f"; {words.number(found.sizes.effective)} equal groups would weigh as these do"
    said += (
        f". If every example were drawn by itself: {interval(single)}, exact McNemar "
        f"{_p(comparison.ungrouped_p)}."
    )
    if comparison.interval is not None and single.high > single.low:
        wider = (comparison.interval.high - comparison.interval.low) / (single.high - single.low)
        said += f" The groups make the interval {wider:.2f} times as wide."
    return (said,)


def resolution(comparison: Comparison) -> tuple[str, ...]:
    """Whether a difference of delta could be seen here, and what it would take; nothing of groups,
    whose sizes and differences it would have to be known for."""
    able, n = comparison.resolution, comparison.n
    if able is None:
        return ()
    delta = f"{trimmed(comparison.delta)} pp"
    discordant = comparison.fixed + comparison.broken
    head = (
        f"Would a true difference of {delta} ({comparison.delta * n / 100:,.3g} of {n:,} examples) "
        f"come out significant here? {'Yes' if able.enough else 'Not reliably'}: with "
        f"{percent(able.discordance)} of the examples discordant it has {percent(able.power, 0)} "
        "power"
    )
    takes = (
        [] if able.detectable is None else [f"a difference of {words.number(able.detectable)} pp"]
    )
    if not able.enough:
        needed = able.examples_needed
        takes.append(
            f"{MOST_EXAMPLES:,}+ test examples" if needed is None else f"{needed:,} test examples"
        )
    head += f"; {POWER:.0%} takes {words.listed(takes, 'or')}." if takes else "."
    if able.smallest_significant is None:
        border = (
            f"No outcome could be significant: {count(discordant, 'discordant example')}, and it "
            f"takes {able.fewest_discordant}."
        )
    else:
        border = (
            f"Smallest measured difference that is significant on {discordant:,} discordant "
            f"examples: {words.number(able.smallest_significant)} pp "
            f"(fewer than {able.fewest_discordant} discordant examples never are)."
        )
    return head, border


def population(comparison: Comparison) -> str:
    """Whom the conclusion speaks about."""
    on = "new examples of the same kind"
    if comparison.grouped is not None:
        on = (
            "new groups of examples of the same kind (where these groups were trained on, new ones "
            "that are trained on too)"
        )
    return (
        f"This holds for these two files on {on}. It says nothing about "
        "training again with the same recipe: that takes many seeds (ptq-vs-qat run)."
    )


def fed(file: FileResult) -> str:
    """The formula by which an example became the file's input: `x / 127.5 - 1`."""
    scale, offset = file.feed.scale, file.feed.offset
    text = "x" if scale == 1 else f"x / {scale:g}"
    if offset:
        text += f" {'+' if offset > 0 else '−'} {abs(offset):g}"
    return text


def _files(a: FileResult, b: FileResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("A", overflow="fold")
    table.add_column("B", overflow="fold")
    rows = {
        "file": lambda f: f.path,
        "accuracy": lambda f: f"{percent(f.accuracy, 2)} ({f.correct:,})",
        "ties": lambda f: f"{f.ties:,}",
        "number format": lambda f: f.audit.number_format,
        "weight scales": lambda f: f.audit.granularity or "none quantized",
        "kernels": lambda f: f.kernels,
        "operators, int8 / float": lambda f: f"{f.audit.int8_ops} / {f.audit.float_ops}",
        "tensors, int8 / float": lambda f: f"{f.audit.int8_tensors} / {f.audit.float_tensors}",
        "bytes": lambda f: f"{f.audit.bytes:,}",
        "input": lambda f: f"{f.input.dtype}, {' x '.join(map(str, f.input.shape[1:]))}",
        "fed": lambda f: f"{fed(f)}, {f.feed.low:.4g} to {f.feed.high:.4g}",
        "input holds": lambda f: (
            f"{f.feed.holds.low:.4g} to {f.feed.holds.high:.4g}" if f.feed.holds else "any number"
        ),
        "output": lambda f: f"{f.output.dtype}, {f.output.shape[-1]} classes",
    }
    for name, cell in rows.items():
        table.add_row(name, Text(cell(a)), Text(cell(b)))
    return table
