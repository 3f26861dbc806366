"""Makes `fashion.tflite`, the demo's network: trained on Fashion-MNIST, then quantized to int8.

    python examples/digits/make_model.py [-o FILE] [--epochs N] [--data DIRECTORY]

Needs torch, tflite-micro and Debian's package dataset-fashion-mnist. About 142,000 multiplications
per image; the residual block in the middle adds two maps of different scales.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tflite_micro import runtime
from torch import Tensor

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from pretrained import images  # noqa: E402
from pretrained.network import FASHION, train  # noqa: E402
from pretrained.quantizer import Quantizer  # noqa: E402


def as_input(pixels: NDArray[np.uint8]) -> Tensor:
    """Pixels [n, 28, 28] as the float network's input [n, 1, 28, 28]."""
    return torch.from_numpy(pixels.copy())[:, None].float() * images.INPUT_SCALE


def int8_accuracy(model: bytes, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """The share of images that the .tflite file gets right, as tflite-micro runs it."""
    interpreter = runtime.Interpreter.from_bytes(model)
    guesses = []
    for image in images.quantize_pixels(pixels):
        interpreter.set_input(image[np.newaxis], 0)
        interpreter.invoke()
        guesses.append(interpreter.get_output(0).argmax())
    return float(np.mean(guesses == labels))


def main() -> None:
    """Trains, quantizes, measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=HERE / "fashion.tflite")
    parser.add_argument("--data", type=Path, help="folder of Fashion-MNIST's four .gz files")
    # More epochs make a better judge of clothes but a slower learner of digits.
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    pixels, labels = images.read_fashion("train", arguments.data)
    test_pixels, test_labels = images.read_fashion("t10k", arguments.data)
    net = train(FASHION, as_input(pixels), torch.from_numpy(labels.copy()).long(), arguments.epochs)
    what = "Fashion-MNIST classifier, int8, by tinytrain"
    quantizer = Quantizer(net, as_input(pixels[:2000]), what)
    model = quantizer.file(images.INPUT_SCALE, images.INPUT_ZERO_POINT)
    arguments.output.write_bytes(model)
    test_y = torch.from_numpy(test_labels.copy()).long()
    print(f"{arguments.output}: {len(model):,} bytes")
    print(f"float accuracy {net.accuracy(as_input(test_pixels), test_y):.4f}")
    print(f"int8 accuracy  {int8_accuracy(model, test_pixels, test_labels):.4f}")


if __name__ == "__main__":
    main()
