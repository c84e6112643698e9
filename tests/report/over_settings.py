"""What a report claims of one contrast over several settings, against its own tables."""

import re

from tests.report.reader import (
    DIRECTED,
    NUMBER,
    Printed,
    Reader,
    estimates,
    label,
    named,
    number,
)


class OverSettings(Reader):
    """The same reader, of overall effects, their ends, and in how many settings they hold."""

    def check_together(self) -> None:
        """`Over all 8 settings together ...; from X to Y`, and in how many it is shown to hold,
        against the rows of that contrast."""
        question = metric = ""
        for line in self.sentences():
            if asked := named_contrast(line):
                question = asked
                of = re.search(
                    r"\(`([^`]+)`(?:, \w+ is better)?\)", re.split("Over all|Over both", line)[0]
                )
                metric = of[1] if of else self.metric
            match = re.search(
                rf"[Oo]ver (all \d+|both) settings together(.*?) (?P<estimate>{NUMBER} .*?); from "
                rf"({NUMBER}) \((.*?)\) to ({NUMBER}) \((.*?)\)\.",
                line,
            )
            if match is None:
                continue
            rows = [
                row
                for row in self.table("Every contrast at every setting")
                if named(row["contrast"]) == question and row["family"] == "primary"
                and named(row.get("metric", metric)) == metric and row["mean"] != "–"
            ]  # fmt: skip
            self.must(len(rows) == how_many(match[1]), f"{len(rows)} rows", line)
            low, high = number(match[4]), number(match[6])
            means = {row["setting"]: number(row["mean"]) for row in rows}
            self.must(low == min(means.values()), f"smallest of {means}", line)
            self.must(high == max(means.values()), f"largest of {means}", line)
            self.must(means.get(match[5]) == low and means.get(match[7]) == high, f"{means}", line)
            (whole,) = estimates(match["estimate"]) or [
                Printed(number(match["estimate"].split(" ")[0]), 0, 0, "")
            ]
            if not match[2] or "of its own" in match[2]:  # on the seeds of all of them
                self.must(low - 0.011 <= whole.mean <= high + 0.011, "a mean outside", line)
            self._check_holds(line, rows)

    def check_headlines(self) -> None:
        """The sentences above the answer's table, and its rows, against the table of differences:
        how many settings, the smallest and the largest, verdicts, means and intervals."""
        every = [r for r in self.table("Every contrast at every setting") if r["mean"] != "–"]
        for line in self.sentences():
            won = re.match(r"At (none|\d+) of (\d+) settings? QAT is shown to beat (.*?): ", line)
            if won:
                self._check_won(won, every)
                line = line[won.end() :]
                line = line[0].upper() + line[1:]
            if counted := re.fullmatch(
                rf".* against .*, of (\d+) settings: (.*?)(?:; from {NUMBER} \(.*)?\.", line
            ):
                parts = re.findall(r" in (\d+)(?: \(|;|$)", counted[2])
                self.must(
                    sum(map(int, parts)) == int(counted[1]), "counts that do not add up", line
                )
            match = re.match(
                rf"Over (all \d+|both) settings together"
                rf"(?:, on \d+ seeds? that all of them have,|, each on seeds of its own,)? "
                rf"(?P<said>.*?) \(.*?\), from ({NUMBER}) \((.*?)\) to ({NUMBER}) \(",
                line,
            )
            if match is None:
                continue
            name = contrast_of(match["said"])
            rows = [r for r in every if named(r["contrast"]) == name and r["family"] == "primary"]
            if len({r["metric"] for r in rows if "metric" in r}) > 1:
                continue  # which of them a sentence does not repeat
            means = [number(row["mean"]) for row in rows]
            self.must(len(rows) == how_many(match[1]), f"{len(rows)} rows of {name}", line)
            ends = number(match[3]), number(match[5])
            self.must(bool(means) and ends == (min(means), max(means)), f"{means}", line)
            cared = re.search(r"; (\d+) of these settings are to be read with care", line)
            self.must(cared is None or int(cared[1]) <= len(rows), f"{len(rows)} rows", line)
        for row in self.table("The answer, row by row"):
            name = re.findall(r"`([^`]+)`", row.get("question", row.get("contrast", "")))[0]
            ends = re.match(
                r"(lowest|highest) of (\d+)( primary ones)?: (.*)", row.get("setting", "")
            )
            place = ends[4] if ends else row.get("setting", "")
            if ends:
                self._check_end(name, ends[1], int(ends[2]), row, every)
            same = [
                r for r in every
                if named(r["contrast"]) == name and r["setting"] == place
                and r.get("metric", "") == row.get("metric", r.get("metric", ""))
            ]  # fmt: skip
            if "Is one epoch" in row.get("question", "") or len(same) != 1:
                continue
            for column in ("verdict", "mean", "family's interval"):
                self.must(row[column] == same[0][column], f"{same[0]}", row)

    def _check_won(self, won: re.Match[str], every: list[dict[str, str]]) -> None:
        """At how many recipes QAT beats its control, and with which by most."""
        rows = [
            r for r in every
            if named(r["contrast"]) == "qat - ptq+k" and r["family"] == "primary"
            and named(r.get("metric", self.metric)) == self.metric
        ]  # fmt: skip
        sign = -1 if self.metric in self.lower else 1
        ahead = {
            r["setting"]: abs(number(r["mean"])) for r in rows
            if label(r["verdict"])[0] in DIRECTED and sign * number(r["mean"]) > 0
        }  # fmt: skip
        said = 0 if won[1] == "none" else int(won[1])
        self.must((said, int(won[2])) == (len(ahead), len(rows)), f"{ahead} of {len(rows)}", won[0])
        most = re.search(r", by most with (.*)", won[3])
        self.must(bool(most) == bool(ahead), "with which by most", won[0])
        if most:
            self.must(ahead.get(most[1]) == max(ahead.values()), f"{ahead}", won[0])

    def _check_end(
        self, name: str, which: str, of: int, row: dict[str, str], every: list[dict[str, str]]
    ) -> None:
        """The row of a contrast's lowest or highest setting."""
        means = [
            number(r["mean"]) for r in every
            if named(r["contrast"]) == name and r["family"] == "primary"
            and r.get("metric", "") == row.get("metric", r.get("metric", ""))
        ]  # fmt: skip
        end = (min if which == "lowest" else max)(means)
        self.must(len(means) == of and number(row["mean"]) == end, f"{which} of {means}", row)

    def _check_holds(self, line: str, rows: list[dict[str, str]]) -> None:
        """Corrected over fewer contrasts, at least as many hold as in the whole family."""
        several = r"(in none|in both|in (?:at least|all) (\d+))"
        match = re.search(
            rf"shown to be above .*? {several}, below it {several}"
            rf"(?:, equivalent within .*? {several})?\.",
            line,
        )
        if match is None:
            return
        kinds = [(label(row["verdict"])[0], number(row["mean"])) for row in rows]
        above = sum(kind in DIRECTED and mean > 0 for kind, mean in kinds)
        below = sum(kind in DIRECTED and mean < 0 for kind, mean in kinds)
        alike = sum(kind in ("equivalent", "too small") for kind, _ in kinds)
        u = [2 if match[i - 1] == "in both" else int(match[i] or 0) for i in (2, 4, 6)]
        self.must(above <= u[0] and below <= u[1], f"{above} above and {below} below", line)
        self.must(u[0] + u[1] <= len(rows), f"{len(rows)} rows", line)
        alls = [how_many(n) for n in re.findall(r"in (all \d+|both)", match[0])]
        self.must(all(n == len(rows) for n in alls), f"{len(rows)} rows", line)
        self.must(match[5] is None or alike <= u[2] <= len(rows), f"{alike} equivalent", line)


def how_many(said: str) -> int:
    """`all 8`, `both`"""
    return 2 if said == "both" else int(said.split()[-1])


def contrast_of(said: str) -> str:
    """The contrast that a verdict in words is about: of two arms, in whichever order."""
    if coded := re.findall(r"`([^`]+)`", said):
        return " - ".join(coded[:2])
    if "as much training" in said:
        return "qat - ptq+k"
    return "ptq - float" if "the float model" in said else "qat - ptq"


def named_contrast(line: str) -> str:
    """The contrast that a question of the answer, or a line of the overview, is about."""
    questions = {
        "Is PTQ better than the float model?": "ptq - float",
        "Is PTQ better than QAT, QAT having trained longer?": "qat - ptq",
        "And at equal compute": "qat - ptq+k",
        "Which recipe makes QAT win": "qat - ptq+k",
        "Is `ptq` better than `float`?": "ptq - float",
        "Is `qat` better than `ptq`?": "qat - ptq",
        "And better than `ptq+k`?": "qat - ptq+k",
    }
    found = next((name for text, name in questions.items() if text in line), "")
    over = re.match(
        r"`([^`]+ - [^`]+)`(?: \(`[^`]+`[^)]*\))?: (?:Over all|Over both|The settings differ)", line
    )
    return over[1] if over else found
