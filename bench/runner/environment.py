"""What a result depends on beside the study: versions, CPU, kernels. No secrets, no host paths."""

import hashlib
import json
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "ai-edge-litert",
    "numpy",
    "ptq-vs-qat",
    "ray",
    "tensorflow",
    "tensorflow-model-optimization",
    "tf-keras",
)


def cpu() -> str:
    """The CPU's model name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@cache
def of_this_process() -> dict[str, Any]:
    """What decides a result's bits where this runs, as environment.json records it."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu(),
        "packages": {name: _version(name) for name in PACKAGES},
        "kernels": {
            "tflite": "XNNPACK delegate, 1 thread",
            "tensorflow": "1 thread, oneDNN "
            + {"1": "on", "0": "off"}.get(os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""), "as built"),
        },
    }


def key(environment: dict[str, Any]) -> str:
    """8 hex digits that stand for an environment in a row's `versions`."""
    return hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest()[:8]


def git_revision() -> str | None:
    """The revision of this package's checkout, `-dirty` if it was changed; None outside of one."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name],
            capture_output=True,
        )
        if tracked.returncode:
            return None
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
