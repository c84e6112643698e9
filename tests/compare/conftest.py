"""Real TFLite files of every kind that can be fed, made once for the tests of `compare`."""

import io

import flatbuffers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from bench import datasets, models
from bench.pipelines import cell, convert, streams, train

SCALE = 16.0
N = 797
LITE = tf.lite.OpsSet


@pytest.fixture(scope="package")
def digits():
    return datasets.load("digits")


@pytest.fixture(scope="package")
def trainer(digits):
    """The tutorial CNN after three epochs."""
    cell.prepare()
    made = train.Trainer(models.get("tutorial_cnn").build, (8, 8, 1), 10, "adam", SCALE)
    made.load(made.initial(1, {}))
    x, y = tf.constant(digits.x_train), tf.constant(digits.y_train)
    made.run(x, y, [streams.data_order(1000, e, 1, {}) for e in range(3)], 32, 1e-3)
    return made


def stock(model, calibration, **settings):
    """The converter as the public tutorials call it, from a Keras model."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibration is not None:
        x = calibration.astype(np.float32) / np.float32(SCALE)
        converter.representative_dataset = lambda: ([x[i : i + 1]] for i in range(len(x)))
    for name, value in settings.items():
        where = converter.target_spec if name.startswith("supported") else converter
        setattr(where, name, value)
    return converter.convert()


def traced(function, *specs, calibration=None):
    """A float file of any function; with calibration, float32 (n, ...), an int8 one."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.experimental_lower_to_saved_model = False
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x[None]] for x in calibration)
        converter.target_spec.supported_ops = [LITE.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def spec(*shape, dtype=tf.float32):
    return tf.TensorSpec(shape, dtype)


@pytest.fixture(scope="package")
def files(trainer, digits, tmp_path_factory):
    """Path by name, of every kind of file that can be fed."""
    model, calibration = trainer.model, digits.x_train[:100]
    converter = convert.Converter(model, SCALE)
    int8 = {"supported_ops": [LITE.TFLITE_BUILTINS_INT8]}
    uint8 = {"inference_input_type": tf.uint8, "inference_output_type": tf.uint8}
    int16 = [LITE.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    blobs = {
        "float": converter.float32(),
        "int8": converter.ptq(calibration),
        "uint8": stock(model, calibration, **int8, **uint8),
        "float-io": stock(model, calibration),
        "per-tensor": stock(
            model,
            calibration,
            **int8,
            inference_input_type=tf.int8,
            inference_output_type=tf.int8,
            _experimental_disable_per_channel=True,
        ),
        "dynamic": stock(model, None),
        "half": stock(model, None, supported_types=[tf.float16]),
        "int16": stock(model, calibration, supported_ops=int16),
        "raw-float": traced(lambda x: model(x / SCALE), spec(1, 8, 8, 1)),
        "raw-uint8": traced(
            lambda x: model(tf.cast(x, tf.float32) / SCALE), spec(1, 8, 8, 1, dtype=tf.uint8)
        ),
        "centred": traced(lambda x: model((x + 1) / 2), spec(1, 8, 8, 1)),
        "grey": traced(lambda x: model(x[..., None]), spec(1, 8, 8)),
        "flat": traced(lambda x: model(tf.reshape(x, (-1, 8, 8, 1))), spec(1, 64)),
        "batch-of-1": traced(lambda x: model(tf.reshape(x, (1, 8, 8, 1))), spec(1, 8, 8)),
        "batch-of-3": traced(lambda x: model(tf.reshape(x, (3, 8, 8, 1))), spec(3, 8, 8)),
    }
    x, y = tf.constant(digits.x_train), tf.constant(digits.y_train)
    trainer.run(x, y, [streams.data_order(1000, 3, 1, {})], 32, 1e-3)
    blobs["longer"] = converter.float32()
    folder = tmp_path_factory.mktemp("files")
    for name, blob in blobs.items():
        (folder / f"{name}.tflite").write_bytes(blob)
    return {name: str(folder / f"{name}.tflite") for name in blobs}


@pytest.fixture(scope="package")
def misfed(trainer, files, digits, tmp_path_factory):
    """Path by name, of int8 files made for other inputs than x / 16 in [0, 1].

    Made after `files`, from the network of its file `longer`.
    """
    model, folder = trainer.model, tmp_path_factory.mktemp("misfed")
    x = digits.x_train[:100].astype(np.float32)
    takes = {
        "centred": (lambda x: model((x + 1) / 2), x / 8 - 1),
        "raw": (lambda x: model(x / SCALE), x),
        "bytes": (lambda x: model(x / 255), x * 255 / SCALE),
        "normalized": (lambda x: model(x * 0.3 + 0.2), (x / SCALE - 0.2) / 0.3),
    }
    return {
        name: written(folder, name, traced(function, spec(1, 8, 8, 1), calibration=fed))
        for name, (function, fed) in takes.items()
    }


def edited(blob, change):
    """The same file after change(model), which sees the schema's own objects."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    change(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def written(folder, name, blob):
    """Write a file. Returns its path."""
    (folder / f"{name}.tflite").write_bytes(blob)
    return str(folder / f"{name}.tflite")


def png_folder(folder, images, labels, metadata=None):
    """test.parquet alone: a folder need not have training images."""
    column = []
    for i, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        column.append({"bytes": buffer.getvalue(), "path": f"{i}.png"})
    table = pa.table({"image": column, "label": pa.array(labels, pa.int64())})
    folder.mkdir()
    pq.write_table(table.replace_schema_metadata(metadata), folder / "test.parquet")
    return f"{folder}/"
