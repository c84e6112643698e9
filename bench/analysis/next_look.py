"""Which cells a sequential study runs next: those of the contrasts that are not clear yet."""

from bench.analysis import Analysis, Setting, analyze, looks
from bench.plan.cells import Cell, cells
from bench.store.folder import Store, read
from bench.store.results import Results


def look(store: Store) -> list[Cell]:
    """Look at the data of a result folder: keep what the look saw, and return what comes next."""
    results = read(store.folder)
    analysis = analyze(results)
    store.write_looks(looks.rows(analysis.comparisons, results.looks))
    return next_cells(results, analysis)


def next_cells(results: Results, analysis: Analysis | None = None) -> list[Cell]:
    """The cells up to the next look of every primary contrast that is not clear yet.

    Empty where all are clear, or at their declared maximum. A cell that has a row, whatever its
    status, is not asked for again. analysis: of these results, if it is made already.
    """
    study = results.study
    assert study.sequential is not None, "only a sequential study asks"
    known = set(results.cells["cell"].to_pylist())
    wanted: dict[str, Cell] = {}
    for comparison in (analysis or analyze(results)).select("seeds"):
        if comparison.family != "primary" or comparison.clear:
            continue
        upcoming = study.sequential.look_after(comparison.pairs.attempted)
        if upcoming is None:
            continue
        setting = comparison.setting
        for cell in cells(study.with_seeds(upcoming)):
            place = Setting(cell.dataset, cell.model, cell.recipe.levels, cell.budget, cell.extra)
            if place.of_all_draws.within(setting) and cell.id not in known:
                wanted[cell.id] = cell
    return sorted(wanted.values(), key=lambda cell: cell.seed)
