"""A check that shares nothing with the graph: a float32 model of torch's, quantized here by hand.

Its gradients come from torch.nn without any quantization; ours, of the int8 model, must point the
same way. Quantization itself moves them, so the bound is 0.97 and not 0.99.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from support.nets import Act, Model, Net
from support.training import initial_state
from tinytrain.sim.goal import Goal
from tinytrain.sim.gradients import gradients

torch.set_num_threads(1)


class Small(nn.Module):
    """A residual block of depthwise and pointwise convolution between pools."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(2, 6, 3, padding=1)
        self.depth = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.point = nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(6 * 4, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = {"first": torch.relu(self.first(x))}
        y["pool"] = torch.max_pool2d(y["first"], 2)
        y["depth"] = torch.relu(self.depth(y["pool"]))
        y["point"] = self.point(y["depth"])
        y["sum"] = torch.relu(y["pool"] + y["point"])
        y["average"] = nn.functional.avg_pool2d(y["sum"], 2, stride=1)
        y["head"] = self.head(torch.flatten(y["average"].permute(0, 2, 3, 1), 1))
        return y


def quantize_model(model: Small, data: torch.Tensor) -> Model:
    """Per-channel weights, ranges of activations from data."""
    net = Net()
    with torch.no_grad():
        ranges = {k: (float(v.min()), float(v.max())) for k, v in model(data).items()}

    def quantization(name: str) -> tuple[float, int]:
        low, high = min(0.0, ranges[name][0]), ranges[name][1]
        scale = (high - low) / 255
        return scale, round(-128 - low / scale)

    def layer(code: str, x: Act, name: str, shape: tuple[int, ...], **options: object) -> Act:
        module = getattr(model, name)
        w = module.weight.detach().numpy()
        axis = 0
        if w.ndim == 4:
            w = w.transpose(0, 2, 3, 1)
        if code == "DEPTHWISE_CONV_2D":
            w, axis = w.transpose(3, 1, 2, 0), 3
        scales = np.abs(w).max(axis=tuple(i for i in range(w.ndim) if i != axis)) / 127
        along = [1] * w.ndim
        along[axis] = -1
        integers = np.round(w / scales.reshape(along))
        bias = np.round(module.bias.detach().numpy() / (scales * x.scale))
        inputs = [
            x.index,
            net.const(integers, "int8", scale=scales, axis=axis),
            net.const(bias, "int32", scale=scales * x.scale),
        ]
        y = net.act(shape, *quantization(name))
        net.writer.op(code, inputs, [y.index], **options)
        return y

    same = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    relu = {"fused_activation_function": "RELU"}
    x = net.act((1, 6, 6, 2), 2 / 255, 0)
    first = layer("CONV_2D", x, "first", (1, 6, 6, 6), **same, **relu)
    pool = net.max_pool(first)
    depth = layer("DEPTHWISE_CONV_2D", pool, "depth", (1, 3, 3, 6), **same, **relu)
    point = layer("CONV_2D", depth, "point", (1, 3, 3, 6), **same)
    scale, zero = quantization("sum")
    total = net.add(pool, point, "RELU", scale, zero)
    average = net.average_pool(total, (2, 2), (1, 1), "VALID")
    flat = net.flatten(average)
    return net.model(x, layer("FULLY_CONNECTED", flat, "head", (1, 4)))


def as_ours(name: str, grad: NDArray[np.float32]) -> NDArray[np.float32]:
    """torch's weight [O,I,KH,KW] as the graph stores it."""
    if grad.ndim != 4:
        return grad
    return grad.transpose(1, 2, 3, 0) if name == "depth" else grad.transpose(0, 2, 3, 1)


def test_gradients_point_the_same_way() -> None:
    model = Small()
    generator = torch.Generator().manual_seed(1)
    data = torch.rand(64, 2, 6, 6, generator=generator) * 2 - 1
    quantized = quantize_model(model, data)
    compiled = quantized.compiled("all")
    state = initial_state(compiled)
    layers = dict(zip(("first", "depth", "point", "head"), compiled.scheme, strict=True))
    for sample, image in enumerate(data[:6]):
        q = torch.clamp(torch.round(image * 127.5), -128, 127)
        image = q.permute(1, 2, 0).numpy().astype(np.int8)
        ours = gradients(compiled, state, image, Goal(sample % 4))
        model.zero_grad()
        logits = model(q[None] / 127.5)["head"]
        nn.functional.cross_entropy(logits, torch.tensor([sample % 4])).backward()
        for name, layer in layers.items():
            module = getattr(model, name)
            for kind, grad in (("weight", module.weight.grad), ("bias", module.bias.grad)):
                a = as_ours(name, grad.numpy()).reshape(-1)
                b = ours[f"{layer}/{kind}"].reshape(-1)
                cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
                assert cosine > 0.97, (sample, name, kind, cosine)
                assert 0.9 < np.linalg.norm(b) / np.linalg.norm(a) < 1.1
