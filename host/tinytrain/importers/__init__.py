"""Readers of model files: what they give is a verified `tinytrain.ir.Graph`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tinytrain.errors import ImportModelError
from tinytrain.importers.tflite import import_tflite
from tinytrain.ir import Graph

__all__ = ["load"]

# Files that people try, and how they become a .tflite file.
_ADVICE: Final = {
    ".onnx": "convert it to a full-integer (int8) .tflite file, for example with onnx2tf -oiqt",
    ".pt": "export it to a full-integer (int8) .tflite file first",
    ".pth": "export it to a full-integer (int8) .tflite file first",
    ".h5": "convert it with tf.lite.TFLiteConverter and full-integer quantization (int8)",
    ".keras": "convert it with tf.lite.TFLiteConverter and full-integer quantization (int8)",
    ".pb": "convert it with tf.lite.TFLiteConverter and full-integer quantization (int8)",
    ".tmdl": "give the .tflite file that it was made from",
}


def load(path: Path) -> Graph:
    """The graph of a model file, chosen by its suffix (.tflite).

    Raises ImportModelError naming the file, and where there is one the op and the tensor, if the
    file is missing, damaged, or uses something that is not supported.
    """
    suffix = path.suffix.lower()
    if suffix != ".tflite":
        advice = _ADVICE.get(suffix, "give a full-integer (int8) .tflite file")
        raise ImportModelError(f"{path}: {suffix or 'this kind of'} file cannot be read; {advice}")
    return import_tflite(path)
