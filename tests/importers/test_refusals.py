"""What cannot be imported is refused with the op, its index, the tensor and what would help."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tinytrain.errors import ImportModelError
from tinytrain.importers import load

CONV = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
POOL = CONV | {"filter_height": 2, "filter_width": 2}

Case = Callable[..., tuple[int, int]]
CASES: dict[str, tuple[Case, str, str]] = {}


def case(where: str, what: str) -> Callable[[Case], Case]:
    """Register a model; the message must hold `where` (op or tensor) and `what`."""

    def register(build: Case) -> Case:
        CASES[build.__name__] = build, where, what
        return build

    return register


def conv(net, source, weights, out, bias=None, **options):
    inputs = [source, weights, net.bias(4) if bias is None else bias]
    return source, net.op("CONV_2D", inputs, out, **(CONV | options))


@case("op 1 LOGISTIC", "end the model at the logits")
def unknown_op(net):
    source = net.act(1, 4)
    middle = net.op("RELU", [source], net.act(1, 4))
    return source, net.op("LOGISTIC", [middle], net.act(1, 4))


@case("op 0 ARG_MAX", "use the ops that are: ADD, AVERAGE_POOL_2D")
def op_without_advice(net):
    source = net.act(1, 4)
    return source, net.op("ARG_MAX", [source, net.const(1)], net.act(1))


@case("op 0 CONV_2D", "float32 values where int8 is needed")
def float_model(net):
    source = net.act(1, 2, 2, 3, dtype="float32")
    weights = net.weights(4, 1, 1, 3, dtype="float32")
    return conv(net, source, weights, net.act(1, 2, 2, 4, dtype="float32"))


@case("op 0 CONV_2D", "hybrid")
def hybrid_model(net):
    source = net.act(1, 2, 2, 3, dtype="float32")
    weights = net.weights(4, 1, 1, 3)
    return conv(net, source, weights, net.act(1, 2, 2, 4, dtype="float32"))


@case("op 0 CONV_2D", "uint8 quantization of TensorFlow 1")
def uint8_model(net):
    source = net.act(1, 2, 2, 3, dtype="uint8", zero_point=128)
    weights = net.const(np.ones((4, 1, 1, 3)), "uint8", scale=0.1, zero_point=128)
    return conv(net, source, weights, net.act(1, 2, 2, 4, dtype="uint8", zero_point=128))


@case("tensor 0 't1'", "16x8")
def int16_model(net):
    source = net.act(1, 2, 2, 3, dtype="int16", zero_point=0)
    return conv(net, source, net.weights(4, 1, 1, 3), net.act(1, 2, 2, 4, dtype="int16"))


@case("op 0 CONV_2D", "int64 values belong to 16x8")
def int64_bias(net):
    bias = net.const(np.zeros(4), "int64", scale=0.001)
    return conv(net, net.act(1, 2, 2, 3), net.weights(4, 1, 1, 3), net.act(1, 2, 2, 4), bias)


@case("op 0 CONV_2D", "dilation (2, 2) is not supported")
def dilation(net):
    options = {"dilation_h_factor": 2, "dilation_w_factor": 2}
    return conv(net, net.act(1, 9, 9, 3), net.weights(4, 3, 3, 3), net.act(1, 9, 9, 4), **options)


@case("op 0 CONV_2D", "grouped convolution")
def groups(net):
    return conv(net, net.act(1, 2, 2, 6), net.weights(4, 1, 1, 3), net.act(1, 2, 2, 4))


@case("op 0 CONV_2D", "fused activation")
def fused_tanh(net):
    return conv(
        net,
        net.act(1, 2, 2, 3),
        net.weights(4, 1, 1, 3),
        net.act(1, 2, 2, 4),
        fused_activation_function="TANH",
    )


@case("op 0 CONV_2D", "output shape [1, 3, 3, 4]")
def wrong_output_shape(net):
    return conv(net, net.act(1, 2, 2, 3), net.weights(4, 1, 1, 3), net.act(1, 3, 3, 4))


@case("op 0 CONV_2D", "weights with a zero point other than 0")
def weight_zero_point(net):
    weights = net.weights(4, 1, 1, 3, scale=0.1, zero_point=5)
    return conv(net, net.act(1, 2, 2, 3), weights, net.act(1, 2, 2, 4))


@case("op 0 CONV_2D", "weight scales along axis 3")
def weight_axis(net):
    weights = net.weights(4, 1, 1, 4, axis=3)
    return conv(net, net.act(1, 2, 2, 4), weights, net.act(1, 2, 2, 4))


@case("op 0 CONV_2D", "int8 weights without a scale")
def weight_without_scale(net):
    weights = net.weights(4, 1, 1, 3, scale=None)
    return conv(net, net.act(1, 2, 2, 3), weights, net.act(1, 2, 2, 4))


@case("op 0 CONV_2D", "a weight scale that is negative or no number")
def weight_scale_nan(net):
    weights = net.weights(4, 1, 1, 3, scale=[0.1, 0.1, float("nan"), 0.1])
    return conv(net, net.act(1, 2, 2, 3), weights, net.act(1, 2, 2, 4))


@case("op 0 CONV_2D", "weights that are computed at run time")
def weights_at_run_time(net):
    return conv(net, net.act(1, 2, 2, 3), net.act(4, 1, 1, 3), net.act(1, 2, 2, 4))


@case("op 0 CONV_2D", "an activation with scale 0.0")
def zero_scale(net):
    source = net.act(1, 2, 2, 3)
    return conv(net, source, net.weights(4, 1, 1, 3), net.act(1, 2, 2, 4, scale=0.0))


@case("op 0 CONV_2D", "an activation with 0 scales")
def activation_without_scale(net):
    source = net.act(1, 2, 2, 3)
    return conv(net, source, net.weights(4, 1, 1, 3), net.act(1, 2, 2, 4, scale=None))


@case("op 0 DEPTHWISE_CONV_2D", "depth multiplier 2")
def depth_multiplier(net):
    source, weights = net.act(1, 2, 2, 3), net.weights(1, 1, 1, 3, axis=3)
    options = CONV | {"depth_multiplier": 2}
    out = net.act(1, 2, 2, 3)
    return source, net.op("DEPTHWISE_CONV_2D", [source, weights], out, **options)


@case("op 1 ADD", "are broadcast")
def broadcast(net):
    source = net.act(1, 2, 2, 3)
    target = net.act(1, 3)
    net.op("MEAN", [source, net.const([1, 2])], target)
    total = net.op("ADD", [source, target], net.act(1, 2, 2, 3))
    return source, total


@case("op 0 ADD", "a constant where an activation is needed")
def add_constant(net):
    source = net.act(1, 4)
    constant = net.const(np.ones((1, 4)), "int8", scale=0.1)
    return source, net.op("ADD", [source, constant], net.act(1, 4))


@case("op 0 AVERAGE_POOL_2D", "but the op does not rescale")
def pool_that_rescales(net):
    source = net.act(1, 2, 2, 3)
    return source, net.op("AVERAGE_POOL_2D", [source], net.act(1, 2, 2, 3, scale=0.1), **POOL)


@case("op 0 RESHAPE", "but the op does not rescale")
def reshape_that_rescales(net):
    source = net.act(1, 4)
    return source, net.op("RESHAPE", [source], net.act(1, 2, 2, zero_point=0))


@case("op 0 RELU6", "but the op does not rescale")
def relu6_that_rescales(net):
    source = net.act(1, 4)
    return source, net.op("RELU6", [source], net.act(1, 4, scale=0.1))


@case("op 0 MEAN", "is none over space")
def mean_over_channels(net):
    source = net.act(1, 4, 4, 3)
    return source, net.op("MEAN", [source, net.const([3])], net.act(1, 4, 4))


@case("op 0 MEAN", "is none over space")
def mean_over_height_and_channels(net):
    source = net.act(1, 4, 4, 3)
    return source, net.op("MEAN", [source, net.const([1, 3])], net.act(1, 4))


@case("op 1 MEAN", "is none over space")
def mean_over_channels_of_nchw(net):
    source, moved = net.act(1, 4, 5, 3), net.act(1, 3, 4, 5)
    net.op("TRANSPOSE", [source, net.const([0, 3, 1, 2])], moved)
    return source, net.op("MEAN", [moved, net.const([1, 2])], net.act(1, 5))


@case("op 0 MEAN", "computed at run time")
def mean_axes_at_run_time(net):
    source, axes = net.act(1, 4, 4, 3), net.writer.tensor("axes", [1], "int32")
    return source, net.op("MEAN", [source, axes], net.act(1, 3))


@case("op 1 CONV_2D", "export the model channels-last (NHWC)")
def nchw_input(net):
    source, moved = net.act(1, 3, 4, 4), net.act(1, 4, 4, 3)
    net.op("TRANSPOSE", [source, net.const([0, 2, 3, 1])], moved)
    return source, conv(net, moved, net.weights(4, 1, 1, 3), net.act(1, 4, 4, 4))[1]


@case("tensor 1 't2'", "export the model channels-last (NHWC)")
def transposed_output(net):
    source, moved = net.act(1, 2, 3, 4), net.act(1, 4, 2, 3)
    return source, net.op("TRANSPOSE", [source, net.const([0, 3, 1, 2])], moved)


@case("op 1 ADD", "one operand is transposed")
def add_of_two_orders(net):
    source, moved = net.act(1, 2, 2, 2), net.act(1, 2, 2, 2)
    net.op("TRANSPOSE", [source, net.const([0, 3, 1, 2])], moved)
    return source, net.op("ADD", [source, moved], net.act(1, 2, 2, 2))


@case("op 1 FULLY_CONNECTED", "a transposed input")
def rows_of_a_transposed_map(net):
    source, moved = net.act(1, 2, 3, 4), net.act(1, 3, 4, 2)
    net.op("TRANSPOSE", [source, net.const([0, 2, 3, 1])], moved)
    inputs = [moved, net.weights(5, 2, scale=0.1)]
    return source, net.op("FULLY_CONNECTED", inputs, net.act(12, 5))


@case("op 0 PAD", "add batches or channels")
def pad_of_channels(net):
    source = net.act(1, 2, 2, 3)
    amounts = net.const([[0, 0], [0, 0], [0, 0], [0, 1]])
    return source, net.op("PAD", [source, amounts], net.act(1, 2, 2, 4))


@case("op 0 SOFTMAX", "expected 1/256 and -128")
def softmax_scale(net):
    source = net.act(1, 4)
    return source, net.op("SOFTMAX", [source], net.act(1, 4))


@case("op 0 SOFTMAX", "beta * input scale is -0.05, the kernels need more than 2^-26")
def softmax_negative_beta(net):
    source = net.act(1, 4, scale=0.05)
    target = net.act(1, 4, scale=1 / 256, zero_point=-128)
    return source, net.op("SOFTMAX", [source], target, beta=-1.0)


@case("op 0 SOFTMAX", "beta * input scale is 1.49012e-08")
def softmax_tiny_beta(net):
    source = net.act(1, 4, scale=0.5)
    target = net.act(1, 4, scale=1 / 256, zero_point=-128)
    return source, net.op("SOFTMAX", [source], target, beta=2.0**-25)


@case("op 0 CONCATENATION", "use ADD to join branches")
def concatenation_of_activations(net):
    source = net.act(1, 4)
    return source, net.op("CONCATENATION", [source, source], net.act(1, 8), axis=1)


@case("op 0 DEQUANTIZE", "floating point inside the model")
def float_inside(net):
    source, inner = net.act(1, 4), net.act(1, 4, dtype="float32")
    net.op("DEQUANTIZE", [source], inner)
    return source, net.op("QUANTIZE", [inner], net.act(1, 4))


@case("op 0 QUANTIZE", "not only shifted by 128")
def uint8_input_rescaled(net):
    source = net.act(1, 4, dtype="uint8", zero_point=0)
    return source, net.dense(net.op("QUANTIZE", [source], net.act(1, 4)), 2, 4)


@case("op 0 RESHAPE", "float32 values")
def float_reshape(net):
    source, flat = net.act(1, 2, 2, dtype="float32"), net.act(1, 4, dtype="float32")
    net.op("RESHAPE", [source], flat)
    return source, net.op("QUANTIZE", [flat], net.act(1, 4))


@case("tensor 0 't1'", "input shape [2, 4]")
def batch_of_two(net):
    source = net.act(2, 4)
    return source, net.op("RELU", [source], net.act(2, 4))


@case("tensor 0 't1'", "fixed input shape")
def open_height(net):
    source = net.act(1, 1, 1, 3, shape_signature=(-1, -1, -1, 3))
    return source, net.op("RELU", [source], net.act(1, 1, 1, 3))


@case("tensor 0 't1'", "shape [1, -1] is not fixed")
def open_shape(net):
    source = net.act(1, -1)
    return source, net.op("RELU", [source], net.act(1, -1))


@case("tensor 0 't1'", "too large for a board")
def enormous(net):
    source = net.act(1, 1 << 20, 1 << 20)
    return source, net.op("RELU", [source], net.act(1, 1 << 20, 1 << 20))


@case("op 0 RELU", "reads what no earlier op writes")
def wrong_order(net):
    source, middle = net.act(1, 4), net.act(1, 4)
    target = net.op("RELU", [middle], net.act(1, 4))
    net.op("RELU", [source], middle)
    return source, target


@case("op 1 RELU", "writes a tensor that has a value")
def written_twice(net):
    source, target = net.act(1, 4), net.act(1, 4)
    net.op("RELU", [source], target)
    return source, net.op("RELU", [source], target)


@case("tensor 1 't2'", "no op writes the model's output")
def nothing_writes(net):
    return net.act(1, 4), net.act(1, 4)


@case("tensor 1 't2'", "computes nothing")
def nothing_to_do(net):
    source = net.act(1, 4)
    return source, net.op("RESHAPE", [source], net.act(1, 2, 2))


@pytest.mark.parametrize("name", CASES)
def test_refusal(net, load_bytes, name):
    build, where, what = CASES[name]
    model = net.bytes(*build(net))
    with pytest.raises(ImportModelError) as caught:
        load_bytes(model)
    message = str(caught.value)
    assert "model.tflite: " in message
    assert where in message
    assert what in message
    assert len(message.split("; ", 1)[1]) > 10  # what would help


def test_several_ends(net, load_bytes):
    a, b = net.act(1, 4), net.act(1, 4)
    total = net.op("ADD", [a, b], net.act(1, 4))
    with pytest.raises(ImportModelError, match="2 model inputs"):
        load_bytes(net.writer.bytes([a, b], [total]))
    with pytest.raises(ImportModelError, match="2 model outputs"):
        load_bytes(net.writer.bytes([a], [total, a]))


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("missing.tflite", None, "No such file"),
        ("empty.tflite", b"", "is empty"),
        ("text.tflite", b"a text and no model", "no .tflite file"),
        ("model.onnx", b"", "full-integer"),
        ("model.txt", b"", ".txt file cannot be read"),
        ("model", b"", "cannot be read"),
    ],
)
def test_files(tmp_path, name, content, what):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImportModelError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert what in str(caught.value)


def test_directory(tmp_path):
    path = tmp_path / "folder.tflite"
    path.mkdir()
    with pytest.raises(ImportModelError, match="folder"):
        load(path)
