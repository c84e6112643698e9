"""Does this report work on its own data? Folded: only its one-line answer stands in the open."""

from bench.analysis import Analysis, Population
from bench.analysis.self_checked import SelfCheck, self_check
from bench.report import words
from bench.report.content import (
    Block,
    Cell,
    Column,
    Details,
    Note,
    Paragraph,
    Section,
    Table,
    Text,
    code,
)
from bench.statistics.self_check import FEWEST_RESAMPLED

BY_POPULATION = False  # for new seeds on this test set alone


def build(analysis: Analysis, population: Population) -> Section | None:
    title = "Does this report work on its own data?"
    if analysis.study is not None and analysis.study.sequential is not None:
        why = "Seeds were added by looks here; this check is about a fixed number of them."
        return Section(title, (Paragraph(why),))
    checks = self_check(analysis)
    if not checks:
        return None
    blocks: list[Block] = []
    for found in checks:
        of = f" ({code(found.metric)})" if len(checks) > 1 else ""
        blocks.append(Paragraph(f"{_by_signs(found)}{of}"))
        if found.signs.loud:
            blocks.append(Note("warning", _loud(found)))
        if found.resampled is not None and found.resampled.skewed.any():
            blocks.append(Note("warning", _skewed(found, analysis)))
        details = [Paragraph(text) for text in (_drawn_again(found), _planted(found)) if text]
        table = _table(found, analysis, len(checks) > 1)
        blocks.append(Details("How it was checked, contrast by contrast", (*details, table)))
    return Section(title, tuple(blocks))


def _share(rate: float) -> Text:
    return words.percent(rate)


def _by_signs(found: SelfCheck) -> Text:
    signs, m = found.signs, len(found.members)
    how = f"all {signs.n_draws:,} patterns" if signs.exact else f"{signs.n_draws:,} random patterns"
    contrasts = words.count(m, "primary contrast")
    return (
        f"One sign per seed ({how}) leaves no true difference in the study's own data. There the "
        f"t-test claims one in {_share(float(signs.t.mean()))} of cases (it promises "
        f"{_share(signs.alpha)}), and a verdict on any of {contrasts} in {_share(signs.family)} "
        f"(at most {_share(signs.alpha)})."
    )


def _loud(found: SelfCheck) -> Text:
    return (
        f"That is more than twice {_share(found.signs.alpha)}: on data like these verdicts claim "
        "too much."
    )


def _drawn_again(found: SelfCheck) -> Text:
    """Signs make data symmetric, and so are blind to skewness."""
    if found.resampled is None:
        return (
            f"Signs are blind to skewness, and with fewer than {FEWEST_RESAMPLED} seeds (here "
            f"{found.seeds}) drawing seeds again cannot tell it from chance."
        )
    rates = found.resampled.t
    text = (
        "Signs are blind to skewness. Where as many seeds are drawn again from the centred "
        f"differences, the t-test errs in {_share(float(rates.min()))} to "
        f"{_share(float(rates.max()))} of cases, by contrast."
    )
    if not found.resampled.skewed.any():
        most = _share(2 * found.signs.alpha)
        text += f" That none is above {most} does not show that the data are symmetric."
    return text


def _skewed(found: SelfCheck, analysis: Analysis) -> Text:
    assert found.resampled is not None
    names = []
    for c, skewed in zip(found.members, found.resampled.skewed, strict=True):
        if skewed:
            place = words.place(c.setting, analysis.varying)
            names.append(f"{code(c.name)}{f' ({place})' if place else ''}")
    return (
        f"Skewed differences, or an outlier: for {words.listed(names)} the t-test errs in more "
        f"than {_share(2 * found.signs.alpha)} of cases where seeds are drawn again."
    )


def _planted(found: SelfCheck) -> Text:
    if not found.held:
        return "Δ is less than half of one test example: this test set cannot hold it."
    if found.planted is None:
        return ""
    size = f"{words.number(found.planted.size, found.unit)} {found.unit}"
    if found.planted.examples is not None:
        size += f" ({words.count(found.planted.examples, 'test example')})"
    low, high = float(found.planted.found.min()), float(found.planted.found.max())
    return (
        f"A true difference of {size}, planted into every seed of all of them, is claimed by a "
        f"verdict in {_share(low)} to {_share(high)} of cases, by contrast."
    )


def _table(found: SelfCheck, analysis: Analysis, several: bool) -> Table:
    columns = [
        Column("contrast"),
        Column("setting", words.setting_meaning(analysis)),
        Column("seeds", "", True),
        Column("errs, by signs", "share of cases in which the t-test alone finds something", True),
    ]
    if found.resampled is not None:
        columns.append(Column("errs, drawn again", "the same, seeds drawn again", True))
    if found.planted is not None:
        columns.append(Column("planted, found", "share in which the verdict claims it", True))
    rows = []
    for i, c in enumerate(found.members):
        row = [
            Cell(code(c.name)),
            Cell(words.place(c.setting, analysis.varying), c.setting.budget),
            Cell(words.seeds(c), c.n_seeds),
            _cell(float(found.signs.t[i])),
        ]
        if found.resampled is not None:
            row.append(_cell(float(found.resampled.t[i])))
        if found.planted is not None:
            row.append(_cell(float(found.planted.found[i])))
        rows.append(tuple(row))
    name = f"self-check-table-{found.metric}" if several else "self-check-table"
    of = f", {code(found.metric)}" if several else ""
    caption = f"The tests on the study's own differences{of}" + words.first_of(rows)
    return Table(name, caption, tuple(columns), tuple(rows[: words.MOST_ROWS]))


def _cell(rate: float) -> Cell:
    return Cell(_share(rate), rate)
