"""Small graphs, and float64 autograd of them at the activations of the integer forward pass."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from tinytrain.compilation import Compiled
from tinytrain.ir import Graph, Node, Port, Quantization, Tensor, verify
from tinytrain.ir.loss import Loss
from tinytrain.ir.ops import Conv2D, Hwc, Softmax, Window
from tinytrain.kernels.reference.arithmetic import requantize
from tinytrain.passes.fixed_point import multipliers
from tinytrain.sim.interpreter import Interpreter

Floats = NDArray[np.float64]
Int8 = NDArray[np.int8]


def chain(
    maps: Sequence[Hwc],
    *,
    kernel: int = 1,
    relu: bool = True,
    softmax: bool = False,
    bias: bool = True,
    seed: int = 0,
) -> Graph:
    """Convolutions (SAME) from map to map, a RELU after each but the last; zero points not 0."""
    rng = np.random.default_rng(seed)
    tensors = {"x": _activation("x", maps[0], 0.05, -11)}
    nodes: list[Node] = []
    for i, (a, b) in enumerate(itertools.pairwise(maps)):
        size = kernel if (a.h, a.w) == (b.h, b.w) and a.h > 1 else a.h
        window = Window(a, b, (size, size), pad=(size // 2 if a.h == b.h else 0,) * 2)
        fan_in, source = size * size * a.c, tensors[nodes[-1].output if nodes else "x"]
        scales = tuple(rng.uniform(0.5, 1.0, b.c) * 2.0 / 127 / np.sqrt(fan_in))
        w = rng.integers(-127, 128, (b.c, size, size, a.c)).astype(np.int8)
        last = i == len(maps) - 2
        zero = 9 if last else -100
        x_scale = source.quant.per_tensor
        tensors[f"w{i}"] = Tensor(f"w{i}", w.shape, "int8", Quantization(scales, 0, 0), w)
        quant = Quantization(tuple(x_scale * s for s in scales), 0, 0)
        b_data = rng.integers(-900, 900, b.c).astype(np.int32)
        tensors[f"b{i}"] = Tensor(f"b{i}", (b.c,), "int32", quant, b_data)
        tensors[f"y{i}"] = _activation(f"y{i}", b, 0.03, zero)
        attrs = Conv2D(window, low=-128 if last or not relu else zero)
        inputs = (source.name, f"w{i}", f"b{i}")[: 3 if bias else 2]
        nodes.append(Node("conv2d", f"layer{i}", inputs, f"y{i}", attrs, f"op {i}", i))
    out = nodes[-1].output
    if softmax:
        quant = Quantization((1 / 256,), -128)
        tensors["p"] = Tensor("p", tensors[out].shape, "int8", quant)
        n = tensors[out].size
        nodes.append(Node("softmax", "softmax", (out,), "p", Softmax(1, n), "op 99", 99))
        out = "p"
    ports = Port("x", tensors["x"].shape), Port(out, tensors[out].shape)
    return verify(Graph("chain", tensors, tuple(nodes), *ports))


def _activation(name: str, m: Hwc, scale: float, zero: int) -> Tensor:
    shape = (1, m.h, m.w, m.c) if m.h * m.w > 1 else (1, m.c)
    return Tensor(name, shape, "int8", Quantization((scale,), zero))


def dense(*sizes: int, **how: Any) -> Graph:
    """Fully connected layers."""
    return chain([Hwc(1, 1, n) for n in sizes], **how)


def with_parameters(graph: Graph, values: Mapping[str, NDArray[Any]]) -> Mapping[str, Any]:
    """Integer weights and biases by "layer/kind": those trained, else the graph's own."""
    found = {}
    for node in graph.nodes:
        for kind, name in (("weight", node.weight), ("bias", node.bias)):
            if name is not None:
                found[f"{node.name}/{kind}"] = values.get(
                    f"{node.name}/{kind}", graph.tensors[name].data
                )
    return found


def oracle(
    compiled: Compiled, x: Int8, y: Any, values: Mapping[str, NDArray[Any]] | None = None
) -> tuple[float, dict[str, Floats]]:
    """Loss and gradients in float64. y: as Trainer.step takes it."""
    graph = compiled.graph
    integers = with_parameters(graph, values or {})
    activations: dict[str, Int8] = {}
    machine = Interpreter(compiled.program, compiled.arena)
    for f in compiled.program.state:
        if not f.kind.endswith("fraction") and values:
            raw = np.ascontiguousarray(values[f"{f.layer}/{f.kind}"]).view(np.uint8).reshape(-1)
            machine.memory[_state(machine)][f.offset : f.offset + raw.size] = raw
    machine.predict(x, lambda call, b: activations.update({call.args["y"].name: b["y"].copy()}))
    source = graph.tensors["x"]
    value = torch.tensor(_real(source, x.reshape(-1)))
    leaves: dict[str, torch.Tensor] = {}
    layers = [n for n in graph.nodes if n.weight]
    for node in layers:
        w = node.attrs.window
        scales = graph.tensors[node.weight].quant.channels(w.output.c)
        weight = torch.tensor(integers[f"{node.name}/weight"] * scales.reshape(-1, 1, 1, 1))
        leaves[f"{node.name}/weight"] = weight.requires_grad_(True)
        image = value.reshape(w.input.h, w.input.w, w.input.c).permute(2, 0, 1)[None]
        result = F.conv2d(image, weight.permute(0, 3, 1, 2), padding=w.pad)[0].permute(1, 2, 0)
        if node.bias:
            bias = torch.tensor(integers[f"{node.name}/bias"] * scales * source.quant.per_tensor)
            leaves[f"{node.name}/bias"] = bias.requires_grad_(True)
            result = result + bias
        result, target = result.reshape(-1), graph.tensors[node.output]
        if node is layers[-1] and node.attrs.low == -128:
            value = result
            break
        exact = torch.tensor(_real(target, activations[node.output].view(np.int8)))
        passes = _unclamped(node, result.detach().numpy(), source, scales, target)
        value = exact + torch.where(torch.tensor(passes), result - result.detach(), 0.0)
        source = target
    loss = _loss(compiled, value, x, y)
    loss.backward()
    gradients = {k: v.grad.numpy() for k, v in leaves.items()}
    return float(loss.detach()), gradients


def _unclamped(
    node: Node, real: Floats, source: Tensor, scales: Floats, target: Tensor
) -> NDArray[np.bool_]:
    """Where TFLM's rounding of the exact sums stays between the node's bounds."""
    units = np.tile(scales * source.quant.per_tensor, real.size // scales.size)
    multiplier, shift = multipliers(units / target.quant.per_tensor)
    v = requantize(np.rint(real / units), multiplier, shift) + target.quant.zero_point
    return (v >= node.attrs.low) & (v <= node.attrs.high)


def _state(machine: Interpreter) -> Any:
    return next(region for region in machine.memory if region.value == "state")


def _real(tensor: Tensor, q: NDArray[Any]) -> Floats:
    return (q.astype(np.float64) - tensor.quant.zero_point) * tensor.quant.per_tensor


def _loss(compiled: Compiled, value: torch.Tensor, x: Int8, y: Any) -> torch.Tensor:
    graph = compiled.graph
    if compiled.program.loss is Loss.SOFTMAX:
        return F.cross_entropy(value[None], torch.tensor([y]))
    if compiled.program.loss is Loss.SIGMOID:
        wanted = torch.tensor(np.asarray(y, np.float64).reshape(-1))
        return F.binary_cross_entropy_with_logits(value, wanted)
    tensor = graph.tensors[graph.output.tensor if y is not None else "x"]
    return F.mse_loss(value, torch.tensor(_real(tensor, (x if y is None else y).reshape(-1))))
