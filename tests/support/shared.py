"""The real models of the project: a folder beside the repository, or $TINYTRAIN_SHARED."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.ir import Graph

MODELS = (
    Path(os.environ.get("TINYTRAIN_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    / "models"
)

NAMES = (
    "mcunet_5fps_128_c10",
    "mcunet_5fps_128_c2",
    "mlperf_ad01_int8",
    "mlperf_ic_resnet8_int8",
    "mlperf_kws_dscnn_int8",
    "mlperf_vww_mobilenetv1_025_96_int8",
    "tflm_hello_world_int8",
    "tflm_micro_speech_int8",
    "tflm_person_detect_int8",
    "tinyengine_mcunet_vww_int8",
)

ONE_OUTPUT = "tflm_hello_world_int8"  # a regression, from which no label can be learned


def loss_for(name: str) -> str:
    """A loss that the model can be trained with."""
    return "mse" if name == ONE_OUTPUT else "softmax"


def path_of(name: str) -> Path:
    """The file of a model; skips the test where the folder is absent."""
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is absent (TINYTRAIN_SHARED names the folder of the real models)")
    return path


def golden(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Inputs as the file takes them and tflite-micro's outputs, both [n, ...]."""
    path_of(name)
    with np.load(MODELS / "golden" / f"{name}.npz") as arrays:
        return arrays["x"], arrays["tflm"]


def to_int8(graph: Graph, x: NDArray[Any]) -> NDArray[np.int8]:
    """What a float input becomes at the QUANTIZE that the importer has taken off."""
    if x.dtype == np.int8:
        return x
    quant = graph.tensors[graph.input.tensor].quant
    q = x / np.float32(quant.per_tensor)
    q = np.where(q >= 0, np.floor(q + np.float32(0.5)), np.ceil(q - np.float32(0.5)))
    return np.clip(q + quant.zero_point, -128, 127).astype(np.int8)


def from_int8(graph: Graph, y: NDArray[np.int8], like: NDArray[Any]) -> NDArray[Any]:
    """An int8 output in the type of the file's."""
    if like.dtype == np.int8:
        return y
    quant = graph.tensors[graph.output.tensor].quant
    return (y.astype(np.float32) - quant.zero_point) * np.float32(quant.per_tensor)
