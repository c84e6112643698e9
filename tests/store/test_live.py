"""Listing and reading are one snapshot: a run appends and compacts while another process reads."""

import subprocess
import sys
import time

from bench.plan import cells as plan
from bench.store.folder import Store
from tests.store.rows import STUDY, row

CELLS_OF_STUDY = plan.cells(STUDY)
IDS = {cell.id for cell in CELLS_OF_STUDY}

WRITER = """
import sys
from pathlib import Path
from bench import study
from bench.plan import cells as plan
from bench.store.folder import Store

out, progress = map(Path, sys.argv[1:])
store = Store(out)
for count, cell in enumerate(plan.cells(study.load("digits", ["seeds=2000"])), 1):
    store.append([cell.failure("unsupported", "")])
    progress.with_suffix(".new").write_text(str(count))
    progress.with_suffix(".new").rename(progress)
    if count % 3 == 0:
        store.compact()
"""


def test_no_row_is_missed_while_another_process_appends_and_compacts(tmp_path):
    out, progress = tmp_path / "out", tmp_path / "progress"
    reads = vanished = 0
    with subprocess.Popen([sys.executable, "-c", WRITER, str(out), str(progress)]) as writer:
        try:
            deadline = time.monotonic() + 60
            while not progress.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            before: set[str] = set()
            while reads < 150 or vanished <= 5:
                assert writer.poll() is None
                assert time.monotonic() < deadline
                written = int(progress.read_text())
                listed = {path.name for path in (out / "cells").glob("*.parquet")}
                rows = Store(out).rows()
                done = set(rows.table["cell"].to_pylist())
                vanished += not listed <= {p.name for p in (out / "cells").glob("*.parquet")}
                assert rows.unread == {}
                assert len(done) >= written
                assert before <= done
                before, reads = done, reads + 1
        finally:
            writer.kill()


def test_a_file_that_vanishes_between_listing_and_reading_is_made_good_by_the_next(tmp_path):
    """The same without chance: what the first read meets is as if compaction had just ended."""
    store = Store(tmp_path)
    for cell in CELLS_OF_STUDY:
        store.append([row(cell)])
    files = store._files
    read_file, calls = files.read, []

    def compacting_first(name, *rest):
        if name.startswith("cells/") and not calls:
            calls.append(name)
            Store(tmp_path).compact()
        return read_file(name, *rest)

    files.read = compacting_first
    assert store.done() == IDS
    assert calls
