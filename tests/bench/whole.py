"""Count whole models on boards: a prediction and a training step, in all and by kernel calls.

The module is the one that is deployed, but for a mark before and behind each kernel call of the
generated code (tt_mark.h): an instruction that does nothing. Everything that runs in the module is
in the totals: kernels, what calls them, the binding. Weights lie in ROMFS and are read in place;
outputs, loss and what was learned are compared with the simulator.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import drive
import numpy as np

from bench.calls import MARK_H, WrongResult, differences
from support.shared import path_of
from tinytrain.backend.board import load_board
from tinytrain.backend.kernel_sources import OPTIMIZE, PLAIN
from tinytrain.backend.model_module import link_model
from tinytrain.backend.natmod import build_natmod
from tinytrain.backend.romfs import make_image
from tinytrain.codegen.weights_file import weights_file
from tinytrain.compilation import Compiled, Options, compile_model
from tinytrain.ir.program import KernelCall
from tinytrain.sim.interpreter import tiled
from tinytrain.sim.trainer import Trainer

EXAMPLES = Path(__file__).parents[2] / "examples"
BOARDS = {
    "pico": "rpi_pico_romfs",
    "m4f": "qemu_m4f",
    "m7sp": "qemu_m7sp",
    "rv32": "qemu_rv32",
    "esp32": "qemu_esp32",
}
KERNELS = (*OPTIMIZE, PLAIN)

SCRIPT = """
import binascii, tinytrain
from mark import mark
t = tinytrain.Trainer("/rom/model.ttw")
x, out = memoryview(open("/rom/x", "rb")), bytearray({outputs})
mark()
t.predict(x, out)
mark()
mark()
loss = t.step(x, 1)
mark()
print(*(binascii.crc32(b) & 0xffffffff for b in (out, t.state)), loss)
"""


class DoesNotFit(Exception):
    """The board has not enough memory for the module."""


@dataclass(frozen=True)
class Subject:
    """A model with what is trained of it: as much as the smallest board holds."""

    name: str
    model: Path
    update: str

    def compiled(self) -> Compiled:
        return _compiled(self.model, self.update)


@cache
def _compiled(model: Path, update: str) -> Compiled:
    return compile_model(model, update, Options())


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
class Row:
    """A kernel call and its cost: cycles where they are known, else instructions."""

    kernel: str
    layer: str
    macs: int
    cost: int


@dataclass(frozen=True)
class Cost:
    """Of a prediction or a step: in all, of that its kernel calls, and in instructions."""

    total: int
    insns: int
    rows: Sequence[Row]

    @property
    def macs(self) -> int:
        return sum(row.macs for row in self.rows)


def marked(body: str) -> str:
    """Generated C with a mark before and behind each kernel call of perform() and special()."""
    call = re.compile(r"^( {8,})(tt_\w+\([^;]*\);)", re.MULTILINE)
    return '#include "tt_mark.h"\n' + call.sub(r"\1TT_MARK;\n\1\2\n\1TT_MARK;", body)


def build_marked(made: Compiled, board: str, kernels: str, out: Path) -> None:
    where = load_board(BOARDS[board])
    made = replace(made, options=replace(made.options, optimize=kernels))
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        (source / "model.h").write_text(made.source.header)
        (source / "model.c").write_text(marked(made.source.body))
        shutil.copy(MARK_H / "tt_mark.h", source)
        link_model(made, where.target, source, out, source / "work", core=where.core)


def build_mark(board: str, out: Path) -> None:
    where = load_board(BOARDS[board])
    with tempfile.TemporaryDirectory() as work:
        sources, folders = [MARK_H / "mark.c"], [MARK_H]
        build_natmod(sources, folders, where.target, out, Path(work), core=where.core)


def count(
    made: Compiled, board: str, kernels: str = "speed", xip: int | None = None
) -> tuple[Cost, Cost]:
    """A prediction and a step. DoesNotFit if the board's heap is too small.

    xip: cycles of a miss in the Pico's flash cache; without, flash takes no longer than RAM.
    """
    trainer = Trainer(made)
    x = (np.arange(made.program.input.nbytes) * 37 % 251 - 125).astype(np.int8)
    output = trainer.predict(x)
    loss = float(f"{trainer.step(x, 1):.7g}")
    wanted = [zlib.crc32(output.tobytes()), zlib.crc32(trainer.state.tobytes()), loss]
    with tempfile.TemporaryDirectory() as name:
        modules = [Path(name) / "tinytrain.mpy", Path(name) / "mark.mpy"]
        build_marked(made, board, kernels, modules[0])
        build_mark(board, modules[1])
        files = {path.name: path.read_bytes() for path in modules}
        files |= {"model.ttw": weights_file(made.program, made.source.hash), "x": x.tobytes()}
        rom = Path(name) / "rom.img"
        rom.write_bytes(make_image(files))
        script = SCRIPT.format(outputs=output.size)
        result = drive.run(board, script, romfs=rom, count=True, timeout=3000, xip=xip)
    if "MemoryError" in result.stderr:
        raise DoesNotFit(f"{board}: {result.stderr.strip().splitlines()[-1]}")
    if result.returncode:
        raise RuntimeError(f"{board}: {result.stderr}")
    said = [float(word) for word in result.stdout.split()]
    if said != wanted:
        raise WrongResult(f"{board}: {said} instead of {wanted}")
    inner = 2 * len(list(tiled(made.program.predict)))
    marks = result.marks
    return (
        _cost(marks[: inner + 2], made.program.predict),
        _cost(marks[inner + 2 :], made.program.step),
    )


def _cost(marks: Sequence[drive.Mark], calls: Sequence[KernelCall]) -> Cost:
    """The first and last mark are the script's."""
    found = [
        (inner, inner.node or inner.comment or outer.comment.partition(":")[0])
        for outer in calls
        for inner, _ in tiled([outer])
    ]
    (total,) = differences([marks[0], marks[-1]])
    rows = [
        Row(call.kernel, layer, call.macs, cost.cycles or cost.insns)
        for (call, layer), cost in zip(found, differences(marks[1:-1]), strict=True)
    ]
    return Cost(total.cycles or total.insns, total.insns, rows)
