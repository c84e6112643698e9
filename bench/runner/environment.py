"""What a result depends on beside the study: versions, CPU, kernels. No secrets, no host paths."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
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

FOREIGN = ("jax", "onnxruntime", "torch", "torchao")
"""What somebody's own pipeline may compute with: noted where it is there."""

VECTOR_SETS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
"""Instruction sets by which kernels choose their arithmetic."""


@cache
def cpu() -> str:
    """The CPU's type: its model's name and the instruction sets that kernels choose by. Machines of
    one name can differ in the latter, and then in the bits of results."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        fields = dict(
            (part.strip() for part in line.split(":", 1))
            for line in info.read_text().splitlines()
            if ":" in line
        )
        flags = set(fields.get("flags", fields.get("Features", "")).split())
        sets = [name for name in VECTOR_SETS if name in flags]
        name = fields.get("model name", platform.machine())
        return f"{name} ({' '.join(sets)})" if sets else name
    return platform.processor() or platform.machine()


@cache
def of_this_process() -> dict[str, Any]:
    """What decides a result's bits where this runs, as environment.json records it."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu(),
        "packages": {name: _version(name) for name in PACKAGES}
        | {name: found for name in FOREIGN if (found := _version(name))},
        "kernels": {
            "tflite": "XNNPACK delegate, 1 thread",
            "tensorflow": "1 thread, oneDNN "
            + {"1": "on", "0": "off"}.get(os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""), "as built"),
        },
    }


def key(environment: dict[str, Any]) -> str:
    """8 hex digits that stand for an environment in a row's `versions`."""
    return hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest()[:8]


@cache
def code() -> dict[str, str]:
    """What must be equal on every node for its cells to be of one study: a hash of this package's
    sources, and TensorFlow's version."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return {
        "package": digest.hexdigest()[:16],
        "tensorflow": _version("tensorflow") or "none",
    }


def described(code: Mapping[str, str]) -> str:
    return f"package {code['package']} and TensorFlow {code['tensorflow']}"


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
