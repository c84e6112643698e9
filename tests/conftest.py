"""What every test process needs: Keras 2, one thread, no GPU talk; where real data lies."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from bench.runner.worker import WORKER_ENVIRONMENT

os.environ.update(WORKER_ENVIRONMENT)

# Decoded data go to a folder of this process, not to the user's.
os.environ["PTQ_VS_QAT_CACHE"] = tempfile.mkdtemp(prefix="ptq-vs-qat-cache-")
atexit.register(shutil.rmtree, os.environ["PTQ_VS_QAT_CACHE"], ignore_errors=True)

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")

# Tests that look at the whole machine: its processes, its sockets, its shared memory, its cores.
WHOLE_MACHINE = ("tests/runner", "tests/cluster", "tests/test_run.py", "tests/test_interrupts.py")


def pytest_collection_modifyitems(items):
    """The longest group first: see the scheduler."""
    items.sort(key=lambda item: not item.nodeid.startswith(WHOLE_MACHINE))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `-n`, one process takes all tests that look at the whole machine, one after another;
    of the others those of a file stay together, since they share fixtures."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "machine" if nodeid.startswith(WHOLE_MACHINE) else nodeid.split("::")[0]

    return Scheduling(config, log)


SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data():
    """The folder of real data sets that lies beside a developer's checkout."""
    if not SHARED.is_dir():
        pytest.skip(
            "no ../shared/data beside this checkout: real MNIST and CIFAR-10 are read there"
        )
    return SHARED


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Two runs of one study, for `gate`: see there."""
    from tests.gates import two_runs

    return two_runs(tmp_path_factory.mktemp("runs"))
