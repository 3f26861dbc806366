"""Small CNNs in floating point: separable convolutions, one residual sum, a pool, a linear head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution. `groups` is 1, or the number of channels for a depthwise one."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    groups: int
    relu6: bool = True


@dataclass(frozen=True, slots=True)
class Network:
    """Convolutions one after the other, an average over windows of `pool`, a linear head.

    size: of the input map, height and width; one channel. residual: (after, other): what layer
    `after` gives is added to what layer `other` gave.
    """

    layers: tuple[Layer, ...]
    size: tuple[int, int]
    pool: tuple[int, int]
    classes: int
    residual: tuple[str, str] = ("", "")

    @property
    def pooled(self) -> tuple[int, int, int]:
        """Height, width and channels of the last map."""
        h, w = self.size
        for layer in self.layers:
            h, w = -(-h // layer.stride), -(-w // layer.stride)
        return h // self.pool[0], w // self.pool[1], self.layers[-1].outputs

    @property
    def features(self) -> int:
        """How many numbers the head reads."""
        return int(np.prod(self.pooled))


# The residual block is `res_dw`, `res_pw` and the sum with what `down1_pw` gave. The last layer has
# no ReLU6: features on both sides of zero let a new head learn in far fewer steps. One average per
# quarter of the last 4x4 map: a single one would not tell a digit's upper left from its lower
# right; clothes can do without, digits cannot.
FASHION = Network(
    layers=(
        Layer("stem", 1, 8, 3, 2, 1),
        Layer("block_dw", 8, 8, 3, 1, 8),
        Layer("block_pw", 8, 16, 1, 1, 1),
        Layer("down1_dw", 16, 16, 3, 2, 16),
        Layer("down1_pw", 16, 24, 1, 1, 1),
        Layer("res_dw", 24, 24, 3, 1, 24),
        Layer("res_pw", 24, 24, 1, 1, 1, relu6=False),
        Layer("down2_dw", 24, 24, 3, 2, 24),
        Layer("down2_pw", 24, 48, 1, 1, 1, relu6=False),
    ),
    size=(28, 28),
    pool=(2, 2),
    classes=10,
    residual=("res_pw", "down1_pw"),
)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """What TFLite's SAME adds before and after; PyTorch would add the same on both sides."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class ConvUnit(nn.Module):
    """Convolution with SAME padding, batch normalization, and ReLU6 if the layer has it."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.conv = nn.Conv2d(
            layer.inputs,
            layer.outputs,
            layer.kernel,
            layer.stride,
            groups=layer.groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(layer.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride], rounded up."""
        kernel, stride = self.layer.kernel, self.layer.stride
        rows = same_padding(x.shape[2], kernel, stride)
        columns = same_padding(x.shape[3], kernel, stride)
        y = self.norm(self.conv(functional.pad(x, (*columns, *rows))))
        return functional.relu6(y) if self.layer.relu6 else y

    def folded(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights [out, in / groups, h, w] and biases [out] with the normalization merged in."""
        norm = self.norm
        assert norm.running_var is not None and norm.running_mean is not None
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = self.conv.weight * factor[:, None, None, None]
        bias = norm.bias - norm.running_mean * factor
        return weight.detach().double().numpy(), bias.detach().double().numpy()


class FloatNet(nn.Module):
    """A Network in floating point. Input [n, 1, h, w]; output logits [n, classes]."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.units = nn.ModuleDict({layer.name: ConvUnit(layer) for layer in network.layers})
        self.head = nn.Linear(network.features, network.classes)

    def activations(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Every tensor that the quantized network has, by name, in order."""
        after, other = self.network.residual
        seen: dict[str, Tensor] = {}
        for name, unit in self.units.items():
            x = seen[name] = unit(x)
            yield name, x
            if name == after:
                x = x + seen[other]
                yield "sum", x
        x = functional.avg_pool2d(x, self.network.pool)
        yield "pool", x
        # Channels last, as RESHAPE finds them.
        yield "head", self.head(x.permute(0, 2, 3, 1).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """The logits alone."""
        *_, (_, logits) = self.activations(x)
        return logits

    def calibrate(self, x: Tensor) -> dict[str, tuple[float, float]]:
        """The range of each activation over `x`, always containing 0."""
        with torch.no_grad():
            return {
                name: (min(float(value.min()), 0.0), max(float(value.max()), 0.0))
                for name, value in self.activations(x)
            }

    def accuracy(self, x: Tensor, y: Tensor) -> float:
        """The share of examples that the network gets right."""
        with torch.no_grad():
            guesses = torch.cat([self(part).argmax(1) for part in torch.split(x, 500)])
        return float((guesses == y).double().mean())


def mirror_and_shift(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrors the whole batch or not, and shifts it by up to two pixels."""
    flip, down, right = torch.randint(0, 10, (3,), generator=generator).tolist()
    if flip < 5:
        x = x.flip(3)
    return torch.roll(x, (down % 5 - 2, right % 5 - 2), (2, 3))


def train(
    network: Network,
    x: Tensor,
    y: Tensor,
    epochs: int,
    *,
    seed: int = 1,
    augment: Augment = mirror_and_shift,
    batch: int = 128,
) -> FloatNet:
    """A trained network; the result depends on the arguments alone."""
    # How sums are rounded depends on the number of threads, which must not follow from the machine;
    # one is also the fastest for layers as small as these when others use the processor.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(seed)
    net = FloatNet(network)
    steps = epochs * (len(x) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    with Progress() as progress:
        bar = progress.add_task("training", total=steps)
        for _ in range(epochs):
            order = torch.randperm(len(x), generator=generator)
            for first in range(0, len(x) - batch + 1, batch):
                chosen = order[first : first + batch]
                logits = net(augment(x[chosen], generator))
                loss = functional.cross_entropy(logits, y[chosen], label_smoothing=0.05)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                progress.update(bar, advance=1, description=f"training, loss {loss.item():.3f}")
    return net.eval()
