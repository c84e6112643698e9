"""Test examples that come in groups: what "new test examples" means then, and how much it costs."""

import numpy as np

from bench.analysis import Analysis, Comparison, Population
from bench.report import sentences, words
from bench.report.content import Block, Cell, Column, Details, Paragraph, Section, Table, code
from bench.statistics.groups import Grouped

BY_POPULATION = False  # about one of the populations

MOST_NAMED = 12
"""Groups that get a column each."""


def build(analysis: Analysis, population: Population) -> Section | None:
    rows = [c for c in analysis.select("seeds+examples") if isinstance(c.estimate, Grouped)]
    if not rows:
        return None
    blocks: list[Block] = [Paragraph(_meaning(analysis, rows))]
    blocks.append(_widths(analysis, rows))
    blocks += [
        Details(f"The difference in each group{_of(dataset)}", (table,))
        for dataset, table in _by_group(analysis, rows)
    ]
    return Section("Groups of test examples", tuple(blocks))


def _meaning(analysis: Analysis, rows: list[Comparison]) -> str:
    said = []
    for dataset in dict.fromkeys(c.setting.dataset for c in rows):
        first = next(c for c in rows if c.setting.dataset == dataset)
        assert first.pairs.groups is not None
        sizes = first.pairs.groups.sizes
        of = f"{sizes.min():,}" if sizes.min() == sizes.max() else f"{sizes.min():,} to "
        of += "" if sizes.min() == sizes.max() else f"{sizes.max():,}"
        said.append(
            f"The test examples{_of(dataset)} come in {words.count(len(sizes), 'group')} of "
            f"{of} examples. {_trained_on(analysis, str(dataset), len(sizes))}"
        )
    ratios = [ratio for c in rows if (ratio := _wider(c)) is not None]
    wider = ""
    if ratios:
        wider = (
            f" The intervals are {np.median(ratios):.2g} times as wide (the median of "
            f"{words.count(len(ratios), 'contrast')}) as they would be if every test example were "
            "drawn by itself."
        )
    return (
        "Test examples of one group (clips of one speaker, crops of one photograph) are not "
        "independent, so that “new test examples” means examples of **new groups**. "
        f"{' '.join(said)}{wider}"
    )


def _trained_on(analysis: Analysis, dataset: str, n: int) -> str:
    trained = analysis.environment.get("groups", {}).get(dataset)
    if trained is None:
        return "Whether models were trained on these groups too is not known."
    if not trained:
        return "No model was trained on any of them."
    which = "all of them" if trained >= n else f"{trained} of them"
    return (
        f"Models were trained on other examples of {which}: a conclusion speaks for new groups "
        "that are trained on too; for groups that are not, the data have to be split by group."
    )


def _wider(c: Comparison) -> float | None:
    """How many times as wide as without groups the pointwise interval is."""
    apart = c.pairs.ungrouped
    ends = None if apart is None else apart.interval(c.alpha)
    if ends is None or c.interval is None or ends.high <= ends.low:
        return None
    return (c.interval.high - c.interval.low) / (ends.high - ends.low)


def _widths(analysis: Analysis, rows: list[Comparison]) -> Table:
    level = words.level(analysis)
    columns = (
        Column("contrast", "first arm minus second, paired by seed"),
        Column("setting", words.setting_meaning(analysis)),
        Column("metric"),
        Column("mean", "difference of the means", True),
        Column(f"{level} interval", "for new seeds and new groups, of this contrast alone", True),
        Column("without groups", "the same if every test example were drawn by itself", True),
        Column("wider", "how many times as wide the one is as the other", True),
        Column("groups", "", True),
        Column("effective", "groups of one size that would weigh as these do", True),
        Column("ν", "degrees of freedom that the groups give", True),
    )
    cells = []
    for c in rows[: words.MOST_ROWS]:
        made, unit, apart = c.estimate, c.pairs.unit, c.pairs.ungrouped
        assert isinstance(made, Grouped)
        wider = _wider(c)
        cells.append(
            (
                Cell(code(c.name)),
                Cell(words.place(c.setting, analysis.varying), c.setting.budget),
                Cell(code(c.pairs.metric)),
                sentences.mean_cell(c),
                Cell(words.interval(c.interval, unit)),
                Cell(words.interval(apart and apart.interval(c.alpha), unit)),
                Cell("–" if wider is None else f"{wider:.2f}", wider),
                Cell(str(made.n_groups), made.n_groups),
                words.number_cell(made.sizes and made.sizes.effective, ""),
                words.number_cell(made.sizes and made.sizes.nu, ""),
            )
        )
    caption = "What groups do to the intervals" + words.first_of(rows)
    return Table("groups-table", caption, columns, tuple(cells))


def _by_group(analysis: Analysis, rows: list[Comparison]):
    """Of each data set with so many groups as have a place: the contrasts, group by group."""
    for dataset in dict.fromkeys(c.setting.dataset for c in rows):
        of = [c for c in rows if c.setting.dataset == dataset and c.pairs.kind == "contrast"]
        known = next((s.groups for c in of for s in c.pairs.samples if s.groups is not None), None)
        names = sorted(set(known or ()))
        if not of or not 1 < len(names) <= MOST_NAMED:
            continue
        columns = (
            Column("contrast"),
            Column("setting", words.setting_meaning(analysis)),
            Column("metric"),
            *(
                Column(code(name), "mean difference in this group over all seeds", True)
                for name in names
            ),
        )
        cells = tuple(
            (
                Cell(code(c.name)),
                Cell(words.place(c.setting, analysis.varying), c.setting.budget),
                Cell(code(c.pairs.metric)),
                *(
                    words.number_cell(c.pairs.cell_step * float(d), c.pairs.unit, sign=True)
                    for d in c.pairs.groups.differences
                ),
            )
            for c in of[: words.MOST_ROWS]
            if c.pairs.groups is not None
        )
        caption = f"Mean differences by group{_of(dataset)}" + words.first_of(of)
        yield dataset, Table(f"groups-{len(cells)}-{dataset}", caption, columns, cells)


def _of(dataset: str | None) -> str:
    """A table of somebody's own may name no data set."""
    return "" if dataset is None else f" of {code(dataset)}"
