"""Count a prediction and a training step of whole models on boards, in the modules as deployed.

Everything is in the figures that runs in the module: kernels, what calls them, the binding. The
weights lie in ROMFS; what the board computes is compared with the simulator.
"""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import drive
import numpy as np
from rich.console import Console
from rich.table import Table

from support.shared import path_of
from tinytrain.backend.romfs import make_image
from tinytrain.build import Build, build
from tinytrain.compilation import Options
from tinytrain.errors import BuildError
from tinytrain.sim.trainer import Trainer

EXAMPLES = Path(__file__).parents[2] / "examples"
BOARDS = {
    "pico": "rpi_pico_romfs",
    "m4f": "qemu_m4f",
    "m7sp": "qemu_m7sp",
    "rv32": "qemu_rv32",
    "esp32": "qemu_esp32",
}
LR = 0.01

MAKE = """
import binascii, gc, tinytrain
t = tinytrain.Trainer("/rom/model.ttw")
x, out = memoryview(open("/rom/x", "rb")), bytearray({outputs})
def predict():
    t.predict(x, out)
    print(binascii.crc32(out) & 0xffffffff)
def step():
    print(t.step(x, 1))
"""
# the emulated Pico counts at an address, from what is written there on
PICO = """
from machine import mem32
for act in (predict, step):
    mem32[0x4f000000] = 1
    act()
    print(mem32[0x4f000000] & 0xffffffff)
"""


@dataclass(frozen=True)
class Subject:
    """A model with what is trained of it: as much as the smallest board holds."""

    name: str
    model: Path
    update: str


def subjects() -> list[Subject]:
    return [
        Subject("kws", path_of("mlperf_kws_dscnn_int8"), "last:5"),
        Subject("resnet8", path_of("mlperf_ic_resnet8_int8"), "last:3"),
        Subject("vww", path_of("mlperf_vww_mobilenetv1_025_96_int8"), "bias:20"),
        Subject(
            "mcunet", path_of("mcunet_5fps_128_c10"), str(EXAMPLES / "mcunet" / "scheme49.toml")
        ),
    ]


@dataclass(frozen=True)
class Cost:
    """Cycles (pico) or instructions of a prediction and a step, and their multiply-accumulates."""

    predict: int
    step: int
    macs_predict: int
    macs_step: int


def count(subject: Subject, board: str, optimize: str = "speed") -> Cost:
    """BuildError if the board's heap is too small."""
    with tempfile.TemporaryDirectory() as name:
        options = Options(optimize=optimize)
        built = build(subject.model, BOARDS[board], subject.update, Path(name) / "b", options)
        counts = _counts(built, board, Path(name) / "rom.img")
    values = built.report.values
    forward, backward = int(str(values["macs_forward"])), int(str(values["macs_backward"]))
    return Cost(*counts, forward, forward + backward)


def _counts(built: Build, board: str, image: Path) -> tuple[int, int]:
    files = {n: (built.folder / n).read_bytes() for n in ("model.ttw", "tinytrain.mpy")}
    trainer = Trainer(built.compiled)
    x = (np.arange(built.compiled.program.input.nbytes) * 37 % 251 - 125).astype(np.int8)
    image.write_bytes(make_image({**files, "x": x.tobytes()}))
    output = trainer.predict(x)
    wanted = [str(zlib.crc32(output.tobytes())), trainer.step(x, 1)]
    setup = MAKE.format(outputs=output.size)

    def run(script: str) -> tuple[list[str], int]:
        result = drive.run(board, setup + script, romfs=image, count=True, timeout=3000)
        if result.returncode:
            raise RuntimeError(f"{board}: {result.stderr}")
        return result.stdout.split(), result.counts["native_insns"]

    if board == "pico":
        (crc, predict, loss, step), _ = run(PICO)
        counts = int(predict), int(step)
    else:
        _, nothing = run("")
        (crc,), predicted = run("predict()")
        (loss,), stepped = run("step()")
        counts = predicted - nothing, stepped - nothing
    if [crc, float(loss)] != [wanted[0], float(f"{wanted[1]:.7g}")]:
        raise RuntimeError(f"{board}: {crc}, {loss} instead of {wanted}")
    return counts


def table(board: str, costs: Mapping[str, Cost]) -> Table:
    unit = "cycles" if board == "pico" else "instructions"
    result = Table(title=f"{board}: {unit}", title_justify="left")
    result.add_column("model")
    for heading in ("predict", "per MAC", "step", "per MAC", "step / predict"):
        result.add_column(heading, justify="right")
    for name, c in costs.items():
        numbers = [f"{c.predict:,}", f"{c.predict / c.macs_predict:.2f}"]
        numbers += [f"{c.step:,}", f"{c.step / c.macs_step:.2f}", f"{c.step / c.predict:.2f}"]
        result.add_row(name, *numbers)
    return result


def print_all(boards: Sequence[str], only: Sequence[str], optimize: str, path: Path | None) -> None:
    found: dict[str, dict[str, Cost]] = {}
    for board in boards:
        found[board] = {}
        for subject in subjects():
            if only and subject.name not in only:
                continue
            try:
                found[board][subject.name] = count(subject, board, optimize)
            except BuildError as error:
                Console(width=110).print(f"{subject.name} on {board}: {str(error).splitlines()[0]}")
        Console(width=110).print(table(board, found[board]))
    if path:
        plain = {b: {n: vars(c) for n, c in costs.items()} for b, costs in found.items()}
        path.write_text(json.dumps(plain, indent=1) + "\n")
