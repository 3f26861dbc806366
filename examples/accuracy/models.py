"""The pretrained networks of the benchmark: in the tree, and made anew by

    python examples/accuracy/models.py

`clothes8.tflite` knows the first eight classes of Fashion-MNIST, `keywords.tflite` a few voices.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from accuracy import speech  # noqa: E402
from accuracy.episode import Examples  # noqa: E402
from pretrained import images  # noqa: E402
from pretrained.network import FASHION, FloatNet, Layer, Network, train  # noqa: E402
from pretrained.quantizer import Quantizer  # noqa: E402

FASHION_MODEL = HERE.parent / "digits" / "fashion.tflite"
CLOTHES_MODEL = HERE / "clothes8.tflite"
KEYWORDS_MODEL = HERE / "keywords.tflite"
KNOWN_CLOTHES = 8
# Speech, like images, is read as 0.0 to 1.0.
SPEECH_SCALE, SPEECH_ZERO_POINT = 1 / 255, -128

KEYWORDS = Network(
    layers=(
        Layer("stem", 1, 16, 3, 2, 1),
        Layer("ds1_dw", 16, 16, 3, 1, 16),
        Layer("ds1_pw", 16, 24, 1, 1, 1),
        Layer("ds2_dw", 24, 24, 3, 2, 24),
        Layer("ds2_pw", 24, 32, 1, 1, 1),
        Layer("ds3_dw", 32, 32, 3, 1, 32),
        Layer("ds3_pw", 32, 48, 1, 1, 1, relu6=False),
    ),
    size=(speech.FRAMES, speech.BANDS),
    pool=(4, 5),
    classes=len(speech.WORDS),
)


def cache_folder() -> Path:
    """Where rendered speech is kept."""
    home = os.environ.get("TINYTRAIN_CACHE") or Path.home() / ".cache" / "tinytrain"
    folder = Path(home) / "accuracy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def spoken(name: str, voices: Sequence[speech.Voice], count: int, seed: int) -> list[Examples]:
    """`count` utterances of every word for each voice; rendered once, then read from the cache."""
    recipe = (voices, speech.WORDS, count, seed, speech.FRAMES, speech.BANDS)
    path = cache_folder() / f"{name}.npz"
    if path.exists() and str(np.load(path)["recipe"]) == repr(recipe):
        x = np.load(path)["x"]
    else:
        maps = [maps for _, _, maps in speech.utterances(voices, count, seed)]
        stored = np.rint(np.array(maps) / SPEECH_SCALE) + SPEECH_ZERO_POINT
        x = np.clip(stored, -128, 127).astype(np.int8)
        part = path.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(part, x=x, recipe=repr(recipe))
        part.rename(path)
    words = len(speech.WORDS)
    x = x.reshape(len(voices), words * count, speech.FRAMES, speech.BANDS, 1)
    return [Examples(part, np.repeat(np.arange(words), count)) for part in x]


def speech_shift(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Moves the whole batch by up to two frames."""
    return torch.roll(x, int(torch.randint(-2, 3, (), generator=generator)), 2)


def as_float(x: np.ndarray, scale: float, zero_point: int) -> torch.Tensor:
    """Int8 [n, h, w, 1] as a float network's input [n, 1, h, w]."""
    return torch.from_numpy((x[:, None, :, :, 0].astype(np.float32) - zero_point) * scale)


def write(path: Path, net: FloatNet, x: torch.Tensor, what: str, *quantization: float) -> None:
    """Quantize and write."""
    scale, zero_point = quantization
    model = Quantizer(net, x, f"{what}, int8, by tinytrain").file(scale, int(zero_point), "input")
    path.write_bytes(model)
    print(f"{path.name}: {len(model):,} bytes")


def make_clothes() -> None:
    """The network of examples/digits for the first eight classes."""
    pixels, labels = images.read_fashion("train")
    known = labels < KNOWN_CLOTHES
    quantization = images.INPUT_SCALE, images.INPUT_ZERO_POINT
    x = as_float(images.quantize_pixels(pixels[known]), *quantization)
    y = torch.from_numpy(labels[known].copy()).long()
    network = Network(FASHION.layers, FASHION.size, FASHION.pool, KNOWN_CLOTHES, FASHION.residual)
    net = train(network, x, y, epochs=5)
    write(CLOTHES_MODEL, net, x[:2000], "eight classes of Fashion-MNIST", *quantization)


def make_keywords() -> None:
    """A DS-CNN for eight words in the known voices."""
    examples = spoken("known", speech.KNOWN, 20, 0)
    together = examples[0]
    for more in examples[1:]:
        together = together + more
    x = as_float(together.x, SPEECH_SCALE, SPEECH_ZERO_POINT)
    net = train(KEYWORDS, x, torch.from_numpy(together.y), epochs=30, augment=speech_shift)
    print(f"keywords: {net.accuracy(x, torch.from_numpy(together.y)):.3f} of what was trained on")
    what = "eight spoken keywords"
    write(KEYWORDS_MODEL, net, x[::3], what, SPEECH_SCALE, SPEECH_ZERO_POINT)


def make_missing() -> None:
    """Train what is not there."""
    for path, make in ((CLOTHES_MODEL, make_clothes), (KEYWORDS_MODEL, make_keywords)):
        if not path.exists():
            make()


if __name__ == "__main__":
    make_clothes()
    make_keywords()
