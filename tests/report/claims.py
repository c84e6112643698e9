"""What a report claims of how many and how much beyond its verdicts, against its own tables."""

import re
from collections import Counter

from tests.report.over_settings import OverSettings, how_many
from tests.report.reader import (
    INTERVAL,
    LABELS,
    NUMBER,
    PHRASES,
    estimates,
    label,
    named,
    number,
)


class Claims(OverSettings):
    """The same reader, who counts rows and adds up numbers."""

    def check_counts(self, family: Counter[tuple[str, str, str]], population: str) -> None:
        """Counts in sentences against rows of tables, and families' sizes against `family`: how
        many contrasts there are by family, metric and population."""
        rows = self.table("Every contrast at every setting")
        prose = "\n".join(self.sentences())
        for match in re.finditer(r"^\*\*(.*?)\*\*.*\n+(Of (\d+) settings: (.*)\.)$", prose, re.M):
            parts = re.findall(r" in (\d+)(?: \(|;|$)", f"{match[4]}")
            self.must(sum(map(int, parts)) == int(match[3]), "counts that do not add up", match[0])
        for match in re.finditer(r"Of ([\d,]+) contrasts: (.*)\.", prose):
            said = {name: int(n) for name, n in re.findall(r"([^:;]+): (\d+)", match[2])}
            said = {LABELS[name.strip()]: n for name, n in said.items()}
            declared = [row for row in rows if row["family"] == "primary"]
            there = Counter(label(row["verdict"])[0] for row in declared)
            self.must(said == there, f"counts, but {there} in the table", match[0])
            self.must(sum(said.values()) == int(match[1]), "counts that do not add up", match[0])
        sizes = {of: n for (of, _, whom), n in family.items() if whom == population}
        for pattern, of in (
            (r"for (all \d+|both) primary contrasts at once", "primary"),
            (r"for the (\d+) primary contrasts of each metric", "primary"),
            (r"for (all \d+|both) changes with", "interaction"),
            (r"for (all \d+|both) overall effects at once", "overall"),
        ):
            for n in re.findall(pattern, prose):
                self.must(
                    how_many(n) == sizes.get(of), f"family of {sizes.get(of)}", f"{pattern} {n}"
                )
        told = re.findall(r"The (\w+) family, `([^`]+)`, (.*?): (\d+) contrasts?, corrected", prose)
        self.must(bool(told), "families with their sizes", "The statistics")
        for of, metric, whom, n in told:
            population = (
                "seeds+examples"
                if "test examples" in whom.partition("new seeds and")[2]
                else "seeds"
            )
            there = family[of, metric, population]
            self.must(int(n) == there, f"a family of {there}", (of, metric, whom, n))
        for shown, of in re.findall(r"These are (\d+) of (\d+); all are below", prose):
            self.must(int(shown) < int(of), "some of more", (shown, of))

    def check_seeds(self) -> None:
        """`The numbers rest on 3 to 12 seeds` against the table."""
        prose = "\n".join(self.sentences())
        counts = {
            int(row["seeds"].split(" ")[0])
            for row in self.table("Every contrast at every setting")
            if label(row["verdict"])[0] != "impossible"
        }
        (said,) = re.findall(r"The numbers rest on ([\d to]+|no) seeds?", prose)
        ends = {int(n) for n in re.findall(r"\d+", said)}
        self.must(ends == ({min(counts), max(counts)} if counts else set()), f"{counts}", said)

    def check_self(self) -> None:
        """What the report says of its own tests against the table below: means, ends, who is
        skewed."""
        prose = "\n".join(self.sentences())
        said = re.findall(
            r"t-test claims one in ([\d.]+)% of cases \(it promises ([\d.]+)%\), and a verdict on "
            r"any of (\d+) primary contrasts? in ([\d.]+)%",
            prose,
        )
        tables = [
            self.table(caption)
            for caption in dict.fromkeys(
                line for line in self.lines if line.startswith("The tests on the study's own")
            )
        ]
        self.must(len(said) == len(tables), f"{len(tables)} tables", said)
        for (mean, alpha, n, _), rows in zip(said, tables, strict=True):
            self.must(float(alpha) == round(100 * self.alpha, 1), "the level", alpha)
            self.must(int(n) == len(rows), f"{len(rows)} rows", n)
            shares = [float(row["errs, by signs"].rstrip("%")) for row in rows]
            found = sum(shares) / len(shares)
            self.must(abs(found - float(mean)) < 0.11, f"a mean of {found}", mean)
        if len(tables) != 1:
            return
        for column, pattern in (
            ("errs, drawn again", r"the t-test errs in ([\d.]+)% to ([\d.]+)% of cases"),
            ("planted, found", r"is claimed by a verdict in ([\d.]+)% to ([\d.]+)% of cases"),
        ):
            ends = re.findall(pattern, prose)
            there = [row[column] for row in tables[0] if column in row]
            self.must(bool(ends) == bool(there), f"a column {column}", ends)
            if ends:
                shares = [float(share.rstrip("%")) for share in there]
                low, high = map(float, ends[0])
                self.must((low, high) == (min(shares), max(shares)), f"{shares}", ends)
        skewed = re.findall(
            r"Skewed differences, or an outlier: for (.*) the t-test errs in more than", prose
        )
        flagged = [
            named(row["contrast"])
            for row in tables[0]
            if float(row.get("errs, drawn again", "0%").rstrip("%")) > 200 * self.alpha
        ]
        names = re.findall(r"`([^`]+)`", skewed[0]) if skewed else []
        # a share may round down to the bound
        self.must(set(flagged) <= set(names) and bool(names) >= bool(flagged), f"{flagged}", names)

    def check_split(self) -> int:
        """Parts that add up, in sentences and in the table, to the contrast's own mean."""
        rows = self.table("The parts and their sum")
        for row in rows:
            parts = [
                number(row[name].split(" ")[0])
                for name in ("more training", "weights", "conversion")
            ]
            whole = number(row["sum"].split(" ")[0])
            self.must(abs(sum(parts) - whole) < 0.0201, "parts that do not add up", row)
        sums = {number(row["sum"].split(" ")[0]) for row in rows}
        for line in self.sentences():
            for match in re.finditer(
                rf"its ({NUMBER}) pp are made(.*?) of ((?:.*?{NUMBER} pp){{3}})", line
            ):
                parts = [number(n) for n in re.findall(rf"({NUMBER}) pp", match[3])]
                whole = number(match[1])
                self.must(abs(sum(parts) - whole) < 0.0201, "parts that do not add up", line)
                self.must(whole in sums, f"no such sum among {sums}", line)
        return len(rows)

    def check_guess(self, expected: str) -> None:
        """The first sentence against its own number and interval, and what was expected."""
        # What must be known before it stands above, in notes.
        below = [line for line in self.lines if line and line[0] not in ">#"]
        first = below[0].lstrip("*")
        second = next((line for line in below if line.startswith("What decides was")), "")
        answered = r"This guess is (supported|refuted|undecided) here: “.*?”\.\*\* "
        match = re.match(answered, first)
        self.must(match is not None, "a first sentence on the guess", first)
        if match is None:
            return
        self.must(f"expected {expected}." in second, f"expected {expected}", second)
        side = {"above 0": 1, "below 0": -1, "away from 0": 0}[expected]
        said, why = match[1], first[match.end() :]
        found = estimates(why)
        verdicts = [kind for kind, pattern in PHRASES if re.search(pattern, why)]
        if not found or not verdicts:
            self.must(said == "undecided", "an answer without a number", first)
            return
        kind, printed = verdicts[0], found[0]
        for row in self.table("The answer, row by row"):
            if "Does the guess hold?" in row.get("question", ""):
                there = number(row["mean"]), row["family's interval"] in why
                self.must(there == (printed.mean, True), "the number of the first sentence", row)
        same = side == 0 or printed.mean * side > 0
        right = {
            "matters": "supported" if same else "refuted",
            "size undecided": "undecided" if same else "refuted",
            "too small": "refuted",
            "equivalent": "refuted",
            "undecided": "undecided",
        }[kind]
        self.must(said == right, f"{right}, being {kind}", first)

    def check_inside(self) -> None:
        """What is said of models inside against the table there."""
        rows = self.table("Quantized models")
        for words, column in (
            (r"(\d+)% of each range is still", "start of ranges"),
            (r"(\d+)% of batch normalization's start", "start of batch norm"),
            (r"([\d.]+)% of the test examples have an output at the limit", "at the limit"),
        ):
            shown = {row[column] for row in rows}
            for line in self.sentences():
                match = re.match(rf"`([^`]+)`(?: \((.*?)\))?: {words}", line)
                if match is None:
                    continue
                (row,) = [r for r in rows if (named(r["arm"]), r["setting"]) ==
                          (match[1], match[2] or "")]  # fmt: skip
                self.must(row[column] == f"{match[3]}%", f"{row[column]}", line)
                worst = max((float(each.rstrip("%")) for each in shown if each != "–"), default=0)
                self.must(float(match[3]) == worst, f"the worst is {worst}", line)

    def check_looks(self, population: str) -> None:
        """Of a sequential study: what became clear, what is open, and the intervals beside it."""
        rows = self.table("Every look at every primary contrast")
        delta = self.delta[self.metric]
        last = {}
        for row in rows:
            ends = re.fullmatch(INTERVAL, row["repeated interval"])
            assert ends is not None
            low, high = number(ends[1]), number(ends[2])
            decided = low > 0 or high < 0 or (delta is not None and -delta < low and high < delta)
            self.must(decided == row["then"].startswith("clear"), f"decided: {decided}", row)
            last[row["contrast"], row["setting"]] = row
        for row in self.table("Every contrast at every setting"):
            look = last.get((row["contrast"], row["setting"]))
            if look and row["family"] == "primary" and population == "seeds":
                gap = abs(number(row["mean"]) - number(look["mean"]))
                self.must(gap < 0.0501, "not the mean of the last look", (row, look))
        prose = "\n".join(self.sentences())
        for clear, of in re.findall(r"(\d+) of (\d+) primary contrasts? became clear", prose):
            there = sum(row["then"] == "clear" for row in last.values())
            self.must(int(clear) == there and int(of) >= len(last), f"{last}", (clear, of))
            still = re.findall(r"(\d+)( of \d+)? primary contrasts? (?:is|are) still open", prose)
            waiting = int(of) - int(clear)
            self.must(bool(still) == bool(waiting), f"{waiting} are open", still)
            for n, whole in still:
                right = int(n) == waiting and whole in ("", f" of {of}")
                self.must(right, "open ones are those not clear", (clear, of, n, whole))

    def check_belief(self) -> None:
        """`At 2 of 8 settings` against the table of checks; what is impossible is said so."""
        rows = [row for row in self.table("Checks before verdicts") if row["seeds"] != "0"]
        prose = "\n".join(self.sentences())
        for words, column in (
            (r"At (\d+) of (\d+) settings? the float training", "with care"),
            (r"At (\d+) of (\d+) settings? the float file", "no verdict"),
        ):
            there = sum(column in row["what follows"] for row in rows)
            said = re.findall(words, prose)
            self.must(bool(said) == bool(there), f"{there} settings {column}", said)
            for n, of in said:
                self.must((int(n), int(of)) == (there, len(rows)), f"{there} of {len(rows)}", said)
        table = self.table("Every contrast at every setting")
        impossible = any(label(row["verdict"])[0] == "impossible" for row in table)
        self.must(impossible == (" is impossible here: `" in prose), f"{impossible}", "impossible")
        none = re.findall(r".*\b0 seeds.*", prose)
        self.must(not none, "no seeds are too few of nothing", none)

    def check_shares(self) -> None:
        """Shares of single runs and of diverged models, with their intervals, as whole counts."""
        for row in self.table("What a single run shows"):
            for name in ("PTQ above float", "PTQ above QAT", "both, as in the thread"):
                share, low, high = (int(n) for n in re.findall(r"(\d+)%", row[name]))
                self.must(low <= share <= high, "a share outside of its interval", row)
        for row in self.table("Diverged models per arm"):
            count, of = map(int, row["diverged"].split(" of "))
            share, low, high = (float(n) for n in re.findall(r"([\d.]+)%", row["rate"]))
            self.must(abs(share - 100 * count / of) < 0.051, "a share that is none", row)
            self.must(low - 0.05 <= share <= high + 0.05, "outside of its interval", row)

    def check_cells(self, planned: int, with_result: int, statuses: Counter[str]) -> None:
        """`N of M planned cells`, and the table of statuses."""
        prose = "\n".join(self.sentences())
        said = re.findall(r"([\d,]+) of ([\d,]+) planned cells? have no result", prose)
        self.must(bool(said) == (with_result < planned), f"{with_result} of {planned}", said)
        for missing, of in said:
            self.must(number(missing) == planned - with_result, f"{with_result}", said)
            self.must(number(of) == planned, f"{planned}", said)
        rows = self.table("Cells (evaluated models)")
        for status, n in statuses.items():
            total = sum(number(row.get(status, "0")) for row in rows)
            self.must(total == n, f"{n} cells are {status}", rows)
        self.must(
            sum(number(row["planned"]) for row in rows) == planned, f"{planned} planned", rows
        )
