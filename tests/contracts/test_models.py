"""Whatever model is registered ends in logits, and TFMOT and TFLite take it whole."""

import numpy as np
import pytest

from bench import models
from bench.errors import InputError
from bench.pipelines import cell, convert, train
from bench.pipelines.audit import audit

SHAPE, CLASSES = (16, 16, 3), 7
OUTPUTS = {"autoencoder": 16 * 16 * 3}
"""Of models that answer with their input."""


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
    assert base.model.output_shape == (None, OUTPUTS.get(name, CLASSES))
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
    assert audit(convert.Converter(quantized.model, 255.0).qat()).float_ops == 0


def test_resnet8_is_mlperf_tinys():
    # Banbury et al. (2021): about 78k parameters at 32x32x3 and ten classes.
    model = models.get("resnet8").build((32, 32, 3), 10)
    assert 77_000 < model.count_params() < 79_000


def test_ds_cnn_is_mlperf_tinys():
    """24,908 parameters for 49 x 10 inputs and 12 classes: Banbury et al. (2021), the reference
    model's own summary. By layer, batch normalization having four numbers for each filter: a 10x4
    convolution, four times a depthwise 3x3 and a pointwise one of 64 filters, a dense layer."""
    first = 10 * 4 * 64 + 64 + 4 * 64
    separable = 3 * 3 * 64 + 64 + 4 * 64 + 64 * 64 + 64 + 4 * 64
    assert first + 4 * separable + 64 * 12 + 12 == 24_908
    assert models.get("ds_cnn").build((49, 10, 1), 12).count_params() == 24_908


def test_the_autoencoder_is_mlperf_tinys():
    """269,992 parameters for 640 inputs, of which 267,928 are trained: Banbury et al. (2021), the
    reference model's own summary; five frames of 128 bands, layers of 128 and a code of 8."""
    model = models.get("autoencoder").build((640,), 2)
    assert model.count_params() == 269_992
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == 267_928
    assert model.output_shape == (None, 640)


def test_the_autoencoder_is_made_of_dense_layers():
    """A 1x1 convolution of one pixel is a dense layer: the same outputs by matrices, in NumPy."""
    model = models.get("autoencoder").build((6,), 2)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0.5, 0.3, weight.shape) ** 2 for weight in model.get_weights()])
    x = rng.random((4, 6), dtype=np.float32)
    h = x.astype(np.float64)
    layers = [layer for layer in model.layers if layer.get_weights()]
    for layer in layers:
        values = layer.get_weights()
        if len(values) == 2:
            h = h @ values[0][0, 0] + values[1]
        else:
            gamma, beta, mean, variance = values
            h = np.maximum(0, gamma * (h - mean) / np.sqrt(variance + layer.epsilon) + beta)
    assert len(layers) == 19
    assert model(x).numpy() == pytest.approx(h, rel=1e-4)


def test_an_unknown_model_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"models: no model 'bncn'; did you mean 'bncnn'"):
        models.check("bncn", "models")
