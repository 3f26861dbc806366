"""Random int8 models, written op by op.

Each layer's scales are chosen from the estimated size of its real output, so that deep models still
use the range of int8 and clip a little; tests that want extremes give scales themselves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.compilation import Compiled, compile_graph
from tinytrain.exporters.tflite import TfliteWriter
from tinytrain.importers import load
from tinytrain.ir import Graph

Pair = tuple[int, int]


@dataclass(frozen=True)
class Act:
    """An activation: its index in the file, shape, quantization, and the estimated size (root mean
    square) of its real values."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero: int
    rms: float


@dataclass(frozen=True)
class Model:
    """A model file and the shape of its input, whose integers are indices if that is not 0."""

    data: bytes
    shape: tuple[int, ...]
    indices: int = 0

    def graph(self) -> Graph:
        """The model, imported."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(self.data)
            return load(path)

    def compiled(self, update: str = "none") -> Compiled:
        """The model through the whole pipeline."""
        return compile_graph(self.graph(), update)

    def noise(self, seed: int = 0, n: int | None = None) -> NDArray[Any]:
        """One random input, or n of them."""
        shape = self.shape if n is None else (n, *self.shape)
        if self.indices:
            return np.random.default_rng(seed).integers(0, self.indices, shape).astype(np.int32)
        return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


class Net:
    """A model under construction. Methods add one op and return its output."""

    def __init__(self, seed: int = 0) -> None:
        self.writer = TfliteWriter()
        self.rng = np.random.default_rng(seed)
        self.made = 0
        self.rows = 0  # of the smallest table

    # ---- tensors

    def act(self, shape: Sequence[int], scale: float, zero: int, rms: float = 1.0) -> Act:
        self.made += 1
        scale, shape = float(np.float32(scale)), tuple(shape)
        index = self.writer.tensor(f"t{self.made}", shape, "int8", scale=scale, zero_point=zero)
        return Act(index, shape, scale, zero, rms)

    def input(self, *shape: int, scale: float = 0.015, zero: int = -3) -> Act:
        """For uniform int8 values."""
        return self.act(shape, scale, zero, scale * float(np.hypot(74, zero + 0.5)))

    def index_input(self, *shape: int) -> Act:
        """Of int32 indices; `model` says how many rows the tables have."""
        self.made += 1
        return Act(self.writer.tensor(f"t{self.made}", shape, "int32"), shape, 1.0, 0, 1.0)

    def const(self, values: Any, dtype: str, **how: Any) -> int:
        self.made += 1
        array = np.asarray(values)
        return self.writer.tensor(f"c{self.made}", array.shape, dtype, data=array, **how)

    def fitting(
        self,
        shape: Sequence[int],
        rms: float,
        activation: str,
        scale: float | None,
        zero: int | None,
    ) -> Act:
        """An output tensor for values of this size; RELU and RELU6 keep the upper half."""
        if activation == "NONE":
            scale = rms / 40 if scale is None else scale
            zero = int(self.rng.integers(-20, 20)) if zero is None else zero
            return self.act(shape, scale, zero, rms)
        top = min(3 * rms, 6.0) if activation == "RELU6" else 3 * rms
        scale = top / 255 if scale is None else scale
        return self.act(shape, scale, -128 if zero is None else zero, 0.7 * rms)

    # ---- layers

    def weight_values(self, kind: str, shape: Sequence[int]) -> NDArray[np.int64]:
        if kind == "ends":
            return self.rng.choice([-128, 127], shape)
        values = self.rng.integers(-127, 128, shape)
        if kind == "dead":  # some output channels do nothing
            axis = 3 if shape[0] == 1 and len(shape) == 4 else 0
            dead = self.rng.random(shape[axis]) < 0.4
            values[(slice(None),) * axis + (dead,)] = 0
        return values

    def bias_values(self, kind: str, real: NDArray[np.float64]) -> NDArray[np.int64]:
        """kind: "normal" for values of the sums' size (real, in units of the sums), or "ends"."""
        if kind == "ends":
            ends = [-(2**31), -(2**30), -1, 0, 1, 2**30, 2**31 - 1]
            return self.rng.choice(ends, real.shape)
        values = self.rng.normal(size=real.shape) * 0.3 * real
        return np.clip(np.round(values), -(2**31), 2**31 - 1).astype(np.int64)

    def layer(
        self,
        code: str,
        x: Act,
        weight_shape: Sequence[int],
        out_shape: Sequence[int],
        *,
        axis: int = 0,
        fan_in: int,
        activation: str = "NONE",
        per_channel: bool = True,
        bias: bool = True,
        gain: float = 1.0,
        weights: str = "uniform",
        biases: str = "normal",
        spread: float = 0.3,
        scale: float | None = None,
        zero: int | None = None,
        **options: Any,
    ) -> Act:
        """An op with weights. spread: of the channels' scales, in powers of ten.

        gain: size of the real output relative to the input's; RELU6 aims at values around 3.
        """
        channels = weight_shape[axis]
        if activation == "RELU6" and scale is None:
            gain *= 3.0 / x.rms
        base = gain / (73.0 * np.sqrt(fan_in))
        scales = base * 10 ** self.rng.uniform(-spread, spread, channels if per_channel else 1)
        scales = scales.astype(np.float32)
        values = self.weight_values(weights, weight_shape)
        inputs = [x.index, self.const(values, "int8", scale=scales, axis=axis)]
        if bias:
            sums = scales.astype(np.float64) * x.scale
            real = np.broadcast_to(x.rms * gain / sums, (channels,))
            # a single scale covers the whole bias
            data = self.bias_values(biases, real)
            inputs.append(self.const(data, "int32", scale=sums.astype(np.float32)))
        y = self.fitting(out_shape, x.rms * gain, activation, scale, zero)
        self.writer.op(code, inputs, [y.index], fused_activation_function=activation, **options)
        return y

    def conv(
        self,
        x: Act,
        channels: int,
        kernel: Pair = (3, 3),
        stride: Pair = (1, 1),
        padding: str = "SAME",
        **how: Any,
    ) -> Act:
        c = x.shape[3]
        out = (1, *_map(x, kernel, stride, padding), channels)
        how = _window(kernel, stride, padding) | {"fan_in": kernel[0] * kernel[1] * c} | how
        return self.layer("CONV_2D", x, (channels, *kernel, c), out, **how)

    def depthwise(
        self,
        x: Act,
        kernel: Pair = (3, 3),
        stride: Pair = (1, 1),
        padding: str = "SAME",
        multiplier: int = 1,
        **how: Any,
    ) -> Act:
        channels = x.shape[3] * multiplier
        out = (1, *_map(x, kernel, stride, padding), channels)
        how = _window(kernel, stride, padding) | {"fan_in": kernel[0] * kernel[1]} | how
        how |= {"depth_multiplier": multiplier, "axis": 3}
        return self.layer("DEPTHWISE_CONV_2D", x, (1, *kernel, channels), out, **how)

    def dense(self, x: Act, outputs: int, **how: Any) -> Act:
        depth = x.shape[-1]
        how = {"fan_in": depth, "per_channel": False} | how
        return self.layer("FULLY_CONNECTED", x, (outputs, depth), (*x.shape[:-1], outputs), **how)

    def embedding(
        self,
        x: Act,
        rows: int,
        depth: int,
        scale: float = 0.01,
        zero: int = -3,
        code: str = "GATHER",
    ) -> Act:
        """Rows of a table by indices."""
        y = self.act((*x.shape, depth), scale, zero, scale * 74)
        values = self.rng.integers(-128, 128, (rows, depth))
        table = self.const(values, "int8", scale=y.scale, zero_point=zero)
        if code == "GATHER":
            self.writer.op(code, [table, x.index], [y.index], axis=0)
        else:
            self.writer.op(code, [x.index, table], [y.index])
        self.rows = min(self.rows or rows, rows)
        return y

    # ---- ops without weights

    def add(
        self,
        a: Act,
        b: Act,
        activation: str = "NONE",
        scale: float | None = None,
        zero: int | None = None,
    ) -> Act:
        rms = float(np.hypot(a.rms, b.rms))
        y = self.fitting(a.shape, rms, activation, scale, zero)
        options = {"fused_activation_function": activation}
        self.writer.op("ADD", [a.index, b.index], [y.index], **options)
        return y

    def pool(
        self,
        code: str,
        x: Act,
        kernel: Pair = (2, 2),
        stride: Pair = (2, 2),
        padding: str = "VALID",
        activation: str = "NONE",
    ) -> Act:
        y = self.act(
            (1, *_map(x, kernel, stride, padding), x.shape[3]), x.scale, x.zero, 0.7 * x.rms
        )
        options = _window((1, 1), stride, padding) | {"fused_activation_function": activation}
        del options["dilation_h_factor"], options["dilation_w_factor"]
        options |= {"filter_height": kernel[0], "filter_width": kernel[1]}
        self.writer.op(code, [x.index], [y.index], **options)
        return y

    def average_pool(self, x: Act, *where: Any, **how: Any) -> Act:
        return self.pool("AVERAGE_POOL_2D", x, *where, **how)

    def max_pool(self, x: Act, *where: Any, **how: Any) -> Act:
        return self.pool("MAX_POOL_2D", x, *where, **how)

    def mean(
        self,
        x: Act,
        axes: Sequence[int] = (1, 2),
        keep_dims: bool = False,
        scale: float | None = None,
        zero: int | None = None,
    ) -> Act:
        kept = [n for axis, n in enumerate(x.shape) if axis not in axes]
        with_ones = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
        y = self.act(
            with_ones if keep_dims else kept,
            x.scale if scale is None else scale,
            x.zero if zero is None else zero,
            0.6 * x.rms,
        )
        inputs = [x.index, self.const(np.array(axes), "int32")]
        self.writer.op("MEAN", inputs, [y.index], keep_dims=keep_dims)
        return y

    def pad(self, x: Act, rows: Pair, columns: Pair) -> Act:
        _, h, w, c = x.shape
        y = self.act((1, h + sum(rows), w + sum(columns), c), x.scale, x.zero, x.rms)
        amounts = self.const([[0, 0], rows, columns, [0, 0]], "int32")
        self.writer.op("PAD", [x.index, amounts], [y.index])
        return y

    def reshape(self, x: Act, *shape: int) -> Act:
        y = self.act(shape, x.scale, x.zero, x.rms)
        inputs = [x.index, self.const(np.array(shape), "int32")]
        self.writer.op("RESHAPE", inputs, [y.index], new_shape=shape)
        return y

    def flatten(self, x: Act) -> Act:
        return self.reshape(x, 1, int(np.prod(x.shape)))

    def transpose(self, x: Act, *order: int) -> Act:
        y = self.act([x.shape[axis] for axis in order], x.scale, x.zero, x.rms)
        self.writer.op("TRANSPOSE", [x.index, self.const(np.array(order), "int32")], [y.index])
        return y

    def softmax(self, x: Act, beta: float = 1.0) -> Act:
        y = self.act(x.shape, 1 / 256, -128)
        self.writer.op("SOFTMAX", [x.index], [y.index], beta=beta)
        return y

    def elementwise(self, code: str, x: Act, scale: float, zero: int) -> Act:
        """QUANTIZE, RELU, RELU6."""
        y = self.act(x.shape, scale, zero, x.rms)
        self.writer.op(code, [x.index], [y.index])
        return y

    def model(self, x: Act, y: Act) -> Model:
        return Model(self.writer.bytes([x.index], [y.index]), x.shape, self.rows)


def _map(x: Act, kernel: Pair, stride: Pair, padding: str) -> Pair:
    """Height and width of the output."""
    sizes = zip(x.shape[1:3], kernel, stride, strict=True)
    h, w = (-(-n // s) if padding == "SAME" else (n - k) // s + 1 for n, k, s in sizes)
    return h, w


def _window(kernel: Pair, stride: Pair, padding: str) -> dict[str, Any]:
    del kernel  # the weights' shape tells it
    return {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": 1,
        "dilation_w_factor": 1,
    }
