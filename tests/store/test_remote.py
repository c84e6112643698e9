"""A result folder in object storage, on a real S3 server behind a proxy that refuses on purpose."""

import subprocess
import sys
import time

import pytest

from bench.errors import InputError, Unfinished
from bench.plan import cells as plan
from bench.store import files, lease, remote
from bench.store.folder import Store
from bench.store.spool import Spool
from tests.store.rows import STUDY, row
from tests.store.server import BUCKET, environment, storage

CELLS = plan.cells(STUDY)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with storage(tmp_path_factory.mktemp("s3")) as proxy:
        yield proxy


@pytest.fixture
def proxy(server, tmp_path, monkeypatch):
    for name, value in environment(server, tmp_path / "spool").items():
        monkeypatch.setenv(name, value)
    server.fault, server.key, server.slow = lambda method, path: None, None, 0.0
    return server


@pytest.fixture
def uri(proxy, request):
    return f"s3://{BUCKET}/{request.node.name}"


def test_what_is_written_is_read_listed_and_deleted(uri):
    found = files.of(uri)
    assert found.entries("cells", ".parquet") == []
    assert not found.has("study.toml")
    with pytest.raises(FileNotFoundError):
        found.read("study.toml")
    found.write("study.toml", b"old")
    found.write("study.toml", b"new")
    found.write("cells/b.parquet", b"12")
    found.write("cells/a.parquet", b"1")
    assert found.read("study.toml") == b"new"
    assert [(e.name, e.size) for e in found.entries("cells", ".parquet")] == [
        ("cells/a.parquet", 1),
        ("cells/b.parquet", 2),
    ]
    with pytest.raises(OSError, match="at most 1 are read"):
        found.read("cells/b.parquet", 1)
    found.delete("cells/a.parquet")
    found.delete("cells/a.parquet")
    assert [e.name for e in found.entries("cells", ".parquet")] == ["cells/b.parquet"]


def test_a_path_that_lost_a_slash_is_the_same_address():
    assert remote.address("s3:/bucket/a/b/") == "s3://bucket/a/b"
    assert remote.address("results/s3") is None
    with pytest.raises(InputError, match="credentials in an address") as caught:
        remote.address("s3://key:secret@bucket/a")
    assert "secret" not in str(caught.value)


def test_a_refusal_is_one_error_before_anything_runs(uri, proxy):
    proxy.key = "another"
    with pytest.raises(InputError, match="cannot be written") as caught, Store(uri).lock():
        pass
    assert caught.value.where == uri
    assert "secret-that-stands-nowhere" not in str(caught.value)


def test_a_second_run_learns_of_the_first_and_one_after_it_does_not_wait(uri, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.5)
    with Store(uri).lock() as first:
        with pytest.raises(InputError, match="another run is writing there") as caught:
            Store(uri).lock().__enter__()
        assert "process" in str(caught.value)
        first.check()
    started = time.monotonic()
    with Store(uri).lock():
        pass
    assert time.monotonic() - started < 2


def test_a_run_that_was_stopped_and_wakes_up_writes_replaces_and_deletes_nothing(uri, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 3600.0)  # as long as it sleeps
    asleep = files.of(uri)
    with asleep.lock() as mine:
        asleep.write("study.toml", b"mine")
        monkeypatch.setattr(lease, "LEASE_S", 1.0)
        time.sleep(2.1)  # the storage counts in seconds
        awake = files.of(uri)
        with awake.lock():
            awake.write("study.toml", b"theirs")
            for act in (
                lambda: asleep.write("study.toml", b"mine again"),
                lambda: asleep.delete("study.toml"),
                mine.check,
            ):
                with pytest.raises(InputError, match="has taken the folder over"):
                    act()
        assert files.of(uri).read("study.toml") == b"theirs"


def test_rows_that_the_storage_does_not_take_wait_here_are_read_and_go_later(uri, proxy):
    store = Store(uri)
    with store.lock() as held:
        proxy.fault = lambda method, path: 503 if method in ("PUT", "POST") else None
        store.append([row(CELLS[0])])
        assert held.waiting == 1
        assert store.done() == {CELLS[0].id}
        store.append([row(CELLS[1])])
        assert held.waiting == 2
        proxy.fault = lambda method, path: None
    assert Spool(uri).names() == []
    assert len(files.of(uri).entries("cells", ".parquet")) == 2
    assert Store(uri).done() == {CELLS[0].id, CELLS[1].id}


def test_a_run_ends_with_a_word_while_rows_wait_and_the_next_sends_them(uri, proxy, monkeypatch):
    monkeypatch.setattr(remote, "SETTLE_S", 0.5)
    store = Store(uri)
    held = store.lock()
    held.__enter__()
    proxy.fault = lambda method, path: 503 if "cells" in path else None
    store.append([row(CELLS[0])])
    with pytest.raises(Unfinished, match="1 files wait in"):
        held.__exit__(None, None, None)
    assert len(Spool(uri).names()) == 1
    proxy.fault = lambda method, path: None
    with Store(uri).lock():
        pass
    assert Spool(uri).names() == []
    assert Store(uri).done() == {CELLS[0].id}


def test_credentials_that_expire_are_read_anew(uri, proxy, monkeypatch):
    proxy.key = "right"
    found = files.of(uri)
    found.write("a", b"1")
    proxy.key = "fresh"
    with pytest.raises(OSError, match=r"."):
        found.write("a", b"2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "fresh")
    found.write("a", b"3")
    assert found.read("a") == b"3"


def test_a_server_that_lets_two_runs_create_one_object_is_refused(uri, monkeypatch):
    def deaf(self, name, content):
        self._put(name, content)

    monkeypatch.setattr(remote.RemoteFiles, "create", deaf)
    with pytest.raises(InputError, match="nothing would keep them apart"):
        Store(uri).lock().__enter__()


def test_a_slow_answer_is_waited_for(uri, proxy):
    proxy.slow = 1.0
    found = files.of(uri)
    found.write("a", b"1")
    assert found.read("a") == b"1"


RUN = """
import sys
from pathlib import Path
from bench.store.folder import Store
from tests.store.rows import STUDY, row
from bench.plan.cells import cells

store = Store(Path(sys.argv[1]))
with store.lock():
    store.write_study(STUDY)
    store.append([row(cell) for cell in cells(STUDY)])
    print("there", flush=True)
    sys.stdin.read()
"""


def test_a_killed_run_s_lease_ends_and_what_it_wrote_is_there(uri, monkeypatch):
    with subprocess.Popen(
        [sys.executable, "-c", RUN, uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout.readline() == b"there\n"
        running.kill()
    monkeypatch.setattr(lease, "LEASE_S", 2.0)
    with Store(uri).lock():
        assert len(Store(uri).done()) == len(CELLS)
