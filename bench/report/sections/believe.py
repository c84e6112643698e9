"""Before any contrast is believed: what was checked at every setting, and what else differs."""

from bench.analysis import Analysis, FloatCheck, Population
from bench.analysis.alike import unlike
from bench.report import words
from bench.report.content import Block, Cell, Column, Details, Paragraph, Section, Table, code

BY_POPULATION = False  # about the files and the trainings themselves


def build(analysis: Analysis, population: Population) -> Section | None:
    if analysis.study is None or not analysis.float_checks:
        return None
    checked = [check for check in analysis.float_checks if check.seeds]
    withheld = sum(bool(check.withheld) for check in checked)
    qualified = sum(bool(check.qualified) for check in checked)
    of = words.count(len(checked), "setting")
    said = "Every file that has a result was audited."
    if checked and all(check.keras is not None for check in checked):
        said += " Every float file was compared with its Keras model."
    if withheld:
        said += f" At {withheld} of {of} the float file is unlike Keras, which withholds verdicts."
    if qualified:
        said += (
            f" At {qualified} of {of} the float training is such that verdicts are to be read with "
            "care; the answer says so beside them."
        )
    if checked and not withheld and not qualified:
        where = f" at any of {of}" if len(checked) > 1 else ""
        said += f" Nothing speaks against the float training{where}."
    others = sum(bool(c.withheld) for c in analysis.select("seeds"))
    if others:
        said += f" {words.count(others, 'contrast')} {'has' if others == 1 else 'have'} no verdict."
    blocks: list[Block] = [Paragraph(said), _alike(analysis)]
    blocks.append(Details("What was checked at every setting", (_checks(analysis),)))
    return Section("Before any contrast is believed", tuple(blocks))


def _alike(analysis: Analysis) -> Table:
    assert analysis.study is not None
    rows = []
    for name in dict.fromkeys(c.name for c in analysis.select("seeds")):
        there = [c for c in analysis.select("seeds", name=name) if not c.pairs.impossible]
        line = unlike(there, analysis.study).line if there else "impossible here"
        rows.append((Cell(code(name)), Cell(line)))
    return Table(
        "alike-table",
        "Like with like: what else differs between the two arms",
        (Column("contrast", "first arm minus second"), Column("differs in", long=True)),
        tuple(rows),
    )


def _checks(analysis: Analysis) -> Table:
    columns = (
        Column("setting", f"of the float training; E: {analysis.budget_counts}"),
        Column("seeds", "", True),
        Column("Keras", "largest share of test examples that file and Keras tell apart", True),
        Column("batch norm's start", "what is left of it in its averages", True),
        *(_OF_CLASSES if _classified(analysis) else ()),
        Column("what follows", long=True),
    )
    rows = tuple(_row(analysis, check) for check in analysis.float_checks)
    caption = "Checks before verdicts" + words.first_of(rows)
    return Table("believe-table", caption, columns, rows[: words.MOST_ROWS])


_OF_CLASSES = (
    Column("float accuracy", "mean over seeds", True),
    Column("commonest class", "always naming it", True),
    Column("nearest centroid", "on raw inputs", True),
    Column("logistic regression", "on raw inputs", True),
)


def _classified(analysis: Analysis) -> bool:
    return any(check.accuracy is not None for check in analysis.float_checks)


def _row(analysis: Analysis, check: FloatCheck) -> tuple[Cell, ...]:
    base = check.baselines
    of_classes = (check.accuracy, base.commonest, base.nearest_centroid, base.logistic)
    follows = "; ".join(
        [
            *(f"no verdict: {text}" for text in check.withheld),
            *(f"with care: {text}" for text in check.qualified),
        ]
    )
    return (
        Cell(words.place(check.setting, analysis.varying), check.setting.budget),
        Cell(str(check.seeds), check.seeds),
        _share(check.keras and check.keras[0]),
        _share(check.start_left),
        *(map(_share, of_classes) if _classified(analysis) else ()),
        Cell(follows or ("nothing against it" if check.seeds else "no result")),
    )


def _share(value: float | None) -> Cell:
    return Cell(words.percent(value), value)
