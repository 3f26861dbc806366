"""MCUNet learns on an emulated Raspberry Pi Pico: sparse update, weights read in place from flash.

Builds a published scheme for the Pico, runs some steps on real MicroPython firmware in the emulator
and the same in the simulator, compares losses, outputs and every trained parameter bit for bit, and
prints what it takes: bytes of the board's heap, and cycles.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from tinytrain.backend.romfs import make_image
from tinytrain.build import Build, build
from tinytrain.commands.model_options import add_options, options_of
from tinytrain.compilation import DEFAULTS, Options
from tinytrain.sim.trainer import Trainer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "bed"))

import drive  # noqa: E402

SHARED = Path(os.environ.get("TINYTRAIN_SHARED", HERE.parents[2] / "shared"))
MODEL = SHARED / "models" / "mcunet_5fps_128_c10.tflite"
SCHEME = HERE / "scheme49.toml"
BOARD = "rpi_pico_romfs"
CLOCK_HZ = 125_000_000
RATE = 0.015625  # 1/64, the same bits for every parser

# large blocks first, while memory is in one piece; compiling steps.py takes what is left
SCRIPT = """
import gc
gc.collect()
a = gc.mem_free()
x, out = bytearray({size}), bytearray({outputs})
b = gc.mem_free()
import tinytrain
gc.collect()
c = gc.mem_free()
t = tinytrain.Trainer("/rom/model.ttw")
gc.collect()
print(a, b - c, c - gc.mem_free())
t.lr = {rate}
import steps
steps.run(t, x, out, {steps})
"""


@dataclass(frozen=True)
class Measured:
    """What the board and the simulator say, and bytes of heap: free at first, taken by module and
    Trainer, free at the end with an image in memory; microseconds of the longest step."""

    board: str
    simulator: str
    heap: int
    module: int
    trainer: int
    left: int
    step_us: int
    native_cycles: int


def measure(
    folder: Path, update: str = str(SCHEME), options: Options = DEFAULTS, steps: int = 2
) -> tuple[Build, Measured]:
    """Build into a folder and run both."""
    built = build(MODEL, BOARD, update, folder / "build", options)
    files = (built.folder / "model.ttw", built.folder / "tinytrain.mpy", HERE / "steps.py")
    rom = folder / "rom.img"
    rom.write_bytes(make_image({file.name: file.read_bytes() for file in files}))
    trainer = Trainer(built.compiled)
    size, outputs = int(np.prod(trainer.input_shape)), trainer.classes
    script = SCRIPT.format(rate=RATE, size=size, outputs=outputs, steps=steps)
    result = drive.run("pico", script, romfs=rom, timeout=1800, count=True)
    if result.returncode:
        raise RuntimeError(result.stderr)
    taken, board, rest = result.stdout.strip().splitlines()
    heap, module, trainer_bytes = map(int, taken.split())
    left, step_us = map(int, rest.split())
    said = in_simulator(trainer, size, steps)
    cycles = result.counts["native_cycles"]
    return built, Measured(board, said, heap, module, trainer_bytes, left, step_us, cycles)


def in_simulator(trainer: Trainer, size: int, steps: int) -> str:
    """The line that steps.run prints first."""
    i = np.arange(size, dtype=np.int64)
    trainer.lr = RATE
    x, losses = np.zeros(size, np.int8), []
    for step in range(steps):
        x = (i * (37 + step) + (i * i >> 7) & 255).astype(np.uint8).view(np.int8)
        losses.append(int(np.float32(trainer.step(x, step)).view(np.uint32)))
    output = zlib.crc32(np.ascontiguousarray(trainer.predict(x)).tobytes())
    return f"{losses} {output} {zlib.crc32(trainer.state)}"


def main() -> int:
    """Measure and print; 0 if board and simulator agree."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_options(parser)
    parser.set_defaults(update=str(SCHEME))
    parser.add_argument("--steps", type=int, default=2)
    chosen = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory() as name:
        built, measured = measure(Path(name), chosen.update, options_of(chosen), chosen.steps)
    values = built.report.values
    console.print(built.report.text())
    rows = [
        ("arena", values["arena_bytes"]),
        ("state", values["state_bytes"]),
        ("Trainer on the board (arena, state and object)", measured.trainer),
        ("module on the board", measured.module),
        ("heap free before", measured.heap),
        ("heap free after training, an image of 49,152 bytes in memory", measured.left),
        ("cycles of a step", measured.step_us * (CLOCK_HZ // 1_000_000)),
        ("milliseconds of a step at 125 MHz", measured.step_us // 1000),
    ]
    for what, value in rows:
        console.print(f"{what:<64}{value:>14,}")
    equal = measured.board == measured.simulator
    console.print(f"board and simulator {'identical, bit for bit' if equal else 'DIFFER'}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
