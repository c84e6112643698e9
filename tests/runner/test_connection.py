"""What a process that used Ray before is told."""

import subprocess
import sys

CONNECT = """
import ray.autoscaler._private.util  # reads Ray's settings, before there is a token
from bench.errors import InputError
from bench.runner.connection import connected
try:
    with connected(None, 1, "json"):
        print("connected")
except InputError as error:
    print(error)
"""


def test_ray_imported_before_is_the_reason_that_is_named():
    done = subprocess.run(
        [sys.executable, "-c", CONNECT], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER: Ray listens on ")
    assert "before Ray is imported" in done.stdout
