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
