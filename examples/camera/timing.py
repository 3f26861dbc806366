"""How long showing, learning and looking take on an emulated Pico, in microseconds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests" / "bed")]

import drive  # noqa: E402
from models import BOARD, Setup  # noqa: E402

from tinytrain.backend.romfs import make_image  # noqa: E402
from tinytrain.build import build  # noqa: E402

FILES = ("views.py", "memory.py", "learner.py")
CLOCK_HZ = 125_000_000
STEPS = 20

# the Trainer first, while memory is in one piece
SCRIPT = """
import gc, time
gc.collect()
import tinytrain
t = tinytrain.Trainer("/rom/model.ttw")
from learner import Learner, record_size
from memory import Block, Memory
import views
learner = Learner(t, Memory(Block(t.classes, 2, record_size(t)), t.classes, 2))
for i in range(len(learner.pixels)):
    learner.pixels[i] = i * 37 + (i >> 5) & 255
def timed(f):
    gc.collect()
    began = time.ticks_us()
    f()
    print(time.ticks_diff(time.ticks_us(), began))
timed(lambda: learner.show(0, views.VIEWS[:1]))
timed(lambda: learner.show(1, views.VIEWS[-1:]))
timed(lambda: learner.train({steps}, 0.03))
timed(lambda: learner.look())
gc.collect()
print(gc.mem_free())
"""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of showing one view of a picture, of a step, and of a look; bytes of heap left,
    of a latent (0: inputs are kept), and of RAM for module, arena and state."""

    view_ms: float
    step_ms: float
    look_ms: float
    heap_left: int
    latent_bytes: int
    trainer_bytes: int

    def seconds(self, views: int, steps: int) -> float:
        """Of showing so many views and taking so many steps."""
        return (views * self.view_ms + steps * self.step_ms) / 1000


def measure(setup: Setup, folder: Path) -> Timing:
    """Build for the Pico and run there."""
    built = build(setup.model, BOARD, setup.update, folder / "build", setup.options)
    names = [built.folder / "model.ttw", built.folder / "tinytrain.mpy", *(HERE / f for f in FILES)]
    rom = folder / "rom.img"
    rom.write_bytes(make_image({file.name: file.read_bytes() for file in names}))
    result = drive.run("pico", SCRIPT.format(steps=STEPS), romfs=rom, timeout=900)
    if result.returncode:
        raise SystemExit(f"{setup.name}: {result.stderr}")
    first, last, train, look, left = map(int, result.stdout.split())
    v = built.report.values
    return Timing(
        round(float(np.mean([first, last])) / 1000, 3),
        round(train / STEPS / 1000, 3),
        round(look / 1000, 3),
        left,
        int(str(v["latent_bytes"])),
        sum(int(str(v[name])) for name in ("module_bytes", "arena_bytes", "state_bytes")),
    )
