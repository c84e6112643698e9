"""What every test process needs: Keras 2, one thread, no GPU talk; where real data lies."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from bench.runner.worker import WORKER_ENVIRONMENT

os.environ.update(WORKER_ENVIRONMENT)

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
