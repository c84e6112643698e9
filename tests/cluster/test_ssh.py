"""`ray up`, `ray submit`, `ray rsync-down` and `ray down` for real, over ssh, on this machine.

hosts.sh makes the hosts; cluster/run.sh does what a user does. The cluster file is the shipped
one but for the account, the environment (nothing can be downloaded inside; the hosts use the
packages that run this test, and the code that was copied to them), and no CPU on the head, so
that all models come from the other host.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.cluster.conftest import CELLS, STUDY, cells, predictions

ROOT = Path(__file__).parents[2]
HOSTS = Path(__file__).with_name("hosts.sh")
NAMESPACES = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--mount", "--kill-child"]


def obstacle() -> str | None:
    """Why there can be no hosts here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs Linux and root, for namespaces"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    needed = ("unshare", "ip", "ssh", "ssh-keygen", "ssh-keyscan", "sshd", "rsync")
    absent = [name for name in needed if shutil.which(name, path=path) is None]
    if absent:
        return f"needs {', '.join(absent)} (Debian: openssh-server, rsync, iproute2)"
    tried = subprocess.run(
        [*NAMESPACES, "ip", "link", "add", "lan", "type", "bridge"], capture_output=True, text=True
    )
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


INSTALL = """
# The environment of the process that runs this test, with the code that was copied to this host.
venv=~/ptq-vs-qat/.venv
{python} -m venv --without-pip $venv
printf '%s\\n' ~/ptq-vs-qat {packages} > $venv/lib/python{version}/site-packages/all.pth
printf '%s\\n' '#!/bin/sh' "exec $venv/bin/python -m ray.scripts.scripts \\"\\$@\\"" > $venv/bin/ray
chmod +x $venv/bin/ray
"""


def write_cluster_file(path: Path, key: Path) -> None:
    """The shipped cluster file, for these hosts."""
    install = path.with_name("install.sh")
    install.write_text(
        INSTALL.format(
            python=sys.executable,
            version=f"{sys.version_info.major}.{sys.version_info.minor}",
            packages=" ".join(entry for entry in sys.path if entry.endswith("-packages")),
        )
    )
    config = yaml.safe_load((ROOT / "cluster" / "local.yaml").read_text("utf-8"))
    config["provider"]["worker_ips"] = ["192.0.2.11"]
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(key)}
    config["setup_commands"] = [f"bash {install}"]
    memory = "--object-store-memory=100000000"
    config["head_start_ray_commands"][-1] += f" --num-cpus=0 {memory}"
    config["worker_start_ray_commands"][-1] += f" --num-cpus=1 {memory}"
    path.write_text(yaml.safe_dump(config))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the cluster file mounts, so that results/ of the repository stays as it is."""
    if why := obstacle():
        pytest.skip(why)
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "bench", copy / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "cluster", copy / "cluster")
    for name in ("README.md", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    shutil.copy(STUDY, copy / "mine.toml")
    return copy


@pytest.mark.faults
def test_up_submit_bring_back_down(checkout, tmp_path, on_one_worker):
    hosts = tmp_path / "hosts"
    hosts.mkdir()
    key = hosts / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    write_cluster_file(checkout / "cluster" / "these.yaml", key)
    user = """
        cluster/run.sh cluster/these.yaml mine.toml --set 'title="two words, $HOME and [a-z]"'
        code=$?
        for host in 10 11; do
            ssh -i {key} -o StrictHostKeyChecking=no -o LogLevel=ERROR 192.0.2.$host ps -eo args
        done > {left}
        exit $code
    """
    left = tmp_path / "left"
    ended = subprocess.run(
        ["bash", HOSTS, hosts, "bash", "-c", user.format(key=key, left=left)],
        cwd=checkout,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path),
            "AUTOSCALER_NODE_START_WAIT_S": "30",  # not 900, if a host cannot be reached
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )

    assert ended.returncode == 0, ended.stdout
    results = checkout / "results" / "mine"
    rows = cells(results)
    assert len(rows) == CELLS
    assert predictions(rows) == predictions(on_one_worker)
    assert len({row["node"] for row in rows.values()}) == 1
    study = tomllib.loads((results / "study.toml").read_text("utf-8"))
    assert study["title"] == "two words, $HOME and [a-z]"
    assert (results / "report.html").is_file()
    assert "sshd" in left.read_text()
    assert "gcs_server" not in left.read_text()
