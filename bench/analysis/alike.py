"""Like with like: what else differs between the two arms of a contrast than its name says.

From the audited files and the recipes: number format, granularity of the weights' scales per kind
of operator, how the ranges came about, optimizer steps. The protocol's "Like with like".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.analysis.comparisons import Comparison
from bench.analysis.records import Sample, Value
from bench.study import Study
from bench.study.effective import number_format, ranges

NOTHING = "nothing else of what is audited"


@dataclass(frozen=True)
class Unlike:
    """number_format, steps: what differs there, empty where nothing does; others: the rest."""

    contrast: str
    number_format: str
    steps: str
    others: tuple[str, ...]

    @property
    def line(self) -> str:
        """All of it in one line."""
        said = [each for each in (self.number_format, self.steps, *self.others) if each]
        return "; ".join(said) or NOTHING


def unlike(members: Sequence[Comparison], study: Study) -> Unlike:
    """What differs between the arms of one contrast, over all the settings that it stands at."""
    first = members[0].pairs.contrast
    pairs = [c.pairs.samples for c in members if c.pairs.kind == "contrast"]
    of_a, of_b = [p[0] for p in pairs], [p[1] for p in pairs]
    formats = ""
    others = list(_granularity(of_a, of_b))
    if study.pipeline is None:  # what somebody's own arms claim is not known
        a, b = _said(of_a, number_format), _said(of_b, number_format)
        if a != b:
            formats = f"number format ({a} against {b})"
        a, b = _said(of_a, ranges), _said(of_b, ranges)
        if a and b and a != b:
            others.append(f"ranges ({_ranges(a, of_a)}, against {_ranges(b, of_b)})")
    mixed = sum(c.pairs.mixed for c in members)
    if mixed:
        others.append(f"CPU type or versions, in {mixed} pairs of models")
    return Unlike(first.name, formats, _steps(pairs), tuple(others))


def _steps(pairs: Iterable[Sequence[Sample]]) -> str:
    more: set[int] = set()
    for a, b in pairs:
        for of_a in _numbers(a, "steps"):
            more |= {int(of_a - of_b) for of_b in _numbers(b, "steps")}
    differing = sorted(step for step in more if step)
    if not differing:
        return ""
    ends = dict.fromkeys(f"{abs(step):,}" for step in (differing[0], differing[-1]))
    word = "more" if differing[-1] > 0 else "fewer"
    return f"optimizer steps ({' to '.join(ends)} {word})"


def _said(samples: Sequence[Sample], what: Callable[..., str | None]) -> str:
    """What an arm claims, over the settings of these samples."""
    said = dict.fromkeys(what(sample.arm, sample.setting.factors) for sample in samples)
    return " or ".join(each for each in said if each)


def _ranges(how: str, samples: Sequence[Sample]) -> str:
    left = [value for sample in samples for value in _numbers(sample, "range_start_left")]
    if not left:
        return how
    shares = dict.fromkeys(f"{100 * value:.0f}%" for value in (min(left), max(left)))
    return f"{how}, of which {' to '.join(shares)} is left"


def _granularity(of_a: Sequence[Sample], of_b: Sequence[Sample]) -> Iterable[str]:
    """By kind of operator, where the files of both arms have one answer that differs."""
    a, b = _by_kind(of_a), _by_kind(of_b)
    for kind in a:
        if kind in b and a[kind] != b[kind]:
            yield f"weight scales of {kind} ({a[kind]} against {b[kind]})"


def _by_kind(samples: Sequence[Sample]) -> dict[str, str]:
    """Operator kind -> granularity, as the audit says it: `CONV_2D per channel, ...`."""
    found: dict[str, set[str]] = {}
    for sample in samples:
        for text in sample.audited.get("granularity", ()):
            for part in str(text).split(", "):
                kind, _, how = part.partition(" ")
                if kind:
                    found.setdefault(kind, set()).add(how)
    return {kind: " or ".join(sorted(how)) for kind, how in found.items()}


def _numbers(sample: Sample, name: str) -> list[float]:
    values: tuple[Value, ...] = sample.audited.get(name, ())
    return [float(v) for v in values if isinstance(v, int | float)]
