"""The same learning in torch's float32, on the same pictures in the same order."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from accuracy.floating import GraphNet
from tinytrain.ir.graph import Graph


class FloatTrainer:
    """What learner.py needs of a Trainer; what it keeps are inputs. Plain SGD, batch 1."""

    def __init__(self, graph: Graph, update: str, cache: dict[bytes, torch.Tensor]) -> None:
        """cache: outputs of the frozen layers, where the head alone is trained."""
        torch.set_num_threads(1)
        self.net = GraphNet(graph, update)
        self.input_shape, self.latent_size = graph.input.shape, 0
        self.classes = int(np.prod(graph.output.shape))
        self.lr, self.cache, self.only_head = 0.01, cache, update == "last:1"
        self.head, self.body = self.net.nodes[-1], self.net.nodes[:-1]
        self.trained = [p for p in self.net.parameters() if p.requires_grad]

    def quantize(self, pixels: bytearray, out: bytearray) -> None:
        """The networks of this example take pixel - 128."""
        out[:] = (np.frombuffer(pixels, np.uint8) ^ 128).tobytes()

    def logits(self, x: bytes | bytearray) -> torch.Tensor:
        """One row."""
        if not self.only_head:
            return self._run(x)
        key = bytes(x)
        if key not in self.cache:
            with torch.no_grad():
                self.net.nodes = self.body
                self.cache[key] = self._run(x, flat=False)
                self.net.nodes = (*self.body, self.head)
        return self.net.run_node(self.head, [self.cache[key]]).flatten(1)

    def _run(self, x: bytes | bytearray, *, flat: bool = True) -> torch.Tensor:
        shaped = np.frombuffer(x, np.int8).reshape(self.input_shape)
        result = self.net.values(torch.from_numpy(shaped.copy()))
        return result.flatten(1) if flat else result

    def step(self, x: bytearray, y: int, *, latent: bool = False) -> float:
        """One step."""
        assert not latent
        loss = torch.nn.functional.cross_entropy(self.logits(x), torch.tensor([y]))
        gradients = torch.autograd.grad(loss, self.trained, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(self.trained, gradients, strict=True):
                if gradient is not None:
                    parameter -= self.lr * gradient
        return float(loss.item())

    def classify(self, x: bytes, among: list[int]) -> int:
        """The most likely of some classes."""
        with torch.no_grad():
            return among[int(self.logits(x)[0, among].argmax())]
