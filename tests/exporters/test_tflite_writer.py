"""Files made by the writer mean what was asked for: to tflite-micro, and to PyPI `tflite`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

tflite = pytest.importorskip("tflite")
tflite_micro = pytest.importorskip("tflite_micro")

from tinytrain.errors import TinyTrainError  # noqa: E402
from tinytrain.exporters.ops import OPS  # noqa: E402
from tinytrain.exporters.tflite import TfliteWriter  # noqa: E402

Int8 = NDArray[np.int8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Quant:
    """real = scale * (stored - zero); the scale as the file rounds it."""

    scale: float
    zero: int

    @property
    def stored_scale(self) -> float:
        return float(np.float32(self.scale))

    def real(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        return self.stored_scale * (stored.astype(np.float64) - self.zero)

    def stored(self, real: NDArray[np.float64]) -> Ints:
        result: Ints = np.clip(np.rint(real / self.stored_scale) + self.zero, -128, 127).astype(int)
        return result


X = Quant(0.031, -7)
Y = Quant(0.083, 11)


def noise(shape: Sequence[int], seed: int, dtype: type = np.int8) -> NDArray[Any]:
    """Every value of int8, extremes included."""
    return np.random.default_rng(seed).integers(-128, 128, tuple(shape)).astype(dtype)


def weights(shape: Sequence[int], seed: int) -> Int8:
    result: Int8 = noise(shape, seed).clip(-127, 127)
    return result


def invoke(model: bytes, *inputs: NDArray[Any]) -> NDArray[Any]:
    """The first output of the model as tflite-micro computes it."""
    interpreter = tflite_micro.runtime.Interpreter.from_bytes(model, arena_size=200_000)
    for index, value in enumerate(inputs):
        interpreter.set_input(value, index)
    interpreter.invoke()
    result: NDArray[Any] = interpreter.get_output(0)
    return result


def parse(model: bytes) -> Any:
    assert tflite.Model.ModelBufferHasIdentifier(model, 0)
    return tflite.Model.GetRootAs(model, 0)


def scaled(value: Ints, factor: NDArray[np.float64] | float) -> Ints:
    """value * factor in TFLM's two roundings: a Q31 high multiply, then a right shift."""
    mantissa, exponent = np.frexp(np.asarray(factor, np.float64))
    q31 = np.rint(mantissa * 2.0**31).astype(np.int64)
    product = (value << np.maximum(exponent, 0)) * q31
    # Ties go up in the multiply, away from zero in the shift.
    high = np.sign(product) * ((np.abs(product) + (1 << 30) - (product < 0)) >> 31)
    divisor = np.int64(1) << np.maximum(-exponent, 0).astype(np.int64)
    result: Ints = np.sign(high) * ((np.abs(high) + divisor // 2) // divisor)
    return result


def requantize(acc: Ints, factor: NDArray[np.float64] | float, out: Quant) -> Ints:
    return np.clip(scaled(acc, factor) + out.zero, -128, 127)


def patches(x: Ints, kernel: tuple[int, int], stride: int, same: bool, fill: int) -> Ints:
    """[h, w, c] to windows [out_h, out_w, kernel_h, kernel_w, c], with SAME or VALID padding."""
    pads = [(0, 0)] * 3
    for axis in range(2):
        out = -(-x.shape[axis] // stride)
        total = max((out - 1) * stride + kernel[axis] - x.shape[axis], 0) if same else 0
        pads[axis] = (total // 2, total - total // 2)
    padded = np.pad(x, pads, constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(0, 1))
    return np.moveaxis(windows[::stride, ::stride], 2, 4)


def single(
    code: str,
    shapes: tuple[Sequence[int], Sequence[int]],
    constants: Callable[[TfliteWriter], list[int]] = lambda _: [],
    quants: tuple[Quant, Quant] = (X, Y),
    **options: Any,
) -> bytes:
    """A model of one operator with one int8 input and one int8 output."""
    writer = TfliteWriter("one op")
    source, result = (
        writer.tensor(name, shape, np.int8, scale=quant.scale, zero_point=quant.zero)
        for name, shape, quant in zip("xy", shapes, quants, strict=True)
    )
    writer.op(code, [source, *constants(writer)], [result], **options)
    return writer.bytes([source], [result])


def affine_constants(
    weight: Int8, bias: Ints, scales: NDArray[np.float64] | float, axis: int
) -> Callable[[TfliteWriter], list[int]]:
    """Weight and bias tensors for `single`."""

    def add(writer: TfliteWriter) -> list[int]:
        w_scale, b_scale = np.asarray(scales), np.asarray(scales) * X.scale
        return [
            writer.tensor("w", weight.shape, np.int8, data=weight, scale=w_scale, axis=axis),
            writer.tensor("b", bias.shape, np.int32, data=bias, scale=b_scale),
        ]

    return add


def factor(scales: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return X.stored_scale * np.asarray(scales, np.float32).astype(np.float64) / Y.stored_scale


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("per_channel", [False, True])
def test_conv_2d(padding: str, stride: int, per_channel: bool) -> None:
    x, w = noise((1, 7, 6, 3), 1), weights((5, 3, 2, 3), 2)
    bias = np.arange(-500, 500, 200)
    scales = np.linspace(0.001, 0.02, 5) if per_channel else np.full(5, 0.004)
    windows = patches(x[0].astype(np.int64), (3, 2), stride, padding == "SAME", X.zero) - X.zero
    acc = np.einsum("hwklc,oklc->hwo", windows, w.astype(np.int64)) + bias
    expected = requantize(acc, factor(scales), Y)
    model = single(
        "CONV_2D",
        (x.shape, (1, *expected.shape)),
        affine_constants(w, bias, scales if per_channel else 0.004, axis=0),
        padding=padding,
        stride_h=stride,
        stride_w=stride,
    )
    np.testing.assert_array_equal(invoke(model, x)[0], expected)


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_conv_2d_with_relu6(multiplier: int) -> None:
    x, w = noise((1, 5, 5, 2), 3), weights((1, 3, 3, 2 * multiplier), 4)
    bias = np.arange(2 * multiplier) * 300
    scales = np.linspace(0.002, 0.01, 2 * multiplier)
    windows = patches(x[0].astype(np.int64), (3, 3), 2, True, X.zero) - X.zero
    acc = np.einsum("hwklc,klc->hwc", windows.repeat(multiplier, axis=4), w[0].astype(int)) + bias
    low, high = Y.zero, Y.zero + round(6 / Y.scale)
    expected = requantize(acc, factor(scales), Y).clip(low, high)
    model = single(
        "DEPTHWISE_CONV_2D",
        (x.shape, (1, *expected.shape)),
        affine_constants(w, bias, scales, axis=3),
        padding="SAME",
        stride_h=2,
        stride_w=2,
        depth_multiplier=multiplier,
        fused_activation_function="RELU6",
    )
    assert {low, high} <= set(expected.reshape(-1).tolist())
    np.testing.assert_array_equal(invoke(model, x)[0], expected)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", ["present", "absent", "left out"])
def test_fully_connected(per_channel: bool, bias: str) -> None:
    x, w = noise((1, 9), 5), weights((4, 9), 6)
    scales = np.array([0.002, 0.005, 0.009, 0.02]) if per_channel else 0.004
    b = np.array([4000, -700, 0, 90]) if bias == "present" else np.zeros(4, np.int64)
    acc = (x.astype(np.int64) - X.zero) @ w.T.astype(np.int64) + b
    # With one scale TFLM multiplies input and weight scale in float32, unlike everywhere else.
    product = (np.float32(X.scale) * np.float32(scales)).astype(np.float64)
    expected = requantize(acc, factor(scales) if per_channel else product / Y.stored_scale, Y)

    def constants(writer: TfliteWriter) -> list[int]:
        w_index, b_index = affine_constants(w, b, scales, axis=0)(writer)
        return {"present": [w_index, b_index], "absent": [w_index, -1], "left out": [w_index]}[bias]

    model = single("FULLY_CONNECTED", (x.shape, (1, 4)), constants)
    np.testing.assert_array_equal(invoke(model, x), expected)


def test_add_of_two_scales() -> None:
    a, b, out = X, Quant(0.012, 40), Y
    left, right = noise((1, 4, 4, 2), 7), noise((1, 4, 4, 2), 8)
    writer = TfliteWriter()
    indices = [
        writer.tensor(name, left.shape, np.int8, scale=quant.scale, zero_point=quant.zero)
        for name, quant in (("a", a), ("b", b), ("y", out))
    ]
    writer.op("ADD", indices[:2], indices[2:], fused_activation_function="RELU")
    twice = 2 * max(a.stored_scale, b.stored_scale)
    # TFLM brings both operands to a common scale with 20 more bits before it adds them.
    left_part, right_part = (
        scaled((value.astype(np.int64) - quant.zero) << 20, quant.stored_scale / twice)
        for value, quant in ((left, a), (right, b))
    )
    total = left_part + right_part
    expected = requantize(total, twice / (2**20 * out.stored_scale), out).clip(out.zero)
    model = writer.bytes(indices[:2], indices[2:])
    np.testing.assert_array_equal(invoke(model, left, right), expected)


@pytest.mark.parametrize("code", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pools(code: str) -> None:
    x = noise((1, 6, 5, 3), 9)
    windows = patches(x[0].astype(np.int64), (2, 2), 2, False, 0)
    total = windows.sum(axis=(2, 3))
    average = np.sign(total) * ((np.abs(total) + 2) // 4)
    expected = windows.max(axis=(2, 3)) if code == "MAX_POOL_2D" else average
    model = single(
        code,
        (x.shape, (1, *expected.shape)),
        quants=(X, X),
        padding="VALID",
        stride_h=2,
        stride_w=2,
        filter_height=2,
        filter_width=2,
    )
    np.testing.assert_array_equal(invoke(model, x)[0], expected)


@pytest.mark.parametrize("keep_dims", [False, True])
def test_mean_over_space(keep_dims: bool) -> None:
    x = noise((1, 4, 3, 5), 10)
    expected = Y.stored(X.real(x).mean(axis=(1, 2), keepdims=keep_dims))
    model = single(
        "MEAN",
        (x.shape, expected.shape),
        lambda w: [w.tensor("axes", (2,), np.int32, data=[1, 2])],
        keep_dims=keep_dims,
    )
    result = invoke(model, x)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= 1


def test_softmax() -> None:
    x = noise((1, 10), 11)
    out = Quant(1 / 256, -128)
    real = np.exp(X.real(x))
    expected = out.stored(real / real.sum())
    result = invoke(single("SOFTMAX", (x.shape, x.shape), quants=(X, out)), x)
    assert np.abs(result - expected).max() <= 1


@pytest.mark.parametrize("code", ["PAD", "PADV2"])
def test_pads(code: str) -> None:
    x = noise((1, 2, 3, 1), 12)
    pads = [(0, 0), (1, 2), (0, 1), (0, 0)]
    fill = 99 if code == "PADV2" else X.zero

    def constants(writer: TfliteWriter) -> list[int]:
        amounts = writer.tensor("pads", (4, 2), np.int32, data=pads)
        if code == "PAD":
            return [amounts]
        value = writer.tensor("v", (1,), np.int8, data=[fill], scale=X.scale, zero_point=X.zero)
        return [amounts, value]

    expected = np.pad(x, pads, constant_values=fill)
    model = single(code, (x.shape, expected.shape), constants, quants=(X, X))
    np.testing.assert_array_equal(invoke(model, x), expected)


def test_reshape_and_transpose() -> None:
    x = noise((1, 2, 3, 4), 13)
    shape = single(
        "RESHAPE",
        (x.shape, (6, 4)),
        lambda w: [w.tensor("shape", (2,), np.int32, data=[6, 4])],
        quants=(X, X),
        new_shape=(6, 4),
    )
    np.testing.assert_array_equal(invoke(shape, x), x.reshape(6, 4))
    order = single(
        "TRANSPOSE",
        (x.shape, (1, 4, 2, 3)),
        lambda w: [w.tensor("order", (4,), np.int32, data=[0, 3, 1, 2])],
        quants=(X, X),
    )
    np.testing.assert_array_equal(invoke(order, x), x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("code", "high"), [("RELU", 127), ("RELU6", X.zero + round(6 / X.scale))])
def test_activations(code: str, high: int) -> None:
    x = noise((1, 300), 14)
    model = single(code, (x.shape, x.shape), quants=(X, X))
    np.testing.assert_array_equal(invoke(model, x), x.clip(X.zero, min(high, 127)))


def test_float_ends() -> None:
    x = np.linspace(-9, 9, 50, dtype=np.float32)[np.newaxis]
    writer = TfliteWriter()
    source = writer.tensor("x", x.shape, np.float32)
    stored = writer.tensor("q", x.shape, np.int8, scale=Y.scale, zero_point=Y.zero)
    result = writer.tensor("y", x.shape, np.float32)
    writer.op("QUANTIZE", [source], [stored])
    writer.op("DEQUANTIZE", [stored], [result])
    expected = Y.real(Y.stored(x.astype(np.float64)))
    np.testing.assert_allclose(invoke(writer.bytes([source], [result]), x), expected, rtol=1e-6)


def test_shape_computed_at_run_time() -> None:
    """SHAPE, STRIDED_SLICE and PACK feeding a RESHAPE, as Keras' Flatten is converted."""
    x = noise((1, 2, 3, 4), 15)
    writer = TfliteWriter()
    source = writer.tensor("x", x.shape, np.int8, scale=X.scale, zero_point=X.zero)
    shape = writer.tensor("shape", (4,), np.int32)
    batch = writer.tensor("batch", (), np.int32)
    target = writer.tensor("target", (2,), np.int32)
    result = writer.tensor("y", (1, 24), np.int8, scale=X.scale, zero_point=X.zero)
    zero, one = (writer.tensor(f"c{n}", (1,), np.int32, data=[n]) for n in (0, 1))
    rest = writer.tensor("rest", (), np.int32, data=24)
    writer.op("SHAPE", [source], [shape])
    writer.op("STRIDED_SLICE", [shape, zero, one, one], [batch], shrink_axis_mask=1)
    writer.op("PACK", [batch, rest], [target], values_count=2, axis=0)
    writer.op("RESHAPE", [source, target], [result])
    np.testing.assert_array_equal(invoke(writer.bytes([source], [result]), x), x.reshape(1, 24))


def test_file_says_what_was_given() -> None:
    w = weights((1, 3, 3, 4), 16)
    scales = np.linspace(0.01, 0.04, 4)
    data = single(
        "DEPTHWISE_CONV_2D",
        ((1, 5, 5, 4), (1, 3, 3, 4)),
        affine_constants(w, np.zeros(4, np.int64), scales, axis=3),
        padding="VALID",
        stride_h=2,
        stride_w=1,
    )
    model = parse(data)
    graph = model.Subgraphs(0)
    weight = next(t for t in map(graph.Tensors, range(4)) if t.Name() == b"w")
    assert (model.Version(), model.Description(), model.SubgraphsLength()) == (3, b"one op", 1)
    assert model.Buffers(0).DataLength() == 0
    assert weight.Type() == tflite.TensorType.INT8
    assert weight.ShapeAsNumpy().tolist() == [1, 3, 3, 4]
    assert weight.Quantization().QuantizedDimension() == 3
    np.testing.assert_array_equal(weight.Quantization().ScaleAsNumpy(), scales.astype(np.float32))
    assert weight.Quantization().ZeroPointAsNumpy().tolist() == [0] * 4
    stored = model.Buffers(weight.Buffer()).DataAsNumpy()
    assert stored.tobytes() == w.tobytes()
    assert data.index(w.tobytes()) % 16 == 0
    assert model.OperatorCodes(0).Version() == 3
    assert model.OperatorCodes(0).BuiltinCode() == tflite.BuiltinOperator.DEPTHWISE_CONV_2D
    options = tflite.DepthwiseConv2DOptions()
    table = graph.Operators(0).BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    assert (options.Padding(), options.StrideH(), options.StrideW()) == (tflite.Padding.VALID, 2, 1)
    assert (options.DilationHFactor(), options.DepthMultiplier()) == (1, 1)


@pytest.mark.parametrize("code", sorted(OPS))
def test_every_row_of_the_table_can_be_written(code: str) -> None:
    spec = OPS[code]
    samples = {"int": 1, "float": 0.5, "padding": "SAME"}
    required: dict[str, Any] = {f.name: samples[f.kind] for f in spec.fields if f.default is None}
    model = parse(single(code, ((1, 4), (1, 4)), **required))
    stored = model.Subgraphs(0).Operators(0)
    assert model.OperatorCodes(0).BuiltinCode() == getattr(tflite.BuiltinOperator, code)
    assert model.OperatorCodes(0).Version() == spec.version
    assert stored.BuiltinOptionsType() == getattr(tflite.BuiltinOptions, spec.options or "NONE")


def test_open_dimension_and_same_bytes_twice() -> None:
    def build() -> bytes:
        writer = TfliteWriter()
        x = writer.tensor("x", (1, 4), np.int8, scale=0.1, shape_signature=(-1, 4))
        y = writer.tensor("y", (1, 4), np.int8, scale=0.1)
        writer.op("RELU", [x], [y])
        return writer.bytes([x], [y])

    assert build() == build()
    assert parse(build()).Subgraphs(0).Tensors(0).ShapeSignatureAsNumpy().tolist() == [-1, 4]


CONV = {"padding": "SAME", "stride_h": 1, "stride_w": 1}


@pytest.mark.parametrize(
    ("code", "options", "message"),
    [
        ("CONV_2D", {"padding": "SAME", "stride_h": 1}, "stride_w must be given"),
        ("CONV_2D", {**CONV, "stride": 1}, "unknown option stride"),
        ("CONV_2D", {**CONV, "padding": "FULL"}, "expected SAME, VALID"),
        ("CONV_2D", {**CONV, "stride_h": None}, "stride_h is None"),
        ("SOFTMAX", {"beta": "warm"}, "beta is 'warm'"),
        ("CONV_5D", {}, "not an operator this writer knows"),
    ],
)
def test_wrong_options_are_refused(code: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TinyTrainError, match=message):
        single(code, ((1, 4), (1, 4)), **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": np.complex64}, "complex64 cannot be stored"),
        ({"data": [1, 2]}, r"data has shape \(2,\), expected \(2, 3\)"),
        ({"data": np.full((2, 3), 200)}, "does not fit int8"),
        ({"data": np.full((2, 3), 0.5)}, "does not fit int8"),
        ({"scale": [0.1, 0.2], "axis": 1}, "2 scales do not fit dimension 1"),
        ({"scale": 0.1, "zero_point": [1, 2]}, "1 scales but 2 zero points"),
    ],
)
def test_wrong_tensors_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TinyTrainError, match=message):
        TfliteWriter().tensor("t", (2, 3), **{"dtype": np.int8, **arguments})


def test_unknown_tensors_are_refused() -> None:
    writer = TfliteWriter()
    x = writer.tensor("x", (1,), np.int8)
    with pytest.raises(TinyTrainError, match="RELU inputs: there is no tensor 7"):
        writer.op("RELU", [7], [x])
    with pytest.raises(TinyTrainError, match="RELU outputs: there is no tensor -1"):
        writer.op("RELU", [x], [-1])
    with pytest.raises(TinyTrainError, match="model outputs"):
        writer.bytes([x], [3])
