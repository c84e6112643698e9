"""Which cells a sequential study runs next: those of the contrasts that are not clear yet."""

from bench.analysis import Setting, analyze
from bench.plan.cells import Cell, cells
from bench.store.folder import Results


def next_cells(results: Results) -> list[Cell]:
    """The cells up to the next look of every primary contrast that is not clear yet.

    Empty where all are clear, or at their declared maximum. A cell that has a row, whatever its
    status, is not asked for again.
    """
    study = results.study
    assert study.sequential is not None, "only a sequential study asks"
    known = set(results.cells["cell"].to_pylist())
    wanted: dict[str, Cell] = {}
    for comparison in analyze(results).select("seeds"):
        if comparison.family != "primary" or comparison.clear:
            continue
        look = study.sequential.look_after(comparison.pairs.attempted)
        if look is None:
            continue
        setting = comparison.setting
        for cell in cells(study.with_seeds(look)):
            place = Setting(cell.dataset, cell.model, cell.recipe.levels, cell.budget, cell.extra)
            if place.within(setting) and cell.id not in known:
                wanted[cell.id] = cell
    return sorted(wanted.values(), key=lambda cell: cell.seed)
