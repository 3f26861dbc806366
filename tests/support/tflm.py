"""The reference: tflite-micro's Python package."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

ARENA = 1 << 20


def _runtime() -> Any:
    micro = pytest.importorskip("tflite_micro", reason="the reference runtime is not installed")
    return micro.runtime


def outputs(data: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
    """The outputs of a model for inputs [n, *shape of the model's input]."""
    interpreter = _runtime().Interpreter.from_bytes(data, arena_size=ARENA)
    found = []
    for x in inputs:
        interpreter.set_input(x, 0)
        interpreter.invoke()
        found.append(np.array(interpreter.get_output(0)))
    return np.array(found)


def activations(data: bytes, x: NDArray[Any]) -> dict[str, NDArray[np.int8]]:
    """Every int8 tensor of the model after one run, by its name in the file."""
    import tflite

    runtime = _runtime()
    keep = runtime.InterpreterConfig.kPreserveAllTensors
    interpreter = runtime.Interpreter.from_bytes(
        data, arena_size=4 * ARENA, intrepreter_config=keep
    )
    interpreter.set_input(x, 0)
    interpreter.invoke()
    subgraph = tflite.Model.GetRootAs(data).Subgraphs(0)
    found = {}
    for index in range(subgraph.TensorsLength()):
        tensor = subgraph.Tensors(index)
        if tensor.Type() == tflite.TensorType.INT8:
            value = interpreter._interpreter.GetTensor(index, 0)["tensor_data"]
            found[tensor.Name().decode()] = np.array(value)
    return found
