"""A small writer of int8 models on top of TfliteWriter, and loading from bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinytrain.exporters.tflite import TfliteWriter
from tinytrain.importers import load
from tinytrain.ir import Graph

Load = Callable[[bytes], Graph]


@dataclass
class Net:
    """Tensors are indices. Activations have scale 0.05 and zero point -3 unless said otherwise."""

    writer: TfliteWriter = field(default_factory=TfliteWriter)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    made: int = 0

    def act(self, *shape: int, dtype: str = "int8", **how: Any) -> int:
        self.made += 1
        if dtype != "float32":
            how = {"scale": 0.05, "zero_point": -3} | how
        return self.writer.tensor(how.pop("name", f"t{self.made}"), shape, dtype, **how)

    def const(self, values: Any, dtype: str = "int32", **how: Any) -> int:
        self.made += 1
        array = np.asarray(values)
        return self.writer.tensor(f"c{self.made}", array.shape, dtype, data=array, **how)

    def weights(self, *shape: int, axis: int = 0, dtype: str = "int8", **how: Any) -> int:
        data = self.rng.integers(-128, 128, shape) if dtype == "int8" else np.zeros(shape)
        if dtype == "int8" and "scale" not in how:
            how["scale"] = self.rng.uniform(0.001, 0.02, shape[axis])
        return self.const(data, dtype, axis=axis, **how)

    def bias(self, channels: int, **how: Any) -> int:
        return self.const(self.rng.integers(-500, 500, channels), scale=0.001, **how)

    def op(self, code: str, inputs: Sequence[int], output: int, **options: Any) -> int:
        self.writer.op(code, inputs, [output], **options)
        return output

    def conv(self, source: int, *shape: int, out: Sequence[int], **options: Any) -> int:
        """CONV_2D with weights of `shape` [O, KH, KW, I]."""
        options = {"padding": "SAME", "stride_h": 1, "stride_w": 1} | options
        inputs = [source, self.weights(*shape), self.bias(shape[0])]
        return self.op("CONV_2D", inputs, self.act(*out), **options)

    def dense(self, source: int, outputs: int, inputs: int, **options: Any) -> int:
        parameters = [self.weights(outputs, inputs, scale=0.01), self.bias(outputs)]
        return self.op("FULLY_CONNECTED", [source, *parameters], self.act(1, outputs), **options)

    def bytes(self, source: int, target: int) -> bytes:
        return self.writer.bytes([source], [target])


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.fixture(scope="session")
def new_net() -> type[Net]:
    return Net


@pytest.fixture
def load_bytes(tmp_path: Path) -> Load:
    """Import a model from its bytes, as the file model.tflite."""

    def load_from(data: bytes) -> Graph:
        path = tmp_path / "model.tflite"
        path.write_bytes(data)
        return load(path)

    return load_from
