"""The keyboard's network in floating point, and its quantization: a full-int8 .tflite file.

rows int32 [1, INPUTS] -> table [TABLE, DEPTH] -> dense, ReLU -> dense -> softmax
"""

from __future__ import annotations

import keyrows
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from keyboard.text import Codes
from keyboard.text import rows as rows_of
from tinytrain.exporters.tflite import TfliteWriter

DEPTH, HIDDEN = 16, 128
BATCH, RATE = 512, 5e-3
# Whole rows and hidden units are left out while training, so that no context is relied on alone:
# text of another kind knows few of the long ones.
ROW_DROPOUT, HIDDEN_DROPOUT = 0.05, 0.05
# Training on the board moves parameters: there must be room beyond the ranges of today.
WEIGHT_ROOM, HIDDEN_ROOM = 1.25, 1.5


class KeyNet(nn.Module):
    """Rows [n, INPUTS] to logits [n, CODES]."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(keyrows.TABLE, DEPTH)
        nn.init.normal_(self.table.weight, 0, 0.5)
        self.first = nn.Linear(keyrows.INPUTS * DEPTH, HIDDEN)
        self.last = nn.Linear(HIDDEN, keyrows.CODES)

    def hidden(self, rows: Tensor) -> Tensor:
        """What the last layer reads."""
        taken = self.table(rows)
        if self.training:
            kept = torch.rand(rows.shape) >= ROW_DROPOUT
            taken = taken * (kept / (1 - ROW_DROPOUT))[:, :, None]
        hidden = functional.relu(self.first(taken.flatten(1)))
        return functional.dropout(hidden, HIDDEN_DROPOUT, self.training)

    def forward(self, rows: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.last(self.hidden(rows))
        return logits

    def bits(self, text: Codes) -> float:
        """Bits per character of a text."""
        x, y = torch.from_numpy(rows_of(text)), torch.from_numpy(text.astype(np.int64))
        with torch.no_grad():
            parts = zip(x.split(5000), y.split(5000), strict=True)
            total = sum(
                float(functional.cross_entropy(self(a), b, reduction="sum")) for a, b in parts
            )
        return total / len(text) / float(np.log(2))


def train(text: Codes, epochs: int, seed: int = 1) -> KeyNet:
    """A network trained on a text; the result depends on the arguments alone."""
    torch.set_num_threads(1)  # how sums are rounded depends on it
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    x, y = torch.from_numpy(rows_of(text)), torch.from_numpy(text.astype(np.int64))
    net = KeyNet()
    steps = epochs * (len(x) // BATCH)
    optimizer = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    with Progress() as progress:
        bar = progress.add_task("training", total=steps)
        for _ in range(epochs):
            for chosen in torch.randperm(len(x)).split(BATCH)[: len(x) // BATCH]:
                loss = functional.cross_entropy(net(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                progress.update(bar, advance=1, description=f"loss {loss.item():.3f}")
    return net.eval()


class Writer:
    """Quantizes a network and writes it."""

    def __init__(self, net: KeyNet, examples: Codes) -> None:
        """examples: text that tells the ranges of the activations."""
        self.net = net
        with torch.no_grad():
            rows = torch.from_numpy(rows_of(examples))
            hidden, logits = net.hidden(rows), net(rows)
        self.hidden_scale = float(hidden.max()) * HIDDEN_ROOM / 255
        self.logits = float(logits.min()) * HIDDEN_ROOM, float(logits.max()) * HIDDEN_ROOM
        self.writer = TfliteWriter("keys in context, int8, by tinytrain")

    def file(self) -> bytes:
        """The .tflite file."""
        new, n = self.writer.tensor, keyrows.INPUTS
        table = array(self.net.table.weight)
        scale = float(np.abs(table).max()) * WEIGHT_ROOM / 127
        source = new("rows", (1, n), np.int32)
        weight = new("table/weight", table.shape, np.int8, data=rounded(table, scale), scale=scale)
        taken = new("taken", (1, n, DEPTH), np.int8, scale=scale)
        self.writer.op("GATHER", [weight, source], [taken], axis=0, batch_dims=0)
        shape = (1, n * DEPTH)
        target = new("flat/shape", (2,), np.int32, data=shape)
        flat = new("flat", shape, np.int8, scale=scale)
        self.writer.op("RESHAPE", [taken, target], [flat], new_shape=shape)
        constants = self.weights("first", self.net.first, scale)
        hidden = new("first", (1, HIDDEN), np.int8, scale=self.hidden_scale, zero_point=-128)
        self.writer.op(
            "FULLY_CONNECTED", [flat, *constants], [hidden], fused_activation_function="RELU"
        )
        low, high = self.logits
        unit = (high - low) / 255
        shape = (1, keyrows.CODES)
        logits = new("last", shape, np.int8, scale=unit, zero_point=round(-128 - low / unit))
        constants = self.weights("last", self.net.last, self.hidden_scale)
        self.writer.op("FULLY_CONNECTED", [hidden, *constants], [logits])
        result = new("probabilities", shape, np.int8, scale=1 / 256, zero_point=-128)
        self.writer.op("SOFTMAX", [logits], [result])
        return self.writer.bytes([source], [result])

    def weights(self, name: str, layer: nn.Linear, scale: float) -> tuple[int, int]:
        """Constants of a layer whose input has that scale; a scale for each output channel."""
        weight, bias = array(layer.weight), array(layer.bias)
        scales = (np.abs(weight).max(1) * WEIGHT_ROOM / 127).astype(np.float32)
        units = (np.float32(scale) * scales.astype(np.float64)).astype(np.float32)
        stored, stored_bias = rounded(weight, scales[:, None]), np.rint(bias / units)
        new = self.writer.tensor
        return (
            new(f"{name}/weight", weight.shape, np.int8, data=stored, scale=scales, axis=0),
            new(f"{name}/bias", bias.shape, np.int32, data=stored_bias, scale=units),
        )


def array(parameter: Tensor) -> NDArray[np.float64]:
    """A parameter's values."""
    values: NDArray[np.float64] = parameter.detach().double().numpy()
    return values


def rounded(values: NDArray[np.float64], scale: float | NDArray[np.float32]) -> NDArray[np.float64]:
    """In units of the scale, within int8's +-127."""
    result: NDArray[np.float64] = np.clip(np.rint(values / scale), -127, 127)
    return result
