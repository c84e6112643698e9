"""What would decide what is undecided, with the commands, and what they take."""

from collections.abc import Iterator, Sequence
from math import ceil

from bench.analysis import Analysis, Comparison, Population
from bench.analysis.comparisons import OPEN
from bench.report import words
from bench.report.content import Block, Bullets, Paragraph, Section, Text, code

RUN = "ptq-vs-qat run study.toml --out ."
"""In the folder of results, so that it stays true wherever that is moved to."""

BY_POPULATION = False  # seeds and examples both


def build(analysis: Analysis, population: Population) -> Section | None:
    if analysis.study is None:
        return None
    primary = [c for c in analysis.select("seeds") if c.family == "primary"]
    there = [c for c in primary if not c.pairs.impossible]
    if not there:
        return None
    items = [*_seeds(analysis, there), *_examples(analysis), *_hour(analysis)]
    if not items:
        return None
    blocks: list[Block] = [Bullets(tuple(items))]
    if any(RUN in item for item in items):
        blocks.append(Paragraph("Commands are for a terminal in the folder of this report."))
    if analysis.study.sequential is None and any(c.verdict in OPEN for c in there):
        blocks.append(
            Paragraph(
                "Seeds that do: to find a difference as large as Δ or to show that there is none "
                "so large, each with a power of 80% at the SD seen here. Adding seeds since these "
                "verdicts were seen makes false claims likelier than α says: `--until decided` "
                "allows for it, where it is declared from the start; else take what comes as a "
                "study of its own."
            )
        )
    return Section("What to do next", tuple(blocks))


def _seeds(analysis: Analysis, there: Sequence[Comparison]) -> Iterator[Text]:
    study = analysis.study
    assert study is not None
    missing = analysis.checks.planned - analysis.checks.with_result
    if missing:
        yield (
            f"**Finish it**: {words.count(missing, 'planned cell')} without a result run with "
            f"{code(RUN)}."
        )
    still = [c for c in there if c.verdict in OPEN]
    if not still:
        yield "Every primary contrast has its verdict: more seeds would only narrow intervals."
        return
    if study.sequential is not None:
        yield (
            f"**Look again**: {code(RUN)} adds seeds where it is not clear yet, up to "
            "the declared maximum."
        )
        return
    known = [c for c in still if c.seeds_needed is not None]
    if not known:
        yield (
            f"{words.count(len(still), 'primary contrast')} without a plain verdict: no number of "
            "seeds can be named that would give one."
        )
        return
    have = len(study.seeds)
    needs = sorted(
        max(have + 1, c.seeds_needed or 0, c.seeds_needed_equivalence or 0) for c in known
    )
    steps = dict.fromkeys((needs[0], needs[(len(needs) - 1) // 2], needs[-1]))
    for target in steps:
        reached = sum(need <= target for need in needs)
        said = (
            f"**{target:,} seeds** in place of {have:,} would do for {reached} of the "
            f"{words.count(len(still), 'primary contrast')} without a plain verdict"
        )
        if analysis.seed_seconds:
            said += f", in about {_minutes((target - have) * analysis.seed_seconds)} more"
        if study.seeds == tuple(range(have)):
            said += f": {code(f'{RUN} --set seeds={target}')}"
        yield f"{said}."


def _examples(analysis: Analysis) -> Iterator[Text]:
    """Where the test set, not the seeds, leaves it open for new test examples."""
    limited = [
        c
        for c in analysis.select("seeds+examples")
        if c.family == "primary"
        and c.verdict in OPEN
        and c.half_width_examples is not None
        and c.pairs.margin is not None
        and c.half_width_examples >= c.pairs.margin
        and c.pairs.n_examples
    ]
    if not limited:
        return
    n = max(c.pairs.n_examples or 0 for c in limited)
    needed = max(
        (c.pairs.n_examples or 0) * ((c.half_width_examples or 0) / (c.pairs.margin or 1)) ** 2
        for c in limited
    )
    yield (
        f"**Test examples**: for new test examples too, no number of seeds decides "
        f"{words.count(len(limited), 'contrast')}: the test set of {n:,} leaves intervals as wide "
        f"as ±Δ. It would have to hold more than {_rounded_up(needed):,}."
    )


def _rounded_up(value: float) -> int:
    """To two digits."""
    unit = 10 ** max(len(str(int(value))) - 2, 0)
    return unit * ceil(value / unit)


def _hour(analysis: Analysis) -> Iterator[Text]:
    seconds = analysis.seed_seconds
    if not seconds:
        return
    if seconds < 3600:
        gives = f"about {words.count(int(3600 // seconds), 'seed')} more of the whole study"
    else:
        gives = f"less than one seed more, which takes {_minutes(seconds)}"
    yield f"**The next CPU hour** gives {gives}, by the times of the cells that are there."


def _minutes(seconds: float) -> Text:
    return "1 CPU minute" if seconds <= 60 else f"{ceil(seconds / 60):,} CPU minutes"
