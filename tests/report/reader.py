"""A reader of reports who knows no code: takes sentences and tables apart by their words, and
compares each verdict with the numbers printed beside it.

Independent of bench.report: it sees text alone, and what a reader is told of the study (alpha, the
smallest difference that matters, how many cells were planned).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

NUMBER = r"[+−]?(?:∞|\d[\d,]*(?:\.\d+)?(?:e[+−]?\d+)?)"
INTERVAL = rf"\[({NUMBER}), ({NUMBER})\]"
ESTIMATE = re.compile(
    rf"(?P<mean>{NUMBER}) (?P<unit>(?:(?! and )[^\[\],;()])+?) (?:{INTERVAL}|in every seed)"
    rf"(?P<basis>(?:, (?:the direction by|shown by|equivalence not shown)[^\[;)]*(?:{INTERVAL})?)*)"
)
EXPLAINED = {
    "direction": "the direction by",
    "alike": "shown by",
    "not alike": "equivalence not shown",
}


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf").replace(",", ""))


@dataclass(frozen=True)
class Printed:
    """A mean and its interval as printed; basis: what is said to decide beside them."""

    mean: float
    low: float
    high: float
    basis: str
    unit: str = ""

    def check(self, kind: str, delta: float | None, sign: int = 0) -> str:
        """What in these numbers speaks against a verdict; empty where nothing does."""
        without_zero = self.low > 0 or self.high < 0
        inside = delta is not None and -delta < self.low and self.high < delta
        beyond = delta is not None and (self.low > delta or self.high < -delta)
        explained = {name: words in self.basis for name, words in EXPLAINED.items()}
        directed, alike = kind in DIRECTED, kind in ("too small", "equivalent")
        undecided = kind in ("undecided", "size undecided")
        problems = {
            "mean outside of its interval": not self.low <= self.mean <= self.high,
            "direction against the mean": bool(sign) and self.mean * sign <= 0,
            "a direction, and the interval holds 0": directed
            and not (without_zero or explained["direction"]),
            "by more than delta, and the interval is not beyond": kind == "matters" and not beyond,
            "less than delta, and the interval crosses it": alike
            and not (inside or explained["alike"]),
            "no difference is claimed, and the interval excludes 0": kind
            in ("undecided", "equivalent")
            and without_zero,
            "undecided, and the interval lies within delta": undecided
            and inside
            and not explained["not alike"],
            "undecided, and the interval is beyond delta": undecided and beyond,
            "what is to show it crosses delta": not self._shown_within(delta),
        }
        return "; ".join(problem for problem, there in problems.items() if there)

    def _shown_within(self, delta: float | None) -> bool:
        """Does an interval that is said to show equivalence lie within delta?"""
        if "shown by the" not in self.basis:
            return True
        ends = re.search(INTERVAL, self.basis)
        return bool(ends and delta and -delta < number(ends[1]) and number(ends[2]) < delta)


def estimates(text: str) -> list[Printed]:
    found = []
    for match in ESTIMATE.finditer(text):
        mean = number(match["mean"])
        low = high = mean
        if match[3] is not None:
            low, high = number(match[3]), number(match[4])
        found.append(Printed(mean, low, high, match["basis"], match["unit"]))
    return found


LABELS = {
    "different and it matters": "matters",
    "different, too small to matter": "too small",
    "different, size undecided": "size undecided",
    "equivalent within Δ": "equivalent",
    "undecided": "undecided",
    "too few seeds": "too few",
    "too few groups": "too few",
    "withheld by a check": "withheld",
    "no effect of the seed": "unmoved",
    "impossible here": "impossible",
}

DIRECTED = ("matters", "too small", "size undecided")
NO_VERDICT = ("too few", "withheld", "unmoved", "impossible")

_D = r"(?P<d>[\d.]+)"
_NO_SIZE = r"(?:(?!by more|but by|whether)[^;(])*(?=\()"
PHRASES = (
    ("size undecided", rf"whether by more than {_D} \S+?(?: over all levels)? is undecided"),
    ("matters", rf"(?<!whether )by more than {_D} "),
    ("too small", rf"but by less than {_D} "),
    ("equivalent", rf"equivalent within {_D} [^\s;(:]+(?! in (?:at least|all|both|none))"),
    ("undecided", r"undecided whether"),
    # Without a smallest difference that matters nothing is said of the size.
    ("size undecided", rf"\bis (?:better than|worse than|above|below) {_NO_SIZE}"),
    ("size undecided", rf"\b(?:higher|lower) (?:after|with|per) {_NO_SIZE}"),
)
SIDE = re.compile(r"\b(better than|worse than|above|below|higher|lower)\b")
SIGNS = {"above": 1, "better than": 1, "higher": 1, "below": -1, "worse than": -1, "lower": -1}


@dataclass
class Reader:
    """text: of the whole report, as Markdown; delta: by metric and by unit, None where none is
    declared; lower: units of metrics of which less is better; metric: where there is but one;
    spans: factor -> doublings from the smallest to the largest level of what a slope is over."""

    text: str
    delta: dict[str, float | None]
    alpha: float
    lower: frozenset[str] = frozenset()
    metric: str = "accuracy"
    spans: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = self.text.replace("\N{NO-BREAK SPACE}", " ")
        self.lines = self.text.splitlines()

    def must(self, holds: bool, claim: str, where: object) -> None:
        if not holds:
            self.wrong.append(f"{claim}: {str(where)[:600]}")

    def sentences(self) -> list[str]:
        """Lines of prose, without the alternative texts of figures."""
        prose = (line for line in self.lines if line and not line.startswith(("|", "![", "#")))
        return [unescaped(line.lstrip("->* ")) for line in prose]

    def tables(self) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """Each table's caption and its rows, by column."""
        at = 0
        while at < len(self.lines):
            if self.lines[at].startswith("|") and self.lines[at + 1].startswith("| -"):
                caption = self.lines[at - 2]
                names = cells(self.lines[at])
                rows, at = [], at + 2
                empty = {"setting": ""}  # left out where there is but one
                while at < len(self.lines) and self.lines[at].startswith("|"):
                    rows.append(empty | dict(zip(names, cells(self.lines[at]), strict=True)))
                    at += 1
                yield caption, rows
            at += 1

    def table(self, start: str) -> list[dict[str, str]]:
        return next((rows for caption, rows in self.tables() if caption.startswith(start)), [])

    def check_clauses(self) -> int:
        """Every verdict in words against the estimates that follow it. Returns how many."""
        checked = 0
        for line in self.sentences():
            found = sorted(
                ((match.start(), kind, match) for kind, pattern in PHRASES
                 for match in re.finditer(pattern, line)),
                key=lambda one: one[0],
            )  # fmt: skip
            last = 0
            for at, (start, kind, match) in enumerate(found):
                stop = found[at + 1][0] if at + 1 < len(found) else len(line)
                sides = SIDE.findall(line[last : match.end()])
                last = match.end()
                for printed in estimates(
                    line[match.end() : stop].partition("ver all ")[0].partition("ver both ")[0]
                ):
                    unit = printed.unit.removesuffix(" per doubling")
                    sign = SIGNS[sides[-1]] if sides and kind in DIRECTED else 0
                    if unit in self.lower and sides and sides[-1].endswith("than"):
                        sign = -sign
                    given = match.groupdict().get("d")
                    delta = self.delta.get(unit) if given is None else float(given)
                    slope = re.search(r"per doubling of `([^`]+)`", line)
                    if slope and delta is not None:
                        delta /= self.spans[slope[1].replace(" ", "_")]
                    problem = printed.check(kind, delta, sign)
                    self.must(
                        not problem, f"{kind}, but {problem}", line[max(start - 90, 0) : stop]
                    )
                    checked += 1
        return checked

    def check_tables(self) -> int:
        """Every verdict in a table against the family's interval and the p-values of its row."""
        checked = 0
        for caption, rows in self.tables():
            for row in rows:
                if "verdict" not in row or "family's interval" not in row:
                    continue
                kind, basis = label(row["verdict"])
                ends = re.fullmatch(INTERVAL, row["family's interval"])
                if ends is None or kind in NO_VERDICT:
                    continue
                delta = self.delta.get(named(row.get("metric", self.metric)))
                if delta is not None and "slope" in (row.get("change"), row.get("kind")):
                    delta /= self.spans["budget"]
                elif delta is not None and row.get("effect of") == "per doubling":
                    delta /= self.spans[named(row["factor"])]
                printed = Printed(number(row["mean"]), number(ends[1]), number(ends[2]), basis)
                problem = printed.check(kind, delta)
                self.must(not problem, f"{kind}, but {problem}", f"{caption}: {row}")
                self._check_p(row, kind)
                checked += 1
        return checked

    def _check_p(self, row: dict[str, str], kind: str) -> None:
        p = row.get("p, corrected", "–")
        if p != "–":
            small = p.startswith("<") or float(p) <= self.alpha
            self.must(small == (kind in DIRECTED), "p, corrected, is not the verdict's", row)
        p = row.get("p, equivalence", "–")
        if p != "–" and kind != "matters":
            small = p.startswith("<") or float(p) <= self.alpha
            claimed = kind in ("equivalent", "too small")
            self.must(small == claimed, "p, equivalence, is not the verdict's", row)


def unescaped(text: str) -> str:
    return re.sub(r"\\([\\<>_|#\]])", r"\1", text)


def cells(line: str) -> list[str]:
    return [unescaped(cell.strip()) for cell in line.strip().strip("|").split(" | ")]


def named(cell: str) -> str:
    return cell.strip("`")


def label(text: str) -> tuple[str, str]:
    """A verdict cell: which verdict, and what it says to rest on."""
    found = next(name for name in sorted(LABELS, key=len, reverse=True) if text.startswith(name))
    return LABELS[found], text[len(found) :]
