"""The cluster file as Ray itself reads it, offline."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cluster" / "local.yaml"
# In a process of its own: Ray reads its settings where it is imported, and keeps them.
READ = """
import json, sys
from ray.autoscaler._private.util import prepare_config, validate_config
prepared = prepare_config(json.load(sys.stdin))
validate_config(prepared)
print(json.dumps(prepared))
"""


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text("utf-8"))


def read_by_ray(config: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", READ], input=json.dumps(config), capture_output=True, text=True
    )


def test_ray_accepts_it(config):
    done = read_by_ray(config)
    assert done.returncode == 0, done.stderr
    (node_type,) = json.loads(done.stdout.splitlines()[-1])["available_node_types"].values()
    assert node_type["min_workers"] == len(config["provider"]["worker_ips"])


@pytest.mark.parametrize("path", [("provder",), ("auth", "ssh_port"), ("rsync_excludes",)])
def test_that_check_finds_a_field_that_ray_does_not_know(config, path):
    table = config
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = {}
    done = read_by_ray(config)
    assert done.returncode == 1
    assert "jsonschema.exceptions.ValidationError" in done.stderr


def test_mounts_what_the_package_is_built_from(config):
    ours = {far: near for far, near in config["file_mounts"].items() if not near.startswith("~")}
    assert [near for near in ours.values() if not (ROOT / near).exists()] == []
    assert all(far == f"~/ptq-vs-qat/{near}" for far, near in ours.items())


def test_every_node_starts_ray_with_the_token_and_the_head_with_the_first_autoscaler(config):
    head = config["head_start_ray_commands"][-1]
    worker = config["worker_start_ray_commands"][-1]
    assert "RAY_AUTH_MODE=token " in head
    assert "RAY_AUTH_MODE=token " in worker
    assert "RAY_enable_autoscaler_v2=0 " in head
    port = re.search(r"--port=(\d+)", head)
    assert port
    assert f"--address=$RAY_HEAD_IP:{port[1]}" in worker
