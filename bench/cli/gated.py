"""A gate's decision as one line, as Markdown for a pull request, as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.analysis.gating import Asked, AtSetting, Counted, Outcome, Release
from bench.errors import InputError
from bench.report.words import count, every, exact, trimmed
from bench.statistics.checks import Interval
from bench.statistics.gate import (
    Decision,
    examples_to_pass,
    fewest_seeds,
    gate_files,
    gate_seeds,
)
from bench.statistics.mcnemar import mcnemar


def of_files(
    given: Sequence[str],
    data: str | None,
    asked: Asked,
    scales: Sequence[float],
    offsets: Sequence[float],
) -> Release:
    """Two model files, the new one first, on a data set's test examples. Raises InputError."""
    from bench.pipelines import files

    if len(given) != 2:
        raise InputError("NEW OLD", f"found {len(given)} file", "allowed: two model files")
    if data is None:
        raise InputError("--data", "missing", "allowed: the data that the two files are tried on")
    if not asked.margin < 100:
        raise InputError("--margin", f"found {asked.margin:g}", "allowed: below 100 pp")
    made = files.compare(
        given[0], given[1], data, delta=asked.margin, alpha=asked.alpha, scales=scales,
        offsets=offsets,
    )  # fmt: skip
    share, why, needed = asked.margin / 100, made.withheld, None
    counted: Counted = "test examples"
    if made.grouped is None:
        gate = gate_files(mcnemar(made.fixed, made.broken, made.n), share, asked.alpha)
        ends = gate.interval and Interval(*(100 * end for end in gate.interval))
    else:
        counted, groups = "groups", made.grouped.n_groups
        gate = gate_seeds(made.grouped, groups, asked.margin, asked.alpha)
        ends = gate.interval
        if ends is None and not why:
            fewest = fewest_seeds(asked.alpha)
            why = (f"{count(groups, 'group')} of test examples, and it takes {fewest}",)
    outcome: Outcome = "withheld"
    if not made.withheld:
        outcome = {
            Decision.PASSED: "passed", Decision.FAILED: "failed", Decision.UNDECIDED: "undecided"
        }[gate.decision]  # fmt: skip
    if outcome == "undecided" and made.grouped is None:
        discordance = (made.fixed + made.broken) / made.n
        needed = examples_to_pass(discordance, share, asked.alpha)
    return Release(
        contrast=f"{Path(given[0]).name} - {Path(given[1]).name}",
        metric="accuracy",
        unit="pp",
        lower_is_better=False,
        margin=asked.margin,
        alpha=asked.alpha,
        outcome=outcome,
        counted=counted,
        settings=(
            AtSetting(
                setting={"dataset": made.dataset},
                place="",
                outcome=outcome,
                mean=None if made.withheld else made.difference,
                interval=None if made.withheld else ends,
                n=made.n if made.grouped is None else made.grouped.n_groups,
                needed=needed,
                why=why,
            ),
        ),
        notes=made.warnings,
    )


def as_json(release: Release) -> str:
    """The decision for a program."""
    document: dict[str, Any] = {
        "outcome": release.outcome,
        "contrast": release.contrast,
        "metric": release.metric,
        "margin": release.margin,
        "unit": release.unit,
        "lower_is_better": release.lower_is_better,
        "alpha": release.alpha,
        "settings": [
            {
                "setting": dict(one.setting),
                "mean": one.mean,
                "low": None if one.interval is None else one.interval.low,
                "high": None if one.interval is None else one.interval.high,
                "outcome": one.outcome,
                release.counted.replace(" ", "_"): one.n,
                "needed_to_pass": one.needed,
                "why": list(one.why),
            }
            for one in release.settings
        ],
        "notes": list(release.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def line(release: Release) -> str:
    """The decision in one line: `passed: qat - ptq is no worse by 0.5 pp or more ...`."""
    return f"{release.outcome}: {_said(release)}"


def _said(release: Release) -> str:
    name, by = release.contrast, f"{trimmed(release.margin)} {release.unit}"
    of_that = [one for one in release.settings if one.outcome == release.outcome]
    m, n = len(release.settings), len(of_that)
    where = "" if m == 1 else f" at {every(m) if n == m else f'{n} of {m}'} settings"
    if release.outcome == "withheld":
        reasons = dict.fromkeys(why for one in of_that for why in one.why)
        return f"no decision on {name}{where}: {'; '.join(reasons)}"
    worst = _worst(release, of_that)
    numbers = f" ({_numbers(release, worst)})" if worst.mean is not None else ""
    if release.outcome == "passed":
        return f"{name} is shown not to be worse by {by}{where}{numbers}"
    if release.outcome == "failed":
        return f"{name} is shown to be worse by more than {by}{where}{numbers}"
    return f"whether {name} is worse by {by} is open{where}{numbers}{_takes(release, of_that)}"


def _worst(release: Release, settings: Sequence[AtSetting]) -> AtSetting:
    """The setting whose interval reaches farthest to the worse side; one without interval first."""

    def reach(one: AtSetting) -> float:
        if one.interval is None:
            return float("-inf")
        return -one.interval.high if release.lower_is_better else one.interval.low

    return min(settings, key=reach)


def _numbers(release: Release, one: AtSetting) -> str:
    mean, ends = _shown(release, one)
    text = f"{mean} {release.unit}{f' {ends}' if one.interval is not None else ''}"
    if len(release.settings) > 1:
        text = f"worst: {text} at {one.place}"
    return f"{text}, {count(one.n, release.counted.removesuffix('s'))}"


def _shown(release: Release, one: AtSetting) -> tuple[str, str]:
    """Mean and interval, with as many digits as show on which side of the margin they lie."""
    beside = (0.0, release.margin, -release.margin)

    def text(value: float) -> str:
        return exact(value, release.unit, beside)[0]

    ends = "–" if one.interval is None else f"[{', '.join(map(text, one.interval))}]"
    return "–" if one.mean is None else text(one.mean), ends


def _takes(release: Release, settings: Sequence[AtSetting]) -> str:
    why = dict.fromkeys(text for one in settings for text in one.why)
    needed = [one.needed for one in settings]
    said = f": {'; '.join(why)}" if why else ""
    known = [n for n in needed if n is not None]
    if known and len(known) == len(needed):
        said += (
            f"; {max(known):,} {release.counted} would pass with 80% power if there is no "
            "difference"
        )
    return said


def as_markdown(release: Release) -> str:
    """A summary for a pull request: the decision, a row for each setting, what it means."""
    mark = {"passed": "✅", "failed": "❌", "undecided": "❔", "withheld": "⚠️"}[release.outcome]
    level = f"{100 * (1 - 2 * release.alpha):g}%"
    direction = "lower" if release.lower_is_better else "higher"
    lines = [
        f"### {mark} {release.outcome.capitalize()}: `{_code(release.contrast)}`",
        "",
        f"{_escaped(line(release)[:1].upper() + line(release)[1:])}.",
        "",
        f"| setting | new − old, {release.unit} | {level} interval | {release.counted} | outcome |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for one in release.settings:
        why = f": {_escaped('; '.join(one.why))}" if one.why else ""
        mean, ends = _shown(release, one)
        lines.append(
            f"| {_escaped(one.place) or 'all'} | {mean} | {ends} | {one.n:,} | {one.outcome}{why} |"
        )
    lines += [
        "",
        f"Metric: {_escaped(release.metric)}, {direction} is better; margin "
        f"{trimmed(release.margin)} {release.unit}. Passed: the interval's worse end is inside the "
        f"margin, at every setting; failed: at some setting its better end is beyond it, corrected "
        f"by Holm. Each is wrong at most {100 * release.alpha:g}% of the time. Undecided is not "
        "safe.",
    ]
    if release.notes:
        lines += ["", *(f"- {_escaped(note)}" for note in release.notes)]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return text.replace("`", "'")


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_<>|#[]" else c for c in text)
