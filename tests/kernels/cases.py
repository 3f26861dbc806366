"""Random calls of every kernel: hypothesis strategies that give a complete list of arguments.

What a kernel's declaration demands of its caller (sums that fit 32 bits, limits of 2^k - 1, windows
that meet the map) holds for every case, and the extremes that it allows are likely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinytrain.kernels.library import grad_buffer, grad_bytes, grad_exponent, grad_mantissa, library
from tinytrain.kernels.memory import mantissa_bits
from tinytrain.kernels.reference.windows import gather

INT32_MAX: Final = 2**31 - 1


def mantissa_max() -> int:
    return int(2 ** (mantissa_bits() - 1) - 1)


Params = dict[str, Any]
Args = list[Any]


@dataclass(frozen=True)
class Maker:
    """Draws numbers from hypothesis (few, so that they shrink) and array elements from a seed."""

    draw: Callable[..., Any]
    rng: np.random.Generator

    def int(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def array(self, shape: int | tuple[int, ...], low: int, high: int, dtype: str) -> NDArray[Any]:
        """Uniform, at the ends, all equal, or mostly the value nearest to zero."""
        middle = min(max(0, low), high)
        kind = self.pick("uniform", "ends", "uniform", "rare", "low", "high", "middle")
        values = self.rng.integers(low, high, shape, endpoint=True)
        match kind:
            case "ends":
                values = self.rng.choice([low, high], shape)
            case "rare":
                values = np.where(self.rng.random(shape) < 0.1, values, middle)
            case "low" | "high" | "middle":
                values = np.full(shape, {"low": low, "high": high, "middle": middle}[kind])
        return np.asarray(values).astype(dtype)

    def int8(self, *shape: int) -> NDArray[np.int8]:
        return self.array(shape, -128, 127, "int8")

    def weights(self, *shape: int) -> NDArray[np.int8]:
        """-128 is rare: some kernels leave weights with it to plainer ones."""
        return self.array(shape, self.pick(-127, -127, -128), 127, "int8")

    def limit(self, bound: int = 32767) -> int:
        """2^k - 1, at most `bound` and what a mantissa holds."""
        assert bound >= 1
        largest = (min(bound, mantissa_max()) + 1).bit_length() - 1
        return int((1 << self.pick(largest, largest, self.int(1, largest))) - 1)

    def grad(self, n: int, bound: int = 32767) -> NDArray[np.uint8]:
        limit = self.limit(bound)
        exponent = self.pick(-1000, -60, -29, -3, 0, 11, 90)
        values = self.array(n, -limit, limit, "int16")
        if self.pick(True, False, False):  # as behind a ReLU
            values[self.array(n, 0, 9, "int8") > 0] = 0
        return grad_buffer(values, exponent)

    def garbage(self, nbytes: int) -> NDArray[np.uint8]:
        return self.rng.integers(0, 255, nbytes, np.uint8, endpoint=True)

    def clip(self, n: int) -> NDArray[np.uint8] | None:
        return self.pick(None, self.garbage((n + 7) // 8))

    def factors(self, shifts: tuple[int, int] = (-31, 30)) -> tuple[int, int]:
        multiplier = self.pick(0, 1, 2**30, INT32_MAX, self.int(2**30, INT32_MAX))
        return multiplier, self.pick(*shifts, self.int(*shifts), self.int(-12, 0))

    def channel_factors(self, n: int) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        multiplier = self.array(n, 2**30, INT32_MAX, "int32")
        multiplier[self.rng.random(n) < 0.1] = 0  # dead channels
        return multiplier, self.array(n, *self.pick((-14, 0), (-31, 30), (-10, -5)), "int8")

    def low_high(self) -> Params:
        low = self.pick(-128, self.int(-128, 127))
        return {"low": low, "high": self.pick(127, self.int(low, 127))}

    def channels(self) -> int:
        return int(self.pick(1, 2, 3, 5, 8, 17))

    def window(
        self, in_c: int, out_c: int, beyond: bool = False, kernels: Sequence[int] = ()
    ) -> Params:
        """Kernels of 1 to 4 or these, strides of 1 to 3, uneven padding; beyond: windows off the
        map too."""
        window = {"in_c": in_c, "out_c": out_c}
        for axis, before in (("h", "top"), ("w", "left")):
            size, kernel, stride = self.int(1, 7), self.int(1, 4), self.int(1, 3)
            if kernels:
                size, kernel = size + self.int(0, 3), self.pick(kernel, *kernels)
            pad = self.int(0, kernel - 1)
            out = self.int(1, (size - 1 + pad) // stride + 1 + beyond)
            window |= {f"in_{axis}": size, f"out_{axis}": out, f"kernel_{axis}": kernel}
            window |= {f"stride_{axis}": stride, f"pad_{before}": pad}
        return window

    def fully_connected(self) -> Params:
        """A 1x1 kernel on a single pixel."""
        window = {"in_c": 4 * self.int(1, 20) - self.pick(0, 0, 1), "out_c": self.int(1, 20)}
        for axis, before in (("h", "top"), ("w", "left")):
            window |= {f"{what}_{axis}": 1 for what in ("in", "out", "kernel", "stride")}
            window |= {f"pad_{before}": 0}
        return window

    def pointwise(self) -> Params:
        """A 1x1 kernel on a map; the largest are more pixels than are packed at a time."""
        in_c = self.pick(self.channels(), self.int(1, 40), 4 * self.int(1, 20))
        w = self.fully_connected() | {"in_c": in_c}
        height, width = self.int(1, 4), self.pick(2, 3, 5, 20, 45)
        return w | {"in_h": height, "in_w": width, "out_h": height, "out_w": width}

    def rate(self) -> NDArray[np.uint8]:
        mantissa = self.pick(0, 2**14, 2**15 - 1, self.int(2**14, 2**15 - 1))
        words = [mantissa, self.int(-60, 0), self.int(-(2**31), INT32_MAX)]
        words += [self.pick(0, 2**14, self.int(2**14, 2**15 - 1)), self.int(-60, 0)]
        words += [self.pick(0, 58982, 65535), self.int(0, 1)]
        return np.array(words, np.int32).view(np.uint8)

    def steps(self, n: int) -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
        mantissa = self.array(n, 2**14, 2**15 - 1, "uint16")
        mantissa[self.rng.random(n) < 0.1] = 0  # dead channels
        return mantissa, self.array(n, *self.pick((-20, 40), (-128, 127)), "int8")


Case = Callable[[Maker], Args]
CASES: dict[str, Case] = {}


def case(make: Case) -> Case:
    """Register a function named like a kernel without its prefix."""
    CASES[f"tt_{make.__name__}"] = make
    return make


def arguments(name: str) -> st.SearchStrategy[Args]:
    """Arguments for one call of a kernel."""

    @st.composite
    def strategy(draw: Callable[..., Any]) -> Args:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        return CASES[name](Maker(draw, rng))

    return strategy()


def scratch(m: Maker, kernel: str, p: Mapping[str, Any]) -> NDArray[np.uint8]:
    return m.garbage(library().scratch_bytes(kernel, p))


def shape_in(w: Params) -> tuple[int, int, int]:
    return w["in_h"], w["in_w"], w["in_c"]


def size_out(w: Params) -> int:
    return int(w["out_h"] * w["out_w"] * w["out_c"])


def taps(w: Params) -> tuple[int, int]:
    return w["kernel_h"], w["kernel_w"]


# ---- forward ---------------------------------------------------------------------------------


def _layer(m: Maker, w: Params, weights: NDArray[np.int8]) -> tuple[Params, Args]:
    zeros = {"in_zero": m.pick(-128, 127, m.int(-128, 127)), "out_zero": m.int(-128, 127)}
    p = {"window": w} | zeros | m.low_high()
    bias = m.array(w["out_c"], *m.pick((-9999, 9999), (-(2**31), INT32_MAX)), "int32")
    return p, [p, m.int8(*shape_in(w)), weights, m.pick(None, bias)]


def _layer_s8(m: Maker, kernel: str, w: Params, weights: NDArray[np.int8]) -> Args:
    p, args = _layer(m, w, weights)
    multiplier, shift = m.channel_factors(w["out_c"])
    if m.pick(True, True, False):  # as in models: what the fast kernels are made for
        p |= {"low": -128, "high": 127}
        shift = m.array(w["out_c"], -12, m.pick(-1, -5), "int8")
        args[3] = m.pick(None, m.array(w["out_c"], -9999, 9999, "int32"))
    args += [multiplier, shift, m.garbage(size_out(w)), m.clip(size_out(w))]
    return [*args, scratch(m, kernel, p)]


def _conv_window(m: Maker) -> Params:
    match m.int(0, 7):
        case 6 | 7:
            return m.fully_connected()
        case 4 | 5:
            return m.pointwise()
        case _:
            return m.window(m.channels(), m.channels(), beyond=m.pick(False, True))


def _square(m: Maker, in_c: int, out_c: int) -> Params:
    """A kernel of 3x3, 5x5 or 7x7."""
    window = {"in_c": in_c, "out_c": out_c}
    kernel, stride = m.pick(3, 3, 5, 7), m.pick(1, 1, 2)
    for axis, before in (("h", "top"), ("w", "left")):
        size, pad = m.int(1, 12), m.int(0, kernel - 1)
        out = m.int(1, (size - 1 + pad) // stride + 1)
        window |= {f"in_{axis}": size, f"out_{axis}": out, f"kernel_{axis}": kernel}
        window |= {f"stride_{axis}": stride, f"pad_{before}": pad}
    return window


def _depthwise_window(m: Maker) -> Params:
    in_c = m.channels()
    if m.pick(True, False):
        return _square(m, in_c, in_c * m.pick(1, 1, 2))
    if m.int(0, 15) == 15:  # too many rows for what is packed at a time
        w = m.window(1, 1) | {"in_w": 70, "out_w": 70, "stride_w": 1}
        w |= {"in_h": 12, "out_h": (11 + w["pad_top"]) // w["stride_h"] + 1}
        return w
    if m.int(0, 3) == 3:  # a single column of more outputs than there are sums of at a time
        w = _square(m, 3, m.pick(3, 6)) | {"in_w": 1, "out_w": 1, "stride_h": 1, "in_h": 70}
        return w | {"pad_left": min(w["pad_left"], 1), "out_h": 70}
    return m.window(in_c, in_c * m.int(1, 3), m.pick(False, True), m.pick((3, 5, 7), (6, 7, 8)))


@case
def conv2d_s8(m: Maker) -> Args:
    w = _conv_window(m)
    return _layer_s8(m, "tt_conv2d_s8", w, m.weights(w["out_c"], *taps(w), w["in_c"]))


@case
def conv2d_s32(m: Maker) -> Args:
    w = _conv_window(m)
    _, args = _layer(m, w, m.weights(w["out_c"], *taps(w), w["in_c"]))
    return [*args, m.garbage(4 * size_out(w))]


@case
def depthwise_conv2d_s8(m: Maker) -> Args:
    w = _depthwise_window(m)
    for axis, before in (("h", "top"), ("w", "left")) if m.pick(True, False) else ():
        first = m.int(0, w[f"out_{axis}"] - 1)  # a part of the outputs
        w[f"out_{axis}"] -= first
        w[f"pad_{before}"] -= first * w[f"stride_{axis}"]
    return _layer_s8(m, "tt_depthwise_conv2d_s8", w, m.weights(*taps(w), w["out_c"]))


@case
def add_s8(m: Maker) -> Args:
    n = m.int(1, 40)
    p = {"size": n, "out_zero": m.int(-128, 127)} | m.low_high()
    for name in ("a", "b", "out"):
        p[f"{name}_multiplier"], p[f"{name}_shift"] = m.factors((-31, 0))
        p[f"{name}_zero"] = m.pick(-128, 127, m.int(-128, 127))
    larger = m.pick(None, "a", "b")  # of the two scales: real layers have one
    if larger is not None:
        p |= {f"{larger}_multiplier": 2**30, f"{larger}_shift": 0}
        p |= {"out_multiplier": m.int(2**30, INT32_MAX), "out_shift": m.pick(-23, -19, -17)}
    a, b = m.int8(n), m.int8(n)
    return [p, a, m.pick(a, b), m.pick(a, b, m.int8(n)), m.clip(n)]


@case
def average_pool2d_s8(m: Maker) -> Args:
    c = m.channels()
    w = m.window(c, c)
    p = {"window": w} | m.low_high()
    return [p, m.int8(*shape_in(w)), m.garbage(size_out(w)), m.clip(size_out(w))]


@case
def max_pool2d_s8(m: Maker) -> Args:
    return average_pool2d_s8(m)


@case
def mean_s8(m: Maker) -> Args:
    p = {"outer": m.int(1, 3), "count": m.pick(1, 2, 49, 32767), "inner": m.int(1, 5)}
    p |= {"in_zero": m.pick(-128, 127, m.int(-128, 127)), "out_zero": m.int(-128, 127)}
    p["multiplier"], p["shift"] = m.factors()
    n = p["outer"] * p["inner"]
    return [p, m.int8(n * p["count"]), m.garbage(n), m.clip(n)]


def _pad(m: Maker) -> Params:
    p = {"channels": m.int(1, 4), "value": m.int(-128, 127)}
    for axis, before in (("h", "top"), ("w", "left")):
        p[f"in_{axis}"], p[f"pad_{before}"] = m.int(1, 5), m.int(0, 3)
        p[f"out_{axis}"] = p[f"in_{axis}"] + p[f"pad_{before}"] + m.int(0, 3)
    return p


@case
def pad_s8(m: Maker) -> Args:
    p = _pad(m)
    x = m.int8(p["in_h"], p["in_w"], p["channels"])
    return [p, x, m.garbage(p["out_h"] * p["out_w"] * p["channels"])]


def _embedding(m: Maker) -> tuple[Params, NDArray[np.int32]]:
    """A table and the rows that are chosen: often the same ones again."""
    p = {"rows": m.pick(1, 3, 40), "count": m.pick(1, 2, 7, 20), "depth": m.channels()}
    return p, m.array(p["count"], 0, p["rows"] - 1, "int32")


@case
def embedding_s8(m: Maker) -> Args:
    p, x = _embedding(m)
    return [p, x, m.int8(p["rows"], p["depth"]), m.garbage(p["count"] * p["depth"])]


def _block(m: Maker) -> tuple[Params, int, int]:
    """A block that meets the map, reaches over its border, or lies beside it."""
    p = {"channels": m.int(1, 4), "value": m.int(-128, 127)}
    p |= {"map_h": m.int(1, 6), "map_w": m.int(1, 6), "rows": m.int(1, 6), "columns": m.int(1, 6)}
    return p, m.int(-7, 7), m.int(-7, 7)


def _map_size(p: Params) -> int:
    return int(p["map_h"] * p["map_w"] * p["channels"])


def _block_size(p: Params) -> int:
    return int(p["rows"] * p["columns"] * p["channels"])


@case
def crop_s8(m: Maker) -> Args:
    p, top, left = _block(m)
    return [p, top, left, m.int8(_map_size(p)), m.garbage(_block_size(p))]


@case
def border_s8(m: Maker) -> Args:
    p, top, left = _block(m)
    return [p, top, left, m.int8(_block_size(p))]


@case
def paste_s8(m: Maker) -> Args:
    p, top, left = _block(m)
    return [p, top, left, m.int8(_block_size(p)), m.int8(_map_size(p))]


def _channels(m: Maker) -> tuple[Params, Any]:
    p = {"rows": m.int(1, 5), "channels": m.channels()}
    p["taken"] = m.int(1, p["channels"])
    index = np.sort(m.rng.permutation(p["channels"])[: p["taken"]]).astype(np.int16)
    return p, m.pick(None, index)


@case
def take_channels_s8(m: Maker) -> Args:
    p, index = _channels(m)
    x = m.int8(p["rows"], p["channels"])
    return [p, index, x, m.garbage(p["rows"] * p["taken"])]


@case
def take_channels_grad(m: Maker) -> Args:
    p, index = _channels(m)
    dy = m.grad(p["rows"] * p["channels"])
    return [p, index, dy, m.garbage(grad_bytes(p["rows"] * p["taken"]))]


@case
def merge_channels_s8(m: Maker) -> Args:
    p, index = _channels(m)
    x, part = m.int8(p["rows"], p["channels"]), m.int8(p["rows"], p["taken"])
    return [p, index, x, part, m.garbage(x.size)]


def _taken(m: Maker, channels: int) -> tuple[int, Any]:
    """How many input channels are trained, and which."""
    taken = m.int(1, channels)
    index = np.sort(m.rng.permutation(channels)[:taken]).astype(np.int16)
    return taken, m.pick(None, index)


@case
def conv2d_s8__partial(m: Maker) -> Args:
    block, blocks = m.pick(8, 16), m.int(1, 3)
    w = m.window(m.channels(), block * blocks, beyond=m.pick(False, True))
    taken, index = _taken(m, w["in_c"])
    layer, args = _layer(m, w, m.weights(w["out_c"], *taps(w), w["in_c"]))
    trained = m.weights(w["out_c"], *taps(w), taken)
    p = {"layer": layer, "taken": taken, "block": block}
    args = [p, index, *args[1:3], trained, args[3]]
    args += [*m.channel_factors(w["out_c"]), m.garbage(size_out(w)), m.clip(size_out(w))]
    return [*args, scratch(m, "tt_conv2d_s8__partial", p)]


@case
def requantize_s8(m: Maker) -> Args:
    n = m.int(1, 40)
    p = {"size": n, "identity": m.int(0, 1), "out_zero": m.int(-128, 127)} | m.low_high()
    p["in_zero"] = m.pick(-128, 127, m.int(-128, 127))
    p["multiplier"], p["shift"] = m.factors()
    x = m.int8(n)
    return [p, x, m.pick(x, m.int8(n)), m.clip(n)]


@case
def softmax_s8(m: Maker) -> Args:
    p = {"rows": m.int(1, 3), "depth": m.pick(1, 2, 12, 4095)}
    p["multiplier"] = m.int(2**30, INT32_MAX)
    p["shift"] = m.int(0, 26)
    p["diff_min"] = -min(31 * 2**26 >> p["shift"], 32767)
    x = m.int8(p["rows"], p["depth"])
    return [p, x, m.pick(x, m.int8(x.size))]


@case
def widen_s8(m: Maker) -> Args:
    n = m.int(1, 40)
    return [n, m.int(-128, 127), m.int8(n), m.garbage(4 * n)]


# ---- loss ------------------------------------------------------------------------------------


@case
def softmax_cross_entropy(m: Maker) -> Args:
    n = m.pick(1, 2, 10, 1000, 4096)
    p = {"classes": n, "limit": m.limit()}
    left = m.int(0, 20)
    span = m.pick(2**30 - 1 >> left, min(2**14, 2**30 - 1 >> left))
    multiplier, _ = m.channel_factors(n)
    shift = m.array(n, m.pick(left, -31, -4), left, "int8")
    args = [p, m.array(n, -span, span, "int32"), multiplier, shift, m.int(0, n - 1)]
    return [
        *args,
        m.garbage(grad_bytes(n)),
        m.garbage(4),
        scratch(m, "tt_softmax_cross_entropy", p),
    ]


def _per_channel_loss(m: Maker, most: int) -> tuple[Params, Args]:
    """Sums, with factors that keep |requantize(sum)| <= most, channel by channel."""
    n, channels = m.pick((1, 1), (6, 3), (40, 40), (640, 1), (2000, 10))
    left = m.int(0, 12)
    span = m.pick(most - 1 >> left, min(2**14, most - 1 >> left))
    multiplier, _ = m.channel_factors(channels)
    shift = m.array(channels, m.pick(left, -31, -4), left, "int8")
    p = {"size": n, "channels": channels, "limit": m.limit()}
    return p, [m.array(n, -span, span, "int32"), multiplier, shift]


@case
def sigmoid_cross_entropy(m: Maker) -> Args:
    p, args = _per_channel_loss(m, 2**30)
    n = p["size"]
    p["reciprocal_bits"] = 16 + n.bit_length() - 1
    p["reciprocal"] = m.pick(2**15, 2**16, ((1 << p["reciprocal_bits"]) + n // 2) // n)
    target = m.array(n, 0, 1, "int8")
    return [p, *args, target, m.garbage(grad_bytes(n)), m.garbage(4)]


@case
def mean_squared_error(m: Maker) -> Args:
    p, args = _per_channel_loss(m, 2**29)
    p |= {"exponent": m.int(-60, 20), "loss_shift": m.int(-20, 70)}
    p["loss_factor"] = m.pick(2**15, 2**16, m.int(2**15, 2**16))
    for name in ("output", "input"):
        multiplier, shift = m.factors((-31, 20))
        p[name] = {"zero": m.int(-128, 127), "multiplier": multiplier, "shift": shift}
        p[name]["shift"] = min(shift, 20)
    n = p["size"]
    return [p, *args, m.int(0, 1), m.int8(n), m.garbage(grad_bytes(n)), m.garbage(4)]


# ---- backward --------------------------------------------------------------------------------


@case
def clip_bwd(m: Maker) -> Args:
    n = m.int(1, 70)
    dy = m.grad(n)
    clip = m.pick(m.garbage((n + 7) // 8), np.zeros((n + 7) // 8, np.uint8))
    return [{"size": n, "limit": m.limit()}, dy, clip, m.pick(dy, m.garbage(grad_bytes(n)))]


@case
def grad_add(m: Maker) -> Args:
    n = m.int(1, 70)
    a, b = m.grad(n), m.grad(n)
    y = m.pick(a, b, m.garbage(grad_bytes(n)))
    return [{"size": n, "limit": m.limit()}, a, m.pick(a, b, b), y]


def _bwd_input(m: Maker, kernel: str, w: Params, weights: NDArray[np.int8], most: int) -> Args:
    p = {"window": w, "limit": m.limit(), "exponent": m.int(-30, 10)}
    p["headroom"] = m.pick(0, m.int(0, 8))
    bound = min(32767, INT32_MAX // max(1, most)) >> p["headroom"]
    dy = m.grad(size_out(w), bound)
    if m.pick(True, False):  # some pixels' gradient is 0
        pixels = grad_mantissa(dy).reshape(-1, w["out_c"])
        pixels[m.rng.random(len(pixels)) < m.pick(0.2, 0.8)] = 0
    scale = m.array(w["out_c"], 0, 2**15, "uint16")
    dx = m.garbage(grad_bytes(int(np.prod(shape_in(w)))))
    return [p, dy, weights, scale, dx, scratch(m, kernel, p)]


@case
def conv2d_bwd_input(m: Maker) -> Args:
    w = _conv_window(m)
    if m.int(0, 9) == 9:  # sums that come near 2^31
        w |= {"out_c": 513, "kernel_h": 1, "kernel_w": 1, "in_h": 2, "in_w": 2, "in_c": 2}
        w |= {"pad_top": 0, "pad_left": 0, "out_h": 1, "out_w": 1}
    weights = m.weights(w["out_c"], *taps(w), w["in_c"])
    most = np.abs(weights.astype(np.int64)).sum(axis=(0, 1, 2)).max()
    return _bwd_input(m, "tt_conv2d_bwd_input", w, weights, int(most))


@case
def conv2d_bwd_input__partial(m: Maker) -> Args:
    w = m.pointwise()
    taken, index = _taken(m, w["in_c"])
    weights, trained = m.weights(w["out_c"], w["in_c"]), m.weights(w["out_c"], taken)
    most = 128 * w["out_c"]
    gradient, dy, _, scale, dx, _ = _bwd_input(m, "tt_conv2d_bwd_input", w, weights, most)
    p = {"gradient": gradient, "taken": taken}
    working = scratch(m, "tt_conv2d_bwd_input__partial", p)
    return [p, index, dy, weights, trained, scale, dx, working]


@case
def depthwise_conv2d_bwd_input(m: Maker) -> Args:
    w = _depthwise_window(m)
    if m.int(0, 9) == 9:
        w |= {"in_c": 1, "out_c": 513, "kernel_h": 1, "kernel_w": 1, "in_h": 2, "in_w": 2}
        w |= {"pad_top": 0, "pad_left": 0, "out_h": 1, "out_w": 1}
    weights = m.weights(*taps(w), w["out_c"])
    each = np.abs(weights.astype(np.int64)).sum(axis=(0, 1))
    most = each.reshape(w["in_c"], -1).sum(axis=1).max()
    return _bwd_input(m, "tt_depthwise_conv2d_bwd_input", w, weights, int(most))


def _pool_bwd(m: Maker, reciprocal_bits: int) -> tuple[Params, NDArray[np.uint8]]:
    c = m.channels()
    w = m.window(c, c)
    p = {"window": w, "limit": m.limit(), "reciprocal_bits": reciprocal_bits}
    return p, m.grad(size_out(w), INT32_MAX // (16 << reciprocal_bits))


@case
def average_pool2d_bwd(m: Maker) -> Args:
    p, dy = _pool_bwd(m, m.int(0, 17))
    dx = m.garbage(grad_bytes(int(np.prod(shape_in(p["window"])))))
    return [p, dy, dx, scratch(m, "tt_average_pool2d_bwd", p)]


@case
def max_pool2d_bwd(m: Maker) -> Args:
    p, dy = _pool_bwd(m, 0)
    x = m.int8(*shape_in(p["window"]))
    return [p, dy, x, m.garbage(grad_bytes(x.size)), scratch(m, "tt_max_pool2d_bwd", p)]


@case
def mean_bwd(m: Maker) -> Args:
    p = {"outer": m.int(1, 3), "count": m.pick(1, 2, 49), "inner": m.int(1, 5), "limit": m.limit()}
    p |= {"reciprocal": m.int(0, 2**16 - 1), "reciprocal_bits": m.int(0, 30)}
    n = p["outer"] * p["inner"]
    return [p, m.grad(n), m.garbage(grad_bytes(n * p["count"])), scratch(m, "tt_mean_bwd", p)]


@case
def pad_bwd(m: Maker) -> Args:
    pad = _pad(m)
    dx = m.garbage(grad_bytes(pad["in_h"] * pad["in_w"] * pad["channels"]))
    dy = m.grad(pad["out_h"] * pad["out_w"] * pad["channels"])
    return [{"pad": pad, "limit": m.limit()}, dy, dx]


# ---- parameters ------------------------------------------------------------------------------


def _bwd_weight(m: Maker, w: Params, weights: NDArray[np.int8], per_channel: int) -> Args:
    """per_channel: weights per trained input channel."""
    p: Params = {"window": w, "in_zero": m.pick(-128, 127, m.int(-128, 127))}
    p["channels"] = m.pick(w["in_c"], m.int(1, w["in_c"]))
    x = m.int8(*shape_in(w))
    values = gather(w, x.astype(np.int64) - p["in_zero"])
    dy = m.grad(size_out(w), INT32_MAX // max(1, int(np.abs(values).sum(axis=1).max())))
    row = int(np.abs(values).sum(axis=1).max()) * int(np.abs(grad_mantissa(dy).astype(int)).max())
    p["row_shift"] = next(
        s for s in range(m.pick(0, 0, 9), 32) if w["out_h"] * ((row >> s) + 1) <= INT32_MAX
    )
    n = p["channels"] * per_channel
    rate = m.pick(m.rate(), m.rate(), None)
    used = 4 * n if rate is None else 4 * w["kernel_h"] * w["kernel_w"] * p["channels"]
    d = m.garbage(used)
    mantissa, exponent = m.steps(w["out_c"])
    if rate is not None and m.pick(True, False):  # updates of some 2^-8 of an integer
        shift = int(rate.view(np.int32)[1]) + grad_exponent(dy) + p["row_shift"] + 23
        near = m.rng.integers(*m.pick((14, 52), (18, 46)), w["out_c"])
        exponent = (-shift - near).clip(-128, 127).astype(np.int8)
    return [p, dy, x, rate, mantissa, exponent, weights, m.int8(n), d]


@case
def conv2d_bwd_weight(m: Maker) -> Args:
    w = _conv_window(m)
    if m.int(0, 9) == 9:  # long rows, whose sums come near 2^31
        w |= {"in_h": 2, "in_w": 300, "in_c": 1, "kernel_h": 1, "kernel_w": 1, "out_c": 1}
        w |= {"stride_h": 1, "stride_w": 1, "pad_top": 0, "pad_left": 0, "out_h": 2, "out_w": 300}
    weights = m.weights(w["out_c"], *taps(w), w["in_c"])
    args = _bwd_weight(m, w, weights, w["out_c"] * w["kernel_h"] * w["kernel_w"])
    working = scratch(m, "tt_conv2d_bwd_weight", args[0])
    args[-1] = working if args[3] is not None else np.append(args[-1], working)
    return args


@case
def depthwise_conv2d_bwd_weight(m: Maker) -> Args:
    w = _depthwise_window(m)
    weights = m.weights(*taps(w), w["out_c"])
    args = _bwd_weight(m, w, weights, w["out_c"] // w["in_c"] * w["kernel_h"] * w["kernel_w"])
    if args[3] is not None:
        args[-1] = scratch(m, "tt_depthwise_conv2d_bwd_weight", args[0])
    return args


@case
def bias_bwd(m: Maker) -> Args:
    p = {"pixels": m.int(1, 50), "channels": m.channels()}
    p["bias_limit"] = m.pick(0, 2**30, m.int(0, 2**30))
    n = p["channels"]
    bias = m.array(n, *m.pick((-9999, 9999), (-(2**31), INT32_MAX)), "int32")
    args = [p, m.grad(p["pixels"] * n), m.pick(m.rate(), m.rate(), None), *m.steps(n)]
    return [*args, bias, m.int8(n), m.garbage(4 * n)]


@case
def embedding_bwd_weight(m: Maker) -> Args:
    p, x = _embedding(m)
    if m.int(0, 9) == 9:  # so many positions that sums come near 2^31
        p |= {"rows": 1, "count": 32767, "depth": 1}
        x = np.zeros(p["count"], np.int32)
    dy = m.grad(p["count"] * p["depth"], INT32_MAX // p["count"])
    table, fraction = m.weights(p["rows"], p["depth"]), m.int8(p["rows"], p["depth"])
    rate = m.pick(m.rate(), m.rate(), None)
    d = m.garbage(4 * p["depth"] * (p["rows"] if rate is None else 1))
    return [p, dy, x, rate, *m.steps(1), table, fraction, d]


# ---- momentum, weight decay, batches, precision ----------------------------------------------


def _optimizer(m: Maker, n: int, velocity: str, limit: int) -> tuple[Params, Args]:
    """How to update n parameters, their fraction plane and their velocities."""
    bits = m.pick(8, 4, 0)
    p = {"fraction_bits": bits, "nearest": m.int(0, 1), "limit": limit, "velocity_bits": bits}
    p |= {"layer_mantissa": m.int(2**14, 2**15 - 1), "layer_exponent": m.pick(-14, m.int(-20, 5))}
    fraction = m.garbage((n * bits + 7) // 8) if bits else None
    if m.int(0, 1):
        return p, [fraction, None]
    p["velocity_bits"] = m.pick(8, 11)
    limit = 2**28 if velocity == "int32" else 32767
    return p, [fraction, m.array(n, *m.pick((-limit, limit), (-99, 99)), velocity)]


def _sums(m: Maker, n: int) -> NDArray[np.uint8]:
    """Accumulators of n parameters: none yet, small or at the limit."""
    exponent = m.pick(-1000, -60, -29, -3, 0, 11, 90)
    limit = 0 if exponent == -1000 else m.pick(2**30 - 1, 2**20)
    sums = m.array(n, -limit, limit, "int32")
    return np.concatenate([np.array([exponent], np.int32), sums]).view(np.uint8)


def _train_weight(m: Maker, args: Args, depthwise: bool) -> Args:
    """The arguments of a kernel that updates, from one of the kernel that only adds up."""
    p, dy, x, _, mantissa, exponent, weights, *_ = args
    w, channels = p["window"], p["channels"]
    taps_, per_input = w["kernel_h"] * w["kernel_w"], w["out_c"] // w["in_c"]
    rows = channels * per_input if depthwise else w["out_c"]
    t = {"rows": rows, "groups": taps_, "run": 1 if depthwise else channels}
    t |= {"row_step": 1 if depthwise else taps_ * w["in_c"]}
    t |= {"group_step": w["out_c"] if depthwise else w["in_c"]}
    t["optimizer"], planes = _optimizer(m, rows * taps_ * t["run"], "int16", 127)
    d = scratch(m, f"tt_{'depthwise_' if depthwise else ''}conv2d_bwd_weight", p)
    params = {"gradient": p, "trained": t}
    return [params, dy, x, m.rate(), mantissa, exponent, weights, *planes, d]


def _with_sums(m: Maker, args: Args, n: int) -> Args:
    return [*args[:-1], _sums(m, n), args[-1]]


@case
def conv2d_bwd_weight__optimizer(m: Maker) -> Args:
    return _train_weight(m, conv2d_bwd_weight(m), depthwise=False)


@case
def depthwise_conv2d_bwd_weight__optimizer(m: Maker) -> Args:
    return _train_weight(m, depthwise_conv2d_bwd_weight(m), depthwise=True)


@case
def bias_bwd__optimizer(m: Maker) -> Args:
    p, dy, _, mantissa, exponent, bias, _, d = bias_bwd(m)
    how, planes = _optimizer(m, p["channels"], "int32", p["bias_limit"])
    params = {"gradient": p, "optimizer": how}
    return [params, dy, m.rate(), mantissa, exponent, bias, *planes, d]


@case
def embedding_bwd_weight__optimizer(m: Maker) -> Args:
    p, x = _embedding(m)
    dy, table = m.grad(p["count"] * p["depth"]), m.weights(p["rows"], p["depth"])
    t = {"rows": 1, "groups": p["rows"], "run": p["depth"]}
    t |= {"row_step": table.size, "group_step": p["depth"]}
    t["optimizer"], planes = _optimizer(m, table.size, "int16", 127)
    t["optimizer"] |= {"layer_mantissa": 0, "layer_exponent": 0}
    params, d = {"gradient": p, "trained": t}, m.garbage(4 * p["depth"])
    return [params, dy, x, m.rate(), *m.steps(1), table, *planes, d]


def _trained(args: Args) -> int:
    t = args[0]["trained"]
    return int(t["rows"] * t["groups"] * t["run"])


@case
def conv2d_bwd_weight__batch(m: Maker) -> Args:
    args = conv2d_bwd_weight__optimizer(m)
    return _with_sums(m, args, _trained(args))


@case
def depthwise_conv2d_bwd_weight__batch(m: Maker) -> Args:
    args = depthwise_conv2d_bwd_weight__optimizer(m)
    return _with_sums(m, args, _trained(args))


@case
def bias_bwd__batch(m: Maker) -> Args:
    args = bias_bwd__optimizer(m)
    return _with_sums(m, args, args[0]["gradient"]["channels"])


@case
def embedding_bwd_weight__batch(m: Maker) -> Args:
    args = embedding_bwd_weight__optimizer(m)
    return _with_sums(m, args, _trained(args))


def _count(m: Maker) -> int:
    return int(m.pick(1, 2, 3, 32767, 32768, INT32_MAX, m.int(1, 64), m.int(1, INT32_MAX)))


@case
def weight_apply(m: Maker) -> Args:
    layers = conv2d_bwd_weight__batch, depthwise_conv2d_bwd_weight__batch
    make = m.pick(*layers, embedding_bwd_weight__batch)
    p, _, _, rate, mantissa, exponent, weights, fraction, velocity, sums, _ = make(m)
    factors = mantissa, exponent
    return [p["trained"], sums, _count(m), rate, *factors, weights, fraction, velocity]


@case
def bias_apply(m: Maker) -> Args:
    p, _, rate, mantissa, exponent, bias, fraction, velocity, sums, _ = bias_bwd__batch(m)
    return [p, sums, _count(m), rate, mantissa, exponent, bias, fraction, velocity]


@case
def decay_set(m: Maker) -> Args:
    return rate_set(m)


@case
def momentum_set(m: Maker) -> Args:
    return [m.garbage(28), m.pick(0, 1, 0x3F7FFFFF, 0x3F666666, m.int(0, 0x3F7FFFFF))]


# ---- one step --------------------------------------------------------------------------------


@case
def rate_set(m: Maker) -> Args:
    bits = m.pick(0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x3FFFFFFF, m.int(0, 0x7F7FFFFF))
    return [m.garbage(28), bits]


@case
def rate_begin(m: Maker) -> Args:
    return [m.garbage(28), m.pick(0, 1, 2**32 - 1, m.int(0, 2**32 - 1))]


@case
def loss_bits(m: Maker) -> Args:
    return [m.pick(0, 1, INT32_MAX, 2**30, m.int(0, INT32_MAX))]


# ---- what is asked ---------------------------------------------------------------------------


def _of_params(kernel: Case) -> Case:
    """The case of a function that is asked about a kernel: the parameters of its kernel's case."""

    def make(m: Maker) -> Args:
        return kernel(m)[:1]

    return make


for _name in list(CASES):
    if f"{_name}_lead" in library().declarations.functions:
        CASES[f"{_name}_lead"] = _of_params(CASES[_name])
