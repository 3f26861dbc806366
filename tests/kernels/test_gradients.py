"""Every gradient kernel against torch's float64 autograd of the dequantized op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.kernels.library import (
    grad_buffer,
    grad_bytes,
    grad_exponent,
    grad_mantissa,
    library,
    rate_buffer,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional

Floats = NDArray[np.float64]
LIMIT = 32767
DY_EXPONENT, X_SCALE, X_ZERO, LR = -21, 0.037, -128, 0.125


@dataclass(frozen=True)
class Geometry:
    """in_h, in_w, kernel, stride; SAME or VALID as TFLite pads: the odd row comes last."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    same: bool

    def axis(self, i: int) -> tuple[int, int, int]:
        """Output size, padding before, padding after."""
        size, kernel, stride = self.size[i], self.kernel[i], self.stride[i]
        if not self.same:
            return (size - kernel) // stride + 1, 0, 0
        out = -(-size // stride)
        total = max(0, (out - 1) * stride + kernel - size)
        return out, total // 2, total - total // 2

    def window(self, in_c: int, out_c: int) -> dict[str, int]:
        w = {"in_c": in_c, "out_c": out_c}
        for i, (axis, before) in enumerate((("h", "top"), ("w", "left"))):
            w |= {f"in_{axis}": self.size[i], f"kernel_{axis}": self.kernel[i]}
            w |= {f"stride_{axis}": self.stride[i]}
            w[f"out_{axis}"], w[f"pad_{before}"] = self.axis(i)[:2]
        return w

    def pad(self, x: Any, value: float = 0.0) -> Any:
        """x [1,c,h,w] with its border."""
        borders = (*self.axis(1)[1:], *self.axis(0)[1:])
        return functional.pad(x, borders, value=value)


GEOMETRIES = [
    Geometry((7, 5), (3, 3), (1, 1), same=True),
    Geometry((7, 6), (3, 3), (2, 2), same=True),
    Geometry((8, 7), (3, 2), (2, 1), same=False),
    Geometry((9, 8), (2, 4), (3, 3), same=True),
    Geometry((5, 5), (1, 1), (1, 1), same=False),
    Geometry((1, 1), (1, 1), (1, 1), same=False),
    Geometry((4, 6), (4, 6), (1, 1), same=False),
]
geometries = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2024)


def assert_same_direction(ours: Floats, exact: Floats) -> None:
    ours, exact = ours.reshape(-1), exact.reshape(-1)
    cosine = ours @ exact / np.linalg.norm(ours) / np.linalg.norm(exact)
    assert cosine >= 0.9999
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(exact), rel=2e-3)


def nchw(values: NDArray[Any]) -> Any:
    """[h,w,c] -> torch [1,c,h,w] that wants a gradient."""
    tensor = torch.tensor(np.moveaxis(values, -1, 0)[None].astype(np.float64))
    return tensor.requires_grad_()


def hwc(tensor: Any) -> Floats:
    return np.moveaxis(tensor.detach().numpy()[0], 0, -1)


def random_grad(rng: np.random.Generator, n: int) -> tuple[NDArray[np.uint8], Floats]:
    """A gradient in memory, and what it means."""
    mantissa = np.clip(rng.normal(0, LIMIT / 4, n), -LIMIT, LIMIT).astype(np.int16)
    return grad_buffer(mantissa, DY_EXPONENT), mantissa * 2.0**DY_EXPONENT


def read(grad: NDArray[np.uint8], shape: tuple[int, ...]) -> Floats:
    return np.ldexp(grad_mantissa(grad).astype(float), grad_exponent(grad)).reshape(shape)


def run_bwd(kernel: str, params: dict[str, Any], size: int, *inputs: Any) -> NDArray[np.uint8]:
    """Run a kernel that writes one gradient of `size` elements."""
    dx = np.zeros(grad_bytes(size), np.uint8)
    need = library().scratch_bytes(kernel, params)
    scratch = [np.zeros(need, np.uint8)] if need else []
    library().call(kernel, params, *inputs, dx, *scratch)
    return dx


class LayerCase:
    """A random layer, its integer tensors and its float64 twin."""

    def __init__(self, rng: np.random.Generator, geometry: Geometry, multiplier: int) -> None:
        """multiplier: output channels per input channel of a depthwise layer, 0 for a full one."""
        self.geometry, self.depthwise = geometry, multiplier > 0
        self.in_c, self.out_c = 3, 3 * multiplier or 5
        self.window = geometry.window(self.in_c, self.out_c)
        kernel = geometry.kernel
        shape = (*kernel, self.out_c) if self.depthwise else (self.out_c, *kernel, self.in_c)
        self.w = rng.integers(-127, 128, shape, np.int8)
        self.w_scale = rng.uniform(0.002, 0.02, self.out_c)
        self.x = rng.integers(-128, 128, (*geometry.size, self.in_c), np.int8)
        out = (self.window["out_h"], self.window["out_w"], self.out_c)
        self.dy, real = random_grad(rng, int(np.prod(out)))
        self.real_dy = nchw(real.reshape(out)).detach()
        self.forward()

    def forward(self) -> None:
        if self.depthwise:
            weight = np.moveaxis(self.w * self.w_scale, -1, 0)[:, None]
        else:
            weight = np.moveaxis(self.w * self.w_scale[:, None, None, None], -1, 1)
        self.real_w = torch.tensor(np.ascontiguousarray(weight)).requires_grad_()
        self.real_x = nchw((self.x.astype(float) - X_ZERO) * X_SCALE)
        y = functional.conv2d(
            self.geometry.pad(self.real_x),
            self.real_w,
            stride=self.geometry.stride,
            groups=self.in_c if self.depthwise else 1,
        )
        (y * self.real_dy).sum().backward()

    def weight_gradient(self) -> Floats:
        """Of the real weights, in the layout of w."""
        d = self.real_w.grad.numpy()
        return np.moveaxis(d[:, 0], 0, -1) if self.depthwise else np.moveaxis(d, 1, -1)

    @property
    def name(self) -> str:
        return "depthwise_conv2d" if self.depthwise else "conv2d"


@geometries
@pytest.mark.parametrize("multiplier", [0, 1, 2])
def test_layer_input(rng: np.random.Generator, geometry: Geometry, multiplier: int) -> None:
    layer = LayerCase(rng, geometry, multiplier)
    exponent = int(np.frexp(layer.w_scale.max())[1])
    scale = np.round(np.ldexp(layer.w_scale, 15 - exponent)).astype(np.uint16)
    p = {"window": layer.window, "limit": LIMIT, "exponent": exponent, "headroom": 0}
    kernel = f"tt_{layer.name}_bwd_input"
    dx = run_bwd(kernel, p, layer.x.size, layer.dy, layer.w, scale)
    assert_same_direction(read(dx, layer.x.shape), hwc(layer.real_x.grad))


@geometries
@pytest.mark.parametrize("row_shift", [0, 7])
@pytest.mark.parametrize("multiplier", [0, 1, 2])
def test_layer_weight(
    rng: np.random.Generator, geometry: Geometry, multiplier: int, row_shift: int
) -> None:
    layer = LayerCase(rng, geometry, multiplier)
    d = np.zeros(layer.w.size, np.int32)
    p = {"window": layer.window, "in_zero": X_ZERO, "channels": layer.in_c, "row_shift": row_shift}
    kernel = f"tt_{layer.name}_bwd_weight"
    library().call(kernel, p, layer.dy, layer.x, None, None, None, layer.w, None, d)
    exact = layer.weight_gradient()
    order = exact if not layer.depthwise else np.moveaxis(exact, -1, 0)
    assert_same_direction(d * 2.0 ** (DY_EXPONENT + row_shift) * X_SCALE, order)


@geometries
@pytest.mark.parametrize("multiplier", [0, 1, 2])
@pytest.mark.parametrize("channels", [3, 2])
def test_layer_update(
    rng: np.random.Generator, geometry: Geometry, multiplier: int, channels: int
) -> None:
    """What a step subtracts is lr * dL/dW in units of the weight; untrained channels stay."""
    layer = LayerCase(rng, geometry, multiplier)
    before = layer.w.copy()
    fraction_of_2, exponent = np.frexp(X_SCALE / layer.w_scale)
    steps = np.floor(fraction_of_2 * 2**15).astype(np.uint16), (exponent - 15).astype(np.int8)
    trained = np.s_[..., : channels * max(1, multiplier)]
    fraction = np.zeros(before[trained].shape, np.int8)
    p = {"window": layer.window, "in_zero": X_ZERO, "channels": channels, "row_shift": 0}
    d = np.zeros(p_scratch(layer, p), np.uint8)
    kernel = f"tt_{layer.name}_bwd_weight"
    # small enough that no weight reaches an end
    before[...] = layer.w = np.clip(layer.w, -60, 60)
    rate = rate_buffer(LR, 3)
    library().call(kernel, p, layer.dy, layer.x, rate, *steps, layer.w, fraction, d)
    per_output = layer.w_scale if layer.depthwise else layer.w_scale[:, None, None, None]
    ideal = (LR * layer.weight_gradient() / per_output)[trained]
    moved = before[trained] - (layer.w[trained] + fraction / 256)
    inside = np.abs(ideal) < 60
    assert inside.any()
    assert (np.abs(moved - ideal)[inside] <= 1 / 256 + 2e-4 * np.abs(ideal)[inside]).all()
    untrained = np.s_[..., channels * max(1, multiplier) :]
    np.testing.assert_array_equal(layer.w[untrained], before[untrained])


def p_scratch(layer: LayerCase, p: dict[str, Any]) -> int:
    return library().scratch_bytes(f"tt_{layer.name}_bwd_weight", p)


@geometries
def test_bias(rng: np.random.Generator, geometry: Geometry) -> None:
    layer = LayerCase(rng, geometry, 0)
    pixels = layer.window["out_h"] * layer.window["out_w"]
    d = np.zeros(layer.out_c, np.int32)
    p = {"pixels": pixels, "channels": layer.out_c, "bias_limit": 2**30}
    library().call("tt_bias_bwd", p, layer.dy, None, None, None, None, None, d)
    exact = layer.real_dy.numpy().sum(axis=(0, 2, 3))
    assert d * 2.0**DY_EXPONENT == pytest.approx(exact, rel=1e-12)


def test_embedding(rng: np.random.Generator) -> None:
    """Rows that several positions share get the sum; rows that none has get 0."""
    rows, count, depth = 6, 9, 5
    x = np.array([3, 0, 3, 3, 1, 5, 0, 3, 1], np.int32)
    dy, real = random_grad(rng, count * depth)
    table = torch.zeros((rows, depth), dtype=torch.float64, requires_grad=True)
    chosen = functional.embedding(torch.tensor(x.astype(np.int64)), table)
    (chosen * torch.tensor(real.reshape(count, depth))).sum().backward()
    d, none = np.full((rows, depth), 7, np.int32), np.zeros(0, np.int8)
    p = {"rows": rows, "count": count, "depth": depth}
    library().call("tt_embedding_bwd_weight", p, dy, x, None, None, None, none, None, d)
    assert d * 2.0**DY_EXPONENT == pytest.approx(table.grad.numpy(), rel=1e-12)
    before = rng.integers(-60, 60, (rows, depth), np.int8)
    w, fraction = before.copy(), np.zeros((rows, depth), np.int8)
    steps = np.array([2**14], np.uint16), np.array([-2], np.int8)
    sums = np.zeros(depth, np.int32)
    library().call("tt_embedding_bwd_weight", p, dy, x, rate_buffer(LR), *steps, w, fraction, sums)
    moved = before - (w + fraction / 256)
    ideal = LR * 2**12 * table.grad.numpy()
    assert (np.abs(moved - ideal) <= 1 / 256 + 2e-4 * np.abs(ideal)).all()
    assert not moved[[2, 4]].any() and np.abs(ideal).max() > 1


def average(geometry: Geometry, x: Any) -> Any:
    """Mean over the part of each window inside the map."""

    def total(values: Any) -> Any:
        return functional.avg_pool2d(
            geometry.pad(values), geometry.kernel, geometry.stride, divisor_override=1
        )

    return total(x) / total(torch.ones_like(x))


def largest(geometry: Geometry, x: Any) -> Any:
    return functional.max_pool2d(geometry.pad(x, -np.inf), geometry.kernel, geometry.stride)


@geometries
@pytest.mark.parametrize("pool", [average, largest], ids=["average", "max"])
def test_pools(
    rng: np.random.Generator, geometry: Geometry, pool: Callable[[Geometry, Any], Any]
) -> None:
    c, h, w = 4, *geometry.size
    window = geometry.window(c, c)
    x = rng.integers(-128, 128, (h, w, c), np.int8)
    out = (window["out_h"], window["out_w"], c)
    limit = LIMIT if pool is largest else LIMIT >> 3
    mantissa = rng.integers(-limit, limit, out)
    real = nchw(x)
    (pool(geometry, real) * nchw(mantissa.astype(float)).detach()).sum().backward()
    p = {"window": window, "limit": LIMIT, "reciprocal_bits": 0 if pool is largest else 16}
    dy = grad_buffer(mantissa)
    if pool is largest:
        dx = run_bwd("tt_max_pool2d_bwd", p, x.size, dy, x)
    else:
        dx = run_bwd("tt_average_pool2d_bwd", p, x.size, dy)
    assert_same_direction(read(dx, x.shape), hwc(real.grad))


@pytest.mark.parametrize("count", [1, 3, 49])
def test_mean(rng: np.random.Generator, count: int) -> None:
    dy, real = random_grad(rng, 2 * 3)
    bits = 15 + count.bit_length() - 1
    p = {"outer": 2, "count": count, "inner": 3, "limit": LIMIT, "reciprocal_bits": bits}
    p["reciprocal"] = (2**bits + count // 2) // count
    dx = read(run_bwd("tt_mean_bwd", p, 6 * count, dy), (2, count, 3))
    x = torch.zeros((2, count, 3), dtype=torch.float64, requires_grad=True)
    (x.mean(dim=1) * torch.tensor(real.reshape(2, 3))).sum().backward()
    assert_same_direction(dx, x.grad.numpy())


def test_pad(rng: np.random.Generator) -> None:
    pad = {"in_h": 4, "in_w": 3, "channels": 2, "pad_top": 1, "pad_left": 2, "value": -128}
    pad |= {"out_h": 7, "out_w": 6}
    dy, real = random_grad(rng, 7 * 6 * 2)
    dx = run_bwd("tt_pad_bwd", {"pad": pad, "limit": LIMIT}, 24, dy)
    assert_same_direction(read(dx, (4, 3, 2)), real.reshape(7, 6, 2)[1:5, 2:5])


def test_clip_and_sum(rng: np.random.Generator) -> None:
    """A value that is used twice and clamped: its gradients added, masked."""
    (a, real_a), (b, real_b) = random_grad(rng, 50), random_grad(rng, 50)
    b[:4].view(np.int32)[0] -= 3
    p = {"size": 50, "limit": LIMIT}
    both = run_bwd("tt_grad_add", p, 50, a, b)
    clip = rng.integers(0, 256, 7, np.uint8)
    kept = np.unpackbits(clip, bitorder="little")[:50]
    dx = run_bwd("tt_clip_bwd", p, 50, both, clip)
    assert_same_direction(read(dx, (50,)), (real_a + real_b / 8) * kept)


def test_zero_gradients_stay_zero() -> None:
    zero = grad_buffer(np.zeros(8), -1000)
    other = grad_buffer(np.arange(8), -40)
    p = {"size": 8, "limit": LIMIT}
    both = run_bwd("tt_grad_add", p, 8, zero, other)
    assert read(both, (8,)).tolist() == (np.arange(8) * 2.0**-40).tolist()
    nothing = run_bwd("tt_grad_add", p, 8, zero, zero)
    assert grad_exponent(nothing) == -1000 and not grad_mantissa(nothing).any()
