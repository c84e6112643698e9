"""A run whose folder is in object storage, and what reads it there, through the commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.store.folder import Store
from tests.runner.pipeline import Faults
from tests.store.server import BUCKET, environment, storage

FIELDS = {"seeds": 6, "budgets": [1], "arms": ["float", "ptq"], "title": "stored"}


def command(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_rows_come_to_the_bucket_and_analyze_reads_and_reports_there(tmp_path, monkeypatch):
    uri = f"s3://{BUCKET}/a/study"
    with storage(tmp_path / "s3") as proxy:
        told = environment(proxy, tmp_path / "spool")
        told |= Faults(str(tmp_path)).environment
        refuse = iter([503] * 4)  # the second file of rows is late

        def fault(method, path):
            rows = method == "PUT" and "/cells/" in path
            return next(refuse, None) if rows and len(proxy.requests) > 60 else None

        proxy.fault = fault
        ran = command("tests.runner.drive", uri, json.dumps(FIELDS), **told)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        shown = command("bench", "analyze", uri, **told)
        planned = command("bench", "plan", "digits", "--set", "seeds=2", "--out", uri, **told)
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        rows = Store(Path(uri)).statuses()
        report = (tmp_path / "s3" / BUCKET / "a" / "study" / "report.html").read_text()
    assert len(rows) == 12
    assert {row["status"] for row in rows} == {"ok"}
    assert shown.returncode == 0, shown.stderr
    assert "Is PTQ better than the float model?" in shown.stdout
    assert f"report: {uri}/report.html" in shown.stdout
    assert "Is PTQ better than the float model?" in report
    assert planned.returncode == 0, planned.stderr
    stored = [path.read_bytes() for path in (tmp_path / "s3").rglob("*") if path.is_file()]
    assert not any(b"secret-that-stands-nowhere" in content for content in stored)
    assert "secret-that-stands-nowhere" not in ran.stdout + ran.stderr + shown.stdout
