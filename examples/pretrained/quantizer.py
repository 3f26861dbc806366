"""Post-training quantization: a float network of `network.py` as a full-int8 .tflite file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pretrained.network import ConvUnit, FloatNet, Layer
from tinytrain.exporters.tflite import TfliteWriter


@dataclass(frozen=True, slots=True)
class Activation:
    """An int8 tensor's index in the file, and real = scale * (stored - zero_point)."""

    index: int
    scale: float
    zero_point: int


class Quantizer:
    """Writes the float network's layers as int8 operators, one after the other."""

    def __init__(self, net: FloatNet, examples: Tensor, description: str) -> None:
        """`examples` tell the ranges of the activations."""
        self.net = net
        self.network = net.network
        self.ranges = net.calibrate(examples)
        self.writer = TfliteWriter(description)

    def activation(self, name: str, shape: tuple[int, ...]) -> Activation:
        """A tensor whose 255 steps cover the range seen in calibration."""
        low, high = self.ranges[name]
        scale = float(np.float32((high - low) / 255))
        zero_point = int(np.clip(np.rint(-128 - low / scale), -128, 127))
        return self.fixed(name, shape, scale, zero_point)

    def fixed(self, name: str, shape: tuple[int, ...], scale: float, zero: int) -> Activation:
        """A tensor whose quantization is not a matter of measurement."""
        index = self.writer.tensor(name, shape, np.int8, scale=scale, zero_point=zero)
        return Activation(index, float(np.float32(scale)), zero)

    def weights(
        self, name: str, weight: NDArray[np.float64], bias: NDArray[np.float64], source: Activation
    ) -> tuple[int, int]:
        """Constants for a layer that reads `source`: int8 weights within +-127, int32 biases.

        Each output channel has a scale of its own. Output channels come last in `weight` if its
        first dimension is 1, as in depthwise weights, else first.
        """
        axis = weight.ndim - 1 if weight.shape[0] == 1 else 0
        others = tuple(i for i in range(weight.ndim) if i != axis)
        limits = np.maximum(np.abs(weight).max(axis=others, keepdims=True), 1e-6)
        scales = (limits / 127).astype(np.float32)
        stored = np.clip(np.rint(weight / scales), -127, 127)
        # The accumulator counts in units of input scale times weight scale; so must the bias.
        bias_scales = (source.scale * scales.reshape(-1).astype(np.float64)).astype(np.float32)
        stored_bias = np.rint(bias / bias_scales).astype(np.int32)
        tensor = self.writer.tensor
        return (
            tensor(
                f"{name}/weight",
                weight.shape,
                np.int8,
                data=stored,
                scale=scales.reshape(-1),
                axis=axis,
            ),
            tensor(f"{name}/bias", bias.shape, np.int32, data=stored_bias, scale=bias_scales),
        )

    def convolution(self, layer: Layer, source: Activation, size: tuple[int, int]) -> Activation:
        """Adds one convolution on a map of `size`."""
        unit = self.net.units[layer.name]
        assert isinstance(unit, ConvUnit)
        weight, bias = unit.folded()
        depthwise = layer.groups > 1
        # [out, in / groups, h, w] to [1, h, w, out] or [out, h, w, in].
        weight = weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
        constants = self.weights(layer.name, weight, bias, source)
        result = self.activation(layer.name, (1, *_strided(size, layer), layer.outputs))
        self.writer.op(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
            [source.index, *constants],
            [result.index],
            padding="SAME",
            stride_h=layer.stride,
            stride_w=layer.stride,
            fused_activation_function="RELU6" if layer.relu6 else "NONE",
        )
        return result

    def pool(self, source: Activation) -> Activation:
        """Averages the last map, and lays the result out as a vector."""
        # TFLite's pools do not rescale: what comes out is in the units of what goes in.
        pool = self.fixed("pool", (1, *self.network.pooled), source.scale, source.zero_point)
        height, width = self.network.pool
        self.writer.op(
            "AVERAGE_POOL_2D",
            [source.index],
            [pool.index],
            padding="VALID",
            stride_h=height,
            stride_w=width,
            filter_height=height,
            filter_width=width,
        )
        shape = (1, self.network.features)
        target = self.writer.tensor("features/shape", (2,), np.int32, data=shape)
        vector = self.fixed("features", shape, pool.scale, pool.zero_point)
        self.writer.op("RESHAPE", [pool.index, target], [vector.index], new_shape=shape)
        return vector

    def classifier(self, source: Activation) -> Activation:
        """Head, and SOFTMAX with the output scale that TFLite prescribes."""
        head = self.net.head
        constants = self.weights(
            "head",
            head.weight.detach().double().numpy(),
            head.bias.detach().double().numpy(),
            source,
        )
        shape = (1, self.network.classes)
        logits = self.activation("head", shape)
        self.writer.op("FULLY_CONNECTED", [source.index, *constants], [logits.index])
        result = self.fixed("probabilities", shape, 1 / 256, -128)
        self.writer.op("SOFTMAX", [logits.index], [result.index])
        return result

    def file(self, scale: float, zero_point: int, name: str = "image") -> bytes:
        """The whole network as a .tflite file, its input named and quantized as given."""
        size = self.network.size
        source = self.fixed(name, (1, *size, 1), scale, zero_point)
        after, other = self.network.residual
        value = source
        seen: dict[str, Activation] = {}
        for layer in self.network.layers:
            value = seen[layer.name] = self.convolution(layer, value, size)
            size = _strided(size, layer)
            if layer.name == after:
                total = self.activation("sum", (1, *size, layer.outputs))
                self.writer.op("ADD", [seen[other].index, value.index], [total.index])
                value = total
        result = self.classifier(self.pool(value))
        return self.writer.bytes([source.index], [result.index])


def _strided(size: tuple[int, int], layer: Layer) -> tuple[int, int]:
    """The size of the map that a layer makes of one of `size`."""
    return -(-size[0] // layer.stride), -(-size[1] // layer.stride)
