"""Difference, seeds, test-set size: any of them from the others, before anything is run.

Two populations, as in the report: new seeds on one test set (paired t-test over seeds, the level
of each test alpha / tests), and two model files on new examples (exact McNemar).
"""

from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING, Literal

from bench.errors import InputError
from bench.statistics import families, mcnemar
from bench.statistics import power as seeds_power
from bench.statistics.crossed import sd_from_test_noise
from bench.statistics.mcnemar import MOST_EXAMPLES, examples_needed, largest_churn

if TYPE_CHECKING:
    from rich.console import Console

Group = Literal["seeds", "files", "noise"]
Unit = Literal["pp", "seeds", "examples", "share", "%"]

COMBINATIONS = (
    "allowed: two or three of --seeds, --sd, --difference; two or three of --examples, --churn, "
    "--difference; or both"
)


@dataclass(frozen=True)
class Answer:
    """One number found. value: in `unit`; None where there is none (`said` has the reason)."""

    name: str
    group: Group
    value: float | None
    unit: Unit
    said: str
    why_none: str = ""


@dataclass(frozen=True)
class Asked:
    """What is given; None is to be found, or of no interest.

    seeds: shared by both arms; sd: of the paired difference over seeds, pp; difference: the true
    one, or the margin of equivalence, pp; examples: in the test set; churn: percent of them on
    which the two models differ in correctness; alpha: two-sided, of the family of `tests`; power:
    a share.
    """

    seeds: int | None = None
    sd: float | None = None
    difference: float | None = None
    examples: int | None = None
    churn: float | None = None
    alpha: float = 0.05
    tests: int = 1
    power: float = 0.8

    def __post_init__(self) -> None:
        for name in ("seeds", "examples", "tests"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name}", f"found {value}", "allowed: at least 1")
        if self.examples is not None and self.examples > MOST_EXAMPLES:
            raise InputError(
                "--examples", f"found {self.examples:,}", f"allowed: at most {MOST_EXAMPLES:,}"
            )
        for name in ("sd", "difference"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise InputError(f"--{name}", f"found {value:g}", "allowed: greater than 0, in pp")
        if self.churn is not None and not 0 < self.churn <= 100:
            raise InputError(
                "--churn", f"found {self.churn:g}", "allowed: above 0, at most 100 percent"
            )
        if not 0 < self.alpha < 0.5:
            raise InputError("--alpha", f"found {self.alpha:g}", "allowed: between 0 and 0.5")
        if not self.alpha < self.power < 1:
            raise InputError(
                "--power",
                f"found {self.power:g}",
                f"allowed: between alpha = {self.alpha:g} and 1, such as 0.8",
            )
        if self.difference is not None and self.difference > 100:
            raise InputError("--difference", f"found {self.difference:g}", "allowed: at most 100")
        if self.churn is not None and (self.difference or 0) > self.churn:
            raise InputError(
                "--difference",
                f"found {self.difference:g} pp with a churn of {self.churn:g}%",
                "allowed: at most the churn, a larger difference needs more examples that differ",
            )

    @property
    def level(self) -> float:
        """alpha of each test."""
        return self.alpha / self.tests

    @property
    def fewest_seeds(self) -> int:
        """With fewer, no outcome of the exact test is significant and no verdict is given."""
        return families.fewest_seeds(self.alpha, self.tests)

    @property
    def noise_sd(self) -> float | None:
        """SD over seeds, pp, of a difference between models that are equally good."""
        if self.examples is None or self.churn is None:
            return None
        return sd_from_test_noise(self.churn / 100, self.examples, 100.0)


def solve(asked: Asked) -> tuple[Answer, ...]:
    """All that follows from what is given. Raises InputError where nothing does."""
    found = (*_seeds(asked), *_files(asked), *_noise(asked))
    if not found:
        names = ("seeds", "sd", "difference", "examples", "churn")
        given = [f"--{name}" for name in names if getattr(asked, name) is not None]
        only = f"only {' and '.join(given)}" if given else "nothing"
        raise InputError("power", f"found {only} to start from", COMBINATIONS)
    return found


def _seeds(asked: Asked) -> tuple[Answer, ...]:
    seeds, difference, level, power = asked.seeds, asked.difference, asked.level, asked.power
    sd = asked.sd if asked.sd is not None else asked.noise_sd
    found: list[Answer] = []

    def answer(name: str, value: float | None, unit: Unit, said: str, why: str = "") -> None:
        found.append(Answer(name, "seeds", value, unit, said, why))

    if sd is not None and seeds is not None:
        answer(
            "detectable_difference",
            seeds_power.detectable_difference(seeds, sd, level, power),
            "pp",
            f"smallest true difference that is detected with {power:.0%} power",
            "one seed has no SD",
        )
        answer(
            "equivalence_margin",
            seeds_power.equivalence_margin(seeds, sd, level, power),
            "pp",
            f"smallest margin of equivalence, with {power:.0%} power where the truth is 0",
            "one seed has no SD",
        )
        if difference is not None and seeds > 1:
            answer(
                "power",
                seeds_power.power_paired_t(difference / sd, seeds, level),
                "share",
                f"power to detect a true difference of {difference:g} pp",
            )
            answer(
                "power_equivalence",
                seeds_power.power_equivalence(difference / sd, seeds, level),
                "share",
                f"power to show equivalence within {difference:g} pp if the true difference is 0",
            )
    if sd is not None and difference is not None:
        fewest = asked.fewest_seeds
        answer(
            "seeds_needed",
            max(fewest, seeds_power.seeds_needed(difference, sd, level, power)),
            "seeds",
            f"seeds to detect a true difference of {difference:g} pp with {power:.0%} power",
        )
        answer(
            "seeds_needed_equivalence",
            max(fewest, seeds_power.seeds_needed_equivalence(difference, sd, level, power)),
            "seeds",
            f"seeds to show equivalence within {difference:g} pp if the true difference is 0",
        )
    if sd is None and seeds is not None and difference is not None:
        one = seeds_power.detectable_difference(seeds, 1.0, level, power)
        margin = seeds_power.equivalence_margin(seeds, 1.0, level, power)
        answer(
            "largest_sd",
            None if one is None else difference / one,
            "pp",
            f"largest SD over seeds at which {difference:g} pp is detected with {power:.0%} power",
            "one seed has no SD",
        )
        answer(
            "largest_sd_equivalence",
            None if margin is None else difference / margin,
            "pp",
            f"largest SD over seeds that shows equivalence within {difference:g} pp",
            "one seed has no SD",
        )
        if one is not None and asked.churn is not None:
            answer(
                "examples_for_seeds",
                ceil(asked.churn / 100 / (difference / one / 100) ** 2),
                "examples",
                f"test examples that {seeds} seeds need at least to detect {difference:g} pp",
            )
    if found:
        answer("fewest_seeds", asked.fewest_seeds, "seeds", "fewest seeds that allow any verdict")
    return tuple(found)


def _files(asked: Asked) -> tuple[Answer, ...]:
    examples, difference, level, power = asked.examples, asked.difference, asked.level, asked.power
    churn = None if asked.churn is None else asked.churn / 100
    found: list[Answer] = []

    def answer(name: str, value: float | None, unit: Unit, said: str, why: str = "") -> None:
        found.append(Answer(name, "files", value, unit, said, why))

    if examples is not None and churn is not None:
        detectable = mcnemar.detectable_difference_two_files(churn, examples, level, power)
        answer(
            "detectable_difference_two_files",
            None if detectable is None else 100 * detectable,
            "pp",
            f"smallest true difference that is detected with {power:.0%} power",
            "none, even if all churn went one way",
        )
        discordant = round(churn * examples)
        smallest = mcnemar.mcnemar(discordant, 0, examples).smallest_significant(level)
        answer(
            "smallest_significant",
            None if smallest is None else 100 * smallest,
            "pp",
            f"smallest measured difference with p <= {level:.3g}: {discordant:,} are discordant",
            "none: too few are discordant",
        )
        if difference is not None:
            answer(
                "power_two_files",
                mcnemar.power_mcnemar(difference / 100, churn, examples, level),
                "share",
                f"power to detect a true difference of {difference:g} pp",
            )
    if difference is not None and churn is not None:
        answer(
            "examples_needed",
            examples_needed(difference / 100, churn, level, power),
            "examples",
            f"test examples to detect {difference:g} pp with {power:.0%} power",
            f"more than {MOST_EXAMPLES:,}",
        )
    if difference is not None and examples is not None and churn is None:
        largest = largest_churn(difference / 100, examples, level, power)
        answer(
            "largest_churn",
            None if largest is None else 100 * largest,
            "%",
            f"largest churn at which {difference:g} pp is detected with {power:.0%} power",
            "none, even if all churn went one way",
        )
    if found:
        answer(
            "fewest_discordant",
            mcnemar.fewest_discordant(level),
            "examples",
            f"fewest discordant examples with which p can be <= {level:.3g}",
        )
    return tuple(found)


def _noise(asked: Asked) -> tuple[Answer, ...]:
    if asked.noise_sd is None:
        return ()
    said = "SD over seeds of equally good models, from test noise alone"
    return (Answer("sd_from_test_noise", "noise", asked.noise_sd, "pp", said),)


def warnings(asked: Asked) -> tuple[str, ...]:
    """What must be said before the numbers."""
    said = []
    noise = asked.noise_sd
    if asked.seeds is not None and asked.seeds < asked.fewest_seeds:
        said.append(
            f"too few seeds: with {asked.seeds} no outcome of the exact test is significant at "
            f"alpha = {_level(asked)}, and no verdict is given; that takes {asked.fewest_seeds}"
        )
    if noise is not None and asked.sd is None and (asked.seeds or asked.difference):
        said.append(
            f"without --sd the {noise:.2f} pp of test noise stand for the SD over seeds: the least "
            "that it can be, so the numbers for seeds are at best"
        )
    if noise is not None and asked.sd is not None and asked.sd < noise:
        said.append(
            f"an SD over seeds of {asked.sd:g} pp is below the {noise:.2f} pp that test noise "
            "alone causes: SD, churn and examples do not go together"
        )
    return tuple(said)


HEADINGS: dict[Group, str] = {
    "seeds": "New seeds on one test set (paired t-test over seeds)",
    "files": "Two model files, new examples (exact McNemar)",
    "noise": "Test noise",
}


def print_answers(asked: Asked, answers: tuple[Answer, ...], console: "Console") -> None:
    """A heading, the assumptions, and a table of answers for each population."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    for warning in warnings(asked):
        console.print(Text(f"note: {warning}", style="yellow"))
    console.print(f"alpha = {_level(asked)}, two-sided; power {asked.power:.0%}", highlight=False)
    for group, heading in HEADINGS.items():
        rows = [answer for answer in answers if answer.group == group]
        if not rows:
            continue
        console.print()
        console.print(Text(heading, style="bold"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column()
        table.add_column(justify="right", overflow="fold")
        for answer in rows:
            table.add_row(Padding(Text(answer.said), (0, 0, 0, 2)), Text(shown(answer)))
        console.print(table)


def shown(answer: Answer) -> str:
    """The value with its unit, or why there is none."""
    if answer.value is None:
        return answer.why_none
    if answer.unit in ("seeds", "examples"):
        return f"{answer.value:,.0f} {answer.unit}"
    if answer.unit == "share":
        return f"{100 * answer.value:.1f}%"
    number = f"{answer.value:.2f}" if answer.value >= 0.1 else f"{answer.value:.2g}"
    return f"{number}{'%' if answer.unit == '%' else ' pp'}"


def _level(asked: Asked) -> str:
    return f"{asked.alpha:g}" if asked.tests == 1 else f"{asked.alpha:g}/{asked.tests}"
