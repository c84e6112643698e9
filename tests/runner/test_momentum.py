"""A momentum of batch norm that no layer takes is an error, found when the model is built."""

import pytest

from bench import study
from bench.errors import InputError
from bench.plan.cells import cells
from bench.runner import probes
from bench.runner.worker import Probed


def found(wanted, batch_norms, unsupported=()):
    return [
        (probe, Probed(None, dict.fromkeys(unsupported, "why"), {}, batch_norms))
        for probe in probes.probes(wanted)
    ]


@pytest.fixture
def wanted():
    fields = ["seeds=1", "budgets=1", "arms=[float,ptq]", "batch_norm_momentum=[model,0.9]"]
    return cells(study.load("digits", fields))


def test_without_such_layers_it_is_refused(wanted):
    with pytest.raises(InputError, match=r"found 0\.9, but bncnn has no BatchNormalization"):
        probes.check_momentum(found(wanted, 0), wanted)


def test_with_them_or_where_nothing_could_be_tried_it_is_not(wanted):
    probes.check_momentum(found(wanted, 3), wanted)
    probes.check_momentum(found(wanted, 0, ["float", "ptq"]), wanted)
    plain = [c for c in wanted if dict(c.recipe.levels)["batch_norm_momentum"] is None]
    probes.check_momentum(found(plain, 0), plain)
