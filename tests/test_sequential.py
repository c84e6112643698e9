"""Seeds by looks: declared beforehand, added where a primary contrast is not clear, and no more.

Folders are written by hand, with counts that put each contrast where it should be.
"""

import numpy as np
import pytest
from rich.console import Console

from bench import report, runner
from bench.analysis import analyze, next_look
from bench.cli.progress import RunProgress
from bench.errors import InputError
from bench.plan import cells as plan
from bench.plan import looks
from bench.runner import folder as run_folder
from bench.statistics import sequential as by_looks
from bench.statistics.families import Verdict
from bench.store.folder import Store, read
from tests import synthetic

N = 1000
TWO_ARMS = {"arms": ("float", "ptq"), "budgets": (1, 8)}


def declared(until="decided", max_seeds=25, **fields):
    return looks.declare(synthetic.study(**(TWO_ARMS | fields)), until, max_seeds)


def counts(cell):
    """ptq - float: clearly +5 pp at one epoch; at eight 0 with an SD of 5 pp: undecided."""
    if cell.budget == 1:
        return 850 + (cell.seed % 3) if cell.arm == "ptq" else 800
    return 800 + (int(50 * np.sin(1.7 * cell.seed)) if cell.arm == "ptq" else 0)


def folder(tmp_path, study, seeds, edit=lambda row: row):
    """A result folder of a sequential study in which `seeds` seeds have run."""
    path = synthetic.write(tmp_path, study.with_seeds(seeds), n=N, counts=counts, edit=edit)
    Store(path).write_text("study.toml", study.to_toml())
    return path


def test_looks_are_fixed_when_the_study_is_declared():
    made = declared(max_seeds=30)
    assert made.sequential.looks == (10, 15, 20, 25, 30)
    assert made.seeds == tuple(range(30))
    assert declared(max_seeds=12).sequential.looks == (10, 12)
    assert declared(max_seeds=None).sequential.looks == (10,)
    assert declared(max_seeds=None).sequential.look_after(10) == 15
    assert declared(max_seeds=None).sequential.look_after(23) == 25
    assert declared("half-width=0.3").sequential.half_width == 0.3


def test_the_first_look_waits_for_the_seeds_that_a_verdict_takes():
    # A family of 24 tests at 0.05: 2/2^10 = 0.00195 <= 0.05/24 = 0.00208, but of 32: 0.0016.
    wide = declared(max_seeds=40, budgets=tuple(range(1, 33)))
    assert wide.sequential.looks[0] == 11


def test_a_declared_study_reads_back_from_its_toml(tmp_path):
    made = declared("half-width=0.25", 15)
    Store(tmp_path).write_text("study.toml", made.to_toml())
    assert Store(tmp_path).study() == made


@pytest.mark.parametrize(
    ("until", "max_seeds", "said"),
    [
        ("clear", 30, "--until: 'clear'; allowed: decided, or half-width"),
        ("half-width=wide", 30, "half-width=0.3, in pp"),
        ("decided", 4, "--max-seeds: found 4; allowed: at least"),
    ],
)
def test_what_cannot_be_declared_is_named(until, max_seeds, said):
    with pytest.raises(InputError, match=said):
        declared(until, max_seeds)


def test_seeds_are_added_only_where_a_contrast_is_not_clear(tmp_path):
    results = read(folder(tmp_path, declared(), 10))
    at = {c.setting.budget: c for c in analyze(results).select("seeds")}
    assert at[1].clear
    assert at[1].verdict is Verdict.MATTERS
    assert not at[8].clear
    assert at[8].verdict is Verdict.UNDECIDED
    asked = next_look.next_cells(results)
    assert {c.budget for c in asked} == {8}
    assert sorted({c.seed for c in asked}) == [10, 11, 12, 13, 14]
    assert {c.arm for c in asked} == {"float", "ptq"}


def test_at_the_declared_maximum_no_more_is_asked(tmp_path):
    results = read(folder(tmp_path, declared(), 25))
    (open_one,) = (c for c in analyze(results).select("seeds") if not c.clear)
    assert open_one.setting.budget == 8
    assert [look.n for look in open_one.looks] == [10, 15, 20, 25]
    assert next_look.next_cells(results) == []


def test_without_a_maximum_seeds_go_on_and_intervals_are_the_confidence_sequences(tmp_path):
    results = read(folder(tmp_path, declared(max_seeds=None), 25))
    (open_one,) = (c for c in analyze(results).select("seeds") if not c.clear)
    level = 0.05 / 2
    assert open_one.simultaneous == by_looks.anytime_interval(open_one.pairs.d, level)
    assert sorted({c.seed for c in next_look.next_cells(results)}) == [25, 26, 27, 28, 29]


def test_intervals_are_the_repeated_ones_at_the_familys_level(tmp_path):
    results = read(folder(tmp_path, declared(), 15))
    for c in analyze(results).select("seeds"):
        expected = by_looks.group_sequential(c.pairs.d, (10, 15), 0.05 / 2, max_seeds=25)
        assert list(c.looks) == expected
        assert c.simultaneous == expected[-1].interval
        assert c.p_adjusted is None  # a fixed sample's p-value means nothing here


def test_a_batch_cut_short_is_finished_before_the_next_look(tmp_path):
    def killed(row):
        return None if (row["seed"] in (11, 13) and row["arm"] == "ptq") else row

    results = read(folder(tmp_path, declared(), 15, killed))
    (open_one,) = (c for c in analyze(results).select("seeds") if not c.clear)
    assert [look.n for look in open_one.looks] == [10]
    asked = next_look.next_cells(results)
    assert {(c.seed, c.arm, c.budget) for c in asked} == {(11, "ptq", 8), (13, "ptq", 8)}


def test_a_failed_cell_is_not_asked_for_again_and_its_look_has_a_pair_less(tmp_path):
    def failing(row):
        failed = row["seed"] == 4 and row["arm"] == "ptq" and row["budget"] == 8
        return row | {"status": "failed", "predictions": None} if failed else row

    results = read(folder(tmp_path, declared(), 15, failing))
    (open_one,) = (c for c in analyze(results).select("seeds") if not c.clear)
    assert [look.n for look in open_one.looks] == [9, 14]
    assert {c.seed for c in next_look.next_cells(results)} == {15, 16, 17, 18, 19}


def test_a_half_width_asks_for_seeds_until_the_interval_is_that_narrow(tmp_path):
    results = read(folder(tmp_path, declared("half-width=0.2"), 10))
    by_budget = {c.setting.budget: c for c in analyze(results).select("seeds")}
    assert by_budget[1].clear  # SD 0.08 pp
    assert not by_budget[8].clear


def test_a_folder_keeps_the_looks_it_was_started_with(tmp_path):
    path = folder(tmp_path, declared(), 10)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    for other in (synthetic.study(**TWO_ARMS), declared(max_seeds=20), declared(delta=0.4)):
        with pytest.raises(InputError, match="were fixed when its run started; changed: "):
            runner.run(other, path, RunProgress(Console(quiet=True)))
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


def test_plan_cells_of_a_grown_study_hold_those_of_the_first_look():
    made = declared()
    first = {c.id for c in plan.cells(made.at_first_look)}
    assert first < {c.id for c in plan.cells(made)}


def test_the_report_says_that_it_was_sequential_and_shows_the_looks(tmp_path):
    path = folder(tmp_path, declared(), 15)
    report.write(path)
    text = (path / "report.md").read_text()
    assert "Seeds were added, and 1 of 2 primary contrasts are still open" in text
    assert "after 10, 15, 20 and 25 seeds, as fixed before the first one ran" in text
    rows = [line for line in text.splitlines() if line.startswith("| `ptq - float` | E = ")]
    shown = {tuple(row.split(" | ")[1:3]): row for row in rows if len(row.split(" | ")) == 8}
    assert shown["E = 8", "10"].endswith("more seeds |")
    assert shown["E = 8", "15"].endswith("still open |")
    assert shown["E = 1", "15"].endswith("clear |")
    assert "they take no account of the looks" in text


def test_a_study_of_fixed_seeds_says_nothing_of_looks(tmp_path):
    path = synthetic.write(tmp_path, synthetic.study(**TWO_ARMS), n=N, counts=counts)
    report.write(path)
    assert "look" not in (path / "report.md").read_text().lower()


def failing(seed, budget=8, arm="ptq"):
    def edit(row):
        if (row["seed"], row["budget"], row["arm"]) == (seed, budget, arm):
            return row | {"status": "failed", "error": "lost", "predictions": None}
        return row

    return edit


def at(folder, budget):
    (found,) = [c for c in analyze(read(folder)).select("seeds") if c.setting.budget == budget]
    return found


def test_a_look_keeps_what_it_saw_and_a_late_cell_counts_from_the_next(tmp_path):
    study = declared()
    path = folder(tmp_path, study, 10, edit=failing(4))
    asked = next_look.look(Store(path))
    assert {c.seed for c in asked} == {10, 11, 12, 13, 14}
    first = at(path, 8)
    assert [(look.n, look.interval) for look in first.looks] == [(9, first.looks[0].interval)]
    stored = Store(path).looks().to_pylist()
    assert {(r["budget"], r["look"], r["planned_seeds"], len(r["seeds"])) for r in stored} == {
        (1, 1, 10, 10),
        (8, 1, 10, 9),
    }
    # Seed 4 is there after all: the look that was taken does not change.
    folder(path, study, 10)
    assert at(path, 8).looks == first.looks
    # At the next look it counts.
    folder(path, study, 15)
    later = at(path, 8)
    assert [look.n for look in later.looks] == [9, 15]
    assert later.looks[0] == first.looks[0]
    next_look.look(Store(path))
    again = Store(path).looks().to_pylist()
    assert [r for r in again if r["look"] == 1] == stored  # the time included
    assert sorted((r["budget"], r["look"]) for r in again) == [(1, 1), (1, 2), (8, 1), (8, 2)]


def test_a_cell_of_a_later_look_that_failed_is_asked_for_again_at_every_resume(tmp_path):
    study = declared()
    path = folder(tmp_path, study, 15, edit=failing(12))
    places = {cell.id for cell in run_folder.places(study, Store(path))}
    failed = {c for c in plan.cells(study.with_seeds(15)) if c.seed == 12}
    assert {cell.id for cell in failed} <= places
