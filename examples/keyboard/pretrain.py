"""Makes `keys.tflite`, the keyboard's network: trained on general English, then quantized.

    python examples/keyboard/pretrain.py [-o FILE] [--epochs N]

and `general.bin`, the sample of that text which the board rehearses. Needs torch and Debian's
packages fortunes, fortunes-min and miscfiles.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from keyboard import text  # noqa: E402
from keyboard.network import Writer, train  # noqa: E402

MODEL, GENERAL = HERE / "keys.tflite", HERE / "general.bin"
SAMPLE = 16_384  # characters of general text that a board keeps
CALIBRATION = 20_000


def main() -> None:
    """Train, quantize, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=MODEL)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--float", type=Path, help="also keep the float parameters there")
    chosen = parser.parse_args()
    english, held_out = text.general()
    net = train(english, chosen.epochs)
    model = Writer(net, english[:CALIBRATION]).file()
    chosen.output.write_bytes(model)
    chosen.output.with_name(GENERAL.name).write_bytes(english[-SAMPLE:].tobytes())
    if chosen.float:
        torch.save(net.state_dict(), chosen.float)
    print(f"{chosen.output}: {len(model):,} bytes")
    print(f"float: {net.bits(held_out):.3f} bits per character of general text it has not seen")


if __name__ == "__main__":
    main()
