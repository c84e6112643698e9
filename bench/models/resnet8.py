"""MLPerf Tiny's ResNet-8: three residual stages of 16, 32 and 64 filters (Banbury et al. 2021)."""

from typing import Any

from bench.models import Cost

COST = Cost(4.3, 1.4, 1.3)


def build(
    shape: tuple[int, ...], classes: int, width: float = 1.0, activation: str = "relu"
) -> Any:
    import tf_keras

    layers = tf_keras.layers

    def active(x: Any) -> Any:
        if activation == "none":
            return x
        return layers.ReLU(6.0 if activation == "relu6" else None)(x)

    def conv_bn(x: Any, filters: int, size: int, stride: int) -> Any:
        filters = max(1, round(width * filters))
        x = layers.Conv2D(filters, size, stride, "same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = layers.Input(shape)
    x = active(conv_bn(inputs, 16, 3, 1))
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        residual = active(conv_bn(x, filters, 3, stride))
        residual = conv_bn(residual, filters, 3, 1)
        shortcut = x if stride == 1 else conv_bn(x, filters, 1, stride)
        x = active(layers.Add()([residual, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return tf_keras.Model(inputs, layers.Dense(classes)(x))
