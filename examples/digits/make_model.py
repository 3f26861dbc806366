"""Makes `fashion.tflite`, the demo's network: trained on Fashion-MNIST, then quantized to int8.

    python examples/digits/make_model.py [-o FILE] [--epochs N] [--data DIRECTORY]

Needs torch, tflite-micro and Debian's package dataset-fashion-mnist. About 142,000 multiplications
per image; the residual block in the middle adds two maps of different scales.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from data import INPUT_SCALE, INPUT_ZERO_POINT, quantize_pixels
from numpy.typing import NDArray
from rich.progress import Progress
from tflite_micro import runtime
from torch import Tensor, nn
from torch.nn import functional

from tinytrain.exporters.tflite import TfliteWriter

SEED = 1
PACKAGE = "dataset-fashion-mnist"
HERE = Path(__file__).parent


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


# The residual block is `res_dw`, `res_pw` and the sum with what `down1_pw` gave. The last layer has
# no ReLU6: features on both sides of zero let a new head learn in far fewer steps.
LAYERS = (
    Layer("stem", 1, 8, 3, 2, 1),
    Layer("block_dw", 8, 8, 3, 1, 8),
    Layer("block_pw", 8, 16, 1, 1, 1),
    Layer("down1_dw", 16, 16, 3, 2, 16),
    Layer("down1_pw", 16, 24, 1, 1, 1),
    Layer("res_dw", 24, 24, 3, 1, 24),
    Layer("res_pw", 24, 24, 1, 1, 1, relu6=False),
    Layer("down2_dw", 24, 24, 3, 2, 24),
    Layer("down2_pw", 24, 48, 1, 1, 1, relu6=False),
)
SUM_AFTER, SUM_WITH = "res_pw", "down1_pw"
# One average per quarter of the last 4x4 map. A single one would not tell a digit's upper left from
# its lower right; clothes can do without, digits cannot.
POOL, FEATURES, CLASSES = 2, 2 * 2 * 48, 10


@dataclass(frozen=True, slots=True)
class Activation:
    """An int8 tensor's index in the file, and real = scale * (stored - zero_point)."""

    index: int
    scale: float
    zero_point: int


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
        low, high = same_padding(x.shape[2], self.layer.kernel, self.layer.stride)
        y = self.norm(self.conv(functional.pad(x, (low, high, low, high))))
        return functional.relu6(y) if self.layer.relu6 else y

    def folded(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights [out, in / groups, h, w] and biases [out] with the normalization merged in."""
        norm = self.norm
        assert norm.running_var is not None and norm.running_mean is not None
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = self.conv.weight * factor[:, None, None, None]
        bias = norm.bias - norm.running_mean * factor
        return weight.detach().double().numpy(), bias.detach().double().numpy()


class FashionNet(nn.Module):
    """The network in floating point. Input [n, 1, 28, 28], 0.0 to 1.0; output logits [n, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.ModuleDict({layer.name: ConvUnit(layer) for layer in LAYERS})
        self.head = nn.Linear(FEATURES, CLASSES)

    def activations(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Every tensor that the quantized network has, by name, in order."""
        seen: dict[str, Tensor] = {}
        for name, unit in self.units.items():
            x = seen[name] = unit(x)
            yield name, x
            if name == SUM_AFTER:
                x = x + seen[SUM_WITH]
                yield "sum", x
        x = functional.avg_pool2d(x, POOL)
        yield "pool", x
        # Channels last, as RESHAPE finds them.
        yield "head", self.head(x.permute(0, 2, 3, 1).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """The logits alone."""
        *_, (_, logits) = self.activations(x)
        return logits


def find_data() -> Path:
    """The folder of the Debian package's files."""
    listing = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        if line.endswith("train-images-idx3-ubyte.gz"):
            return Path(line).parent
    raise SystemExit(f"Fashion-MNIST not found: apt-get install {PACKAGE}, or give --data")


def read_split(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels [n, 28, 28] and labels [n] from the IDX files of `split`, "train" or "t10k"."""
    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    return pixels, np.frombuffer(labels, np.uint8, offset=8)


def as_input(pixels: NDArray[np.uint8]) -> Tensor:
    """Pixels [n, 28, 28] as the float network's input [n, 1, 28, 28]."""
    return torch.from_numpy(pixels.copy())[:, None].float() * INPUT_SCALE


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrors the whole batch or not, and shifts it by up to two pixels."""
    flip, down, right = torch.randint(0, 10, (3,), generator=generator).tolist()
    if flip < 5:
        x = x.flip(3)
    return torch.roll(x, (down % 5 - 2, right % 5 - 2), (2, 3))


def train(x: Tensor, y: Tensor, epochs: int, batch: int = 128) -> FashionNet:
    """A trained network; the result depends on SEED, the data and `epochs`.

    More epochs than the default make a better judge of clothes but a slower learner of digits.
    """
    # How sums are rounded depends on the number of threads, which must not follow from the machine;
    # one is also the fastest for layers as small as these when others use the processor.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(SEED)
    net = FashionNet()
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


def calibrate(net: FashionNet, x: Tensor) -> dict[str, tuple[float, float]]:
    """The range of each activation over `x`, always containing 0."""
    with torch.no_grad():
        return {
            name: (min(float(value.min()), 0.0), max(float(value.max()), 0.0))
            for name, value in net.activations(x)
        }


class Quantizer:
    """Writes the float network's layers as int8 operators, one after the other."""

    def __init__(self, net: FashionNet, ranges: dict[str, tuple[float, float]]) -> None:
        self.net = net
        self.ranges = ranges
        self.writer = TfliteWriter("Fashion-MNIST classifier, int8, by tinytrain")

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

    def convolution(self, layer: Layer, source: Activation, size: int) -> Activation:
        """Adds one convolution on a map of `size` x `size`."""
        unit = self.net.units[layer.name]
        assert isinstance(unit, ConvUnit)
        weight, bias = unit.folded()
        depthwise = layer.groups > 1
        # [out, in / groups, h, w] to [1, h, w, out] or [out, h, w, in].
        weight = weight.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
        constants = self.weights(layer.name, weight, bias, source)
        out = -(-size // layer.stride)
        result = self.activation(layer.name, (1, out, out, layer.outputs))
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

    def pool(self, source: Activation, size: int) -> Activation:
        """Averages a map of `size` x `size`, and lays the result out as a vector."""
        out = size // POOL
        # TFLite's pools do not rescale: what comes out is in the units of what goes in.
        shape = (1, out, out, FEATURES // out**2)
        pool = self.fixed("pool", shape, source.scale, source.zero_point)
        self.writer.op(
            "AVERAGE_POOL_2D",
            [source.index],
            [pool.index],
            padding="VALID",
            stride_h=POOL,
            stride_w=POOL,
            filter_height=POOL,
            filter_width=POOL,
        )
        target = self.writer.tensor("features/shape", (2,), np.int32, data=[1, FEATURES])
        vector = self.fixed("features", (1, FEATURES), pool.scale, pool.zero_point)
        self.writer.op("RESHAPE", [pool.index, target], [vector.index], new_shape=(1, FEATURES))
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
        logits = self.activation("head", (1, CLASSES))
        self.writer.op("FULLY_CONNECTED", [source.index, *constants], [logits.index])
        result = self.fixed("probabilities", (1, CLASSES), 1 / 256, -128)
        self.writer.op("SOFTMAX", [logits.index], [result.index])
        return result

    def file(self) -> bytes:
        """The whole network as a .tflite file."""
        source = self.fixed("image", (1, 28, 28, 1), INPUT_SCALE, INPUT_ZERO_POINT)
        value, size = source, 28
        seen: dict[str, Activation] = {}
        for layer in LAYERS:
            value = seen[layer.name] = self.convolution(layer, value, size)
            size = -(-size // layer.stride)
            if layer.name == SUM_AFTER:
                total = self.activation("sum", (1, size, size, layer.outputs))
                self.writer.op("ADD", [seen[SUM_WITH].index, value.index], [total.index])
                value = total
        result = self.classifier(self.pool(value, size))
        return self.writer.bytes([source.index], [result.index])


def float_accuracy(net: FashionNet, x: Tensor, y: Tensor) -> float:
    """The share of images that the float network gets right."""
    with torch.no_grad():
        guesses = torch.cat([net(part).argmax(1) for part in torch.split(x, 500)])
    return float((guesses == y).double().mean())


def int8_accuracy(model: bytes, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """The share of images that the .tflite file gets right, as tflite-micro runs it."""
    interpreter = runtime.Interpreter.from_bytes(model)
    guesses = []
    for image in quantize_pixels(pixels):
        interpreter.set_input(image[np.newaxis], 0)
        interpreter.invoke()
        guesses.append(interpreter.get_output(0).argmax())
    return float(np.mean(guesses == labels))


def main() -> None:
    """Trains, quantizes, measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=HERE / "fashion.tflite")
    parser.add_argument("--data", type=Path, help="folder of Fashion-MNIST's four .gz files")
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    folder = arguments.data or find_data()
    pixels, labels = read_split(folder, "train")
    test_pixels, test_labels = read_split(folder, "t10k")
    net = train(as_input(pixels), torch.from_numpy(labels.copy()).long(), arguments.epochs)
    ranges = calibrate(net, as_input(pixels[:2000]))
    model = Quantizer(net, ranges).file()
    arguments.output.write_bytes(model)
    test_y = torch.from_numpy(test_labels.copy()).long()
    print(f"{arguments.output}: {len(model):,} bytes")
    print(f"float accuracy {float_accuracy(net, as_input(test_pixels), test_y):.4f}")
    print(f"int8 accuracy  {int8_accuracy(model, test_pixels, test_labels):.4f}")


if __name__ == "__main__":
    main()
