"""The ops of a graph and their attributes: the one list that importers write and passes read.

Activations are int8 in NHWC order with batch 1, so a tensor is its H*W*C elements in a row; an op
carries the geometry it works on, and a reshape is no op at all. `low` and `high` bound the int8
output (fused activations and the int8 range).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hwc:
    """Height, width and channels of a feature map."""

    h: int
    w: int
    c: int

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.h * self.w * self.c


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window: its maps, kernel and stride (height, width), padding (top, left).

    Output pixel (y, x) reads input rows y*stride - pad ... ; what lies outside the map is zero in
    real value (convolution) or left out (pooling). Bottom and right padding follow from the shapes.
    """

    input: Hwc
    output: Hwc
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Conv2D:
    """y = clamp(rescale(b + sum (x - zero) * w)); inputs x, w [O,KH,KW,I] and optionally b [O].

    A fully connected layer is a 1x1 convolution over `rows` pixels (window.input.w = rows).
    float32_product: TFLM multiplies input and weight scale of a fully connected layer with one
    weight scale in float32, all others in double.
    """

    window: Window
    low: int = -128
    high: int = 127
    float32_product: bool = False


@dataclass(frozen=True, slots=True)
class DepthwiseConv2D:
    """As Conv2D with w [1,KH,KW,C*M]; output channel c*M + m reads input channel c."""

    window: Window
    low: int = -128
    high: int = 127

    @property
    def multiplier(self) -> int:
        """Output channels per input channel (M)."""
        return self.window.output.c // self.window.input.c


@dataclass(frozen=True, slots=True)
class Embedding:
    """y[n] = w[x[n]]; inputs x, int32 [count] of 0 .. rows - 1, and a table w [rows, depth] that is
    quantized as y."""

    rows: int
    depth: int
    count: int


@dataclass(frozen=True, slots=True)
class Add:
    """y = clamp(rescale(a) + rescale(b)); a, b and y of the same number of elements."""

    low: int = -128
    high: int = 127


@dataclass(frozen=True, slots=True)
class AveragePool2D:
    """Mean over the part of the window inside the map; input and output scale are equal."""

    window: Window
    low: int = -128
    high: int = 127


@dataclass(frozen=True, slots=True)
class MaxPool2D:
    """Largest value of the part of the window that lies inside the map."""

    window: Window
    low: int = -128
    high: int = 127


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean over the middle one of three axes [outer, count, inner], rescaled to the output."""

    outer: int
    count: int
    inner: int


@dataclass(frozen=True, slots=True)
class Pad:
    """A border of `value` around the map; pad is (top, left), the rest follows from the shapes."""

    input: Hwc
    output: Hwc
    pad: tuple[int, int]
    value: int


@dataclass(frozen=True, slots=True)
class Requantize:
    """y = clamp(rescale(x - zero)): QUANTIZE from int8 to int8, RELU and RELU6 standing alone.

    identity: the scales and zero points are equal and TFLM does not rescale but only clamps.
    """

    low: int = -128
    high: int = 127
    identity: bool = False


@dataclass(frozen=True, slots=True)
class Softmax:
    """exp(beta x) / sum exp(beta x) over the last axis; output scale 1/256, zero point -128."""

    rows: int
    depth: int
    beta: float = 1.0


Attributes = (
    Conv2D
    | DepthwiseConv2D
    | Embedding
    | Add
    | AveragePool2D
    | MaxPool2D
    | Mean
    | Pad
    | Requantize
    | Softmax
)


@dataclass(frozen=True, slots=True)
class OpInfo:
    """What the verifier and the reports need to know of an op."""

    attributes: type
    inputs: tuple[int, int]
    parameters: tuple[str, ...] = ()


OPS: dict[str, OpInfo] = {
    "conv2d": OpInfo(Conv2D, (2, 3), ("weight", "bias")),
    "depthwise_conv2d": OpInfo(DepthwiseConv2D, (2, 3), ("weight", "bias")),
    "embedding": OpInfo(Embedding, (2, 2), ("weight",)),
    "add": OpInfo(Add, (2, 2)),
    "average_pool2d": OpInfo(AveragePool2D, (1, 1)),
    "max_pool2d": OpInfo(MaxPool2D, (1, 1)),
    "mean": OpInfo(Mean, (1, 1)),
    "pad": OpInfo(Pad, (1, 1)),
    "requantize": OpInfo(Requantize, (1, 1)),
    "softmax": OpInfo(Softmax, (1, 1)),
}
