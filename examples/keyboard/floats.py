"""The keyboard's network in float32: what fine-tuning would give without quantization."""

from __future__ import annotations

import tomllib

import keyrows
import numpy as np
from numpy.typing import NDArray

from keyboard.rehearsal import MODEL, SCHEME, Rows
from keyboard.text import Codes
from keyboard.text import rows as rows_of
from tinytrain.importers import load

Float = NDArray[np.float32]


class Floats:
    """Starts from the parameters of the .tflite file; the lessons and rates are the board's."""

    def __init__(self) -> None:
        layers = tomllib.loads(SCHEME.read_text())["layer"]
        self.rates = [layer["rate"] for layer in layers.values()]
        graph = load(MODEL)
        scale, values = 1.0, []
        for node in graph.nodes[:3]:
            assert node.weight is not None
            weight = graph.tensors[node.weight]
            assert weight.data is not None
            scales = np.asarray(weight.quant.scale, np.float64)
            rows = weight.data.reshape(
                weight.data.shape[-2] if len(scales) == 1 else len(scales), -1
            )
            values.append(rows * scales[:, None])
            if node.bias:
                bias = graph.tensors[node.bias].data
                assert bias is not None
                values.append(bias * scales * scale)
            scale = graph.tensors[node.output].quant.per_tensor
        self.table, self.w1, self.b1, self.w2, self.b2 = (v.astype(np.float32) for v in values)

    def learn(self, rows: Rows, code: int, rate: float) -> None:
        """One step of SGD on the cross-entropy."""
        table, first, last = (np.float32(rate * factor) for factor in self.rates)
        x, h, z = self._forward(rows[None])
        d = _softmax(z)[0]
        d[code] -= 1
        dh = (d @ self.w2) * (h[0] > 0)
        dx = (dh @ self.w1).reshape(keyrows.INPUTS, -1)
        self.w2 -= np.outer(last * d, h[0])
        self.b2 -= last * d
        self.w1 -= np.outer(first * dh, x[0])
        self.b1 -= first * dh
        np.subtract.at(self.table, rows, table * dx)

    def bits(self, text: Codes) -> float:
        """Bits per character of a text."""
        rows = rows_of(text)
        total = 0.0
        for at in range(0, len(text), 4096):
            p = _softmax(self._forward(rows[at : at + 4096])[2])
            part = text[at : at + 4096]
            total -= float(np.log2(p[np.arange(len(part)), part]).sum())
        return total / len(text)

    def _forward(self, rows: Rows) -> tuple[Float, Float, Float]:
        x = self.table[rows].reshape(len(rows), -1)
        h = np.maximum(x @ self.w1.T + self.b1, 0)
        return x, h, h @ self.w2.T + self.b2


def _softmax(z: Float) -> Float:
    e = np.exp(z - z.max(1, keepdims=True))
    result: Float = e / e.sum(1, keepdims=True)
    return result
