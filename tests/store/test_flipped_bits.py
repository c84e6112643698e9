"""No flipped bit changes a number in silence: it is refused, named, or nothing reads it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.analysis import analyze
from bench.errors import InputError
from bench.store.folder import Results, Store, read
from bench.store.tables import SEAL

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests" / "fixtures" / "folder-82ec496"
FLIPS = 300


def flipped(content: bytes, bit: int) -> bytes:
    spoilt = bytearray(content)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def outcome(folder: Path) -> Results | None:
    """What is read; None where it is refused, or something is named as left out."""
    try:
        results = read(folder)
    except InputError:
        return None
    return None if results.ignored or results.rejected or results.notes else results


def bits(content: bytes, seed: int) -> list[int]:
    """Some anywhere, and as many in the footer, which page checksums leave out."""
    rng = np.random.default_rng(seed)
    footer = int.from_bytes(content[-8:-4], "little") + 8 + len(SEAL) + 32
    anywhere = rng.integers(0, 8 * len(content), FLIPS // 2)
    late = 8 * (len(content) - footer) + rng.integers(0, 8 * footer, FLIPS // 2)
    return [*anywhere.tolist(), *late.tolist()]


def copy(source: Path, target: Path) -> Path:
    (target / "cells").mkdir(parents=True)
    for path in [*source.glob("*.*"), *source.glob("cells/*.parquet")]:
        shutil.copy(path, target / path.relative_to(source))
    return target


@pytest.fixture
def sealed(tmp_path):
    """The rows and labels of the old folder, as this version writes them."""
    old, store = read(OLD), Store(tmp_path / "sealed")
    store.write_study(old.study)
    store.write_labels("digits", old.labels["digits"], [str(c) for c in range(10)], [])
    store.append(old.cells.to_pylist())
    return store.folder


@pytest.mark.parametrize("name", ["cells", "labels.parquet"])
def test_of_a_sealed_file_every_flipped_bit_is_found(sealed, name):
    path = next((sealed / "cells").iterdir()) if name == "cells" else sealed / name
    expected, content = outcome(sealed), path.read_bytes()
    assert expected is not None
    unseen = []
    for bit in bits(content, 0):
        path.write_bytes(flipped(content, bit))
        results = outcome(sealed)
        if results is None:
            continue
        unseen.append(bit)  # in the seal's own name: then it is read as an older version's
        assert results.cells.equals(expected.cells)
        assert results.labels["digits"].tolist() == expected.labels["digits"].tolist()
    name_at = 8 * content.rindex(SEAL)
    assert all(name_at <= bit < name_at + 8 * len(SEAL) for bit in unseen)


@pytest.mark.parametrize("name", ["cells", "labels.parquet"])
@pytest.mark.parametrize("folder", ["tests/fixtures/folder-82ec496", "results/digits"])
def test_without_digest_no_flipped_bit_changes_a_contrast_in_silence(tmp_path, folder, name):
    """What redundancy cannot show (the seconds of a cell, its loss) no contrast reads; a wrong
    seed, budget or arm doubles a cell or leaves one missing."""
    out = copy(ROOT / folder, tmp_path / "out")
    path = next((out / "cells").iterdir()) if name == "cells" else out / name
    expected, content = outcome(out), path.read_bytes()
    assert expected is not None
    contrasts = analyze(expected).rows
    for bit in bits(content, 1):
        path.write_bytes(flipped(content, bit))
        results = outcome(out)
        if results is None:
            continue
        read_alike = all(
            results.cells[c].equals(expected.cells[c]) for c in results.cells.schema.names
        )
        if read_alike and results.labels["digits"].tolist() == expected.labels["digits"].tolist():
            continue
        try:
            analysis = analyze(results)
        except InputError:
            continue
        assert not analysis.checks.complete or analysis.rows == contrasts, bit
