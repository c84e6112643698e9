"""Whatever model is registered ends in logits, and TFMOT and TFLite take it whole."""

import numpy as np
import pytest

from bench import models
from bench.errors import InputError
from bench.pipelines import cell, convert, train
from bench.pipelines.audit import audit

SHAPE, CLASSES = (16, 16, 3), 7


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    cell.prepare()


@pytest.mark.parametrize("name", models.names())
def test_every_model_keeps_the_contract(name):
    module = models.get(name)
    assert module.__doc__
    assert module.COST.step_ms > 0
    assert module.COST.pixel_us > 0
    base = train.Trainer(module.build, SHAPE, CLASSES, "adam", 255.0)
    assert base.model.input_shape == (None, *SHAPE)
    assert base.model.output_shape == (None, CLASSES)
    # Logits, not probabilities: training uses them so.
    logits = base.logits(np.random.default_rng(0).integers(0, 256, (4, *SHAPE), dtype=np.uint8))
    assert not np.allclose(logits.sum(axis=1), 1)
    assert models.normalizes(name) == (base.batch_norm_momentum is not None)
    names = [v.name for v in base.model.weights]
    assert len(set(names)) == len(names)
    quantized = train.Trainer(module.build, SHAPE, CLASSES, "adam", 255.0, base.model)
    assert set(names) <= {v.name for v in quantized.model.weights}
    calibration = np.random.default_rng(1).integers(0, 256, (8, *SHAPE), dtype=np.uint8)
    assert audit(convert.Converter(base.model, 255.0).ptq(calibration)).float_ops == 0


def test_resnet8_is_mlperf_tinys():
    # Banbury et al. (2021): about 78k parameters at 32x32x3 and ten classes.
    model = models.get("resnet8").build((32, 32, 3), 10)
    assert 77_000 < model.count_params() < 79_000


def test_an_unknown_model_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"models: no model 'bncn'; did you mean 'bncnn'"):
        models.check("bncn", "models")
