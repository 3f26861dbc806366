"""Kernel calls on emulated boards: a native module of the kernels, compiled as for a model.

A call travels as an image: the kernel's index, which of its arguments are addresses, the arguments,
then what they point to. The board runs it in place, between two marks at which the emulator notes
what native code has cost so far (tt_mark.h), and says the CRC of all but scratch, which the same
call on this machine must have too.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drive
import numpy as np

from tinytrain.backend.kernel_sources import (
    PLAIN,
    SPEED,
    compact_sources,
    include_dirs,
    kernel_sources,
)
from tinytrain.backend.natmod import build_natmod
from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import Library
from tinytrain.resources import mpy_module_dir

MARK_H = Path(__file__).parent
SCRATCH = ("scratch", "d")
CANARY = 64  # bytes behind scratch
ROMFS_BYTES = 240_000  # that the smallest board's memory holds besides

BINDING = """
#include "py/dynruntime.h"
#include "tinytrain.h"
#include "tt_mark.h"

static uint32_t call(uint32_t which, const uintptr_t *a) {
    switch (which) {
%s
    }
    return 0;
}

static mp_obj_t run_image(mp_obj_t image) {
    mp_buffer_info_t b;
    mp_get_buffer_raise(image, &b, MP_BUFFER_RW);
    const uint32_t *words = b.buf;
    uintptr_t a[16];
    for (uint32_t i = 0; i < 16u; i++) {
        a[i] = words[2u + i] + ((words[1] >> i & 1u) != 0u ? (uintptr_t)b.buf : 0u);
    }
    TT_MARK;
    uint32_t result = call(words[0], a);
    TT_MARK;
    return mp_obj_new_int_from_uint(result);
}
static MP_DEFINE_CONST_FUN_OBJ_1(run_obj, run_image);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    (void)n_args;
    (void)n_kw;
    (void)args;
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_run, MP_OBJ_FROM_PTR(&run_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
"""

SCRIPT = """
import binascii, gc, tinykernels
tinykernels.run(bytearray(b"\\xff\\xff\\xff\\xff" + bytes(68)))  # no kernel
with open("/rom/calls.bin", "rb") as f:
    head = bytearray(8)
    while f.readinto(head):
        size = int.from_bytes(head[:4], "little")
        checked = int.from_bytes(head[4:], "little")
        image = bytearray(size)
        f.readinto(image)
        tinykernels.run(image)
        crc = binascii.crc32(memoryview(image)[:checked])
        print(binascii.crc32(memoryview(image)[-{canary}:], crc))
        image = None
        gc.collect()
"""


class WrongResult(Exception):
    """A board computed something else than this machine."""


@dataclass(frozen=True)
class Call:
    """A kernel with its arguments, as Library.call takes them."""

    kernel: str
    args: Sequence[Any]


@dataclass(frozen=True)
class Image:
    """A call in memory; the first `checked` bytes are compared, and those that lie behind scratch,
    which nobody may touch. at: offset of each argument."""

    memory: bytes
    checked: int
    at: tuple[int | None, ...]


def struct_bytes(compiled: Library, name: str, values: Mapping[str, object]) -> bytes:
    return bytes(compiled.ffi.buffer(compiled.struct(name, values)))


def make_image(compiled: Library, index: int, call: Call) -> Image:
    """One array given twice lies in one place; scratch comes last."""
    function = declarations().function(call.kernel)
    order = sorted(range(len(call.args)), key=lambda i: function.parameters[i].name in SCRATCH)
    words = [index, 0] + [0] * 16
    memory = bytearray(4 * len(words))
    at: list[int | None] = [None] * len(call.args)
    seen: dict[int, int] = {}
    checked = None
    for i in order:
        arg, parameter = call.args[i], function.parameters[i]
        if parameter.name in SCRATCH and checked is None:
            checked = len(memory)
        if arg is None or isinstance(arg, int | np.integer):
            words[2 + i] = int(arg or 0) & 0xFFFFFFFF
            continue
        if id(arg) not in seen:
            memory += bytes(-len(memory) % 4)
            seen[id(arg)] = len(memory)
            is_struct = isinstance(arg, Mapping)
            base = parameter.type.base
            memory += struct_bytes(compiled, base, arg) if is_struct else arg.tobytes()
        words[1] |= 1 << i
        words[2 + i] = at[i] = seen[id(arg)]
    memory[: 4 * len(words)] = np.array(words, np.uint32).tobytes()
    end = len(memory) if checked is None else checked
    memory += bytes(-len(memory) % 4) + bytes([0xA5] * CANARY)
    return Image(bytes(memory), end, tuple(at))


def expected_crc(compiled: Library, call: Call, image: Image) -> int:
    """The call on this machine, on the same memory."""
    memory = np.zeros(len(image.memory) // 4, np.int32)  # words: aligned
    raw = memory.view(np.uint8)
    raw[:] = np.frombuffer(image.memory, np.uint8)
    base = raw.ctypes.data
    args = [
        arg if offset is None else compiled.ffi.cast("void *", base + offset)
        for arg, offset in zip(call.args, image.at, strict=True)
    ]
    function = declarations().function(call.kernel)
    if function.in_parts and len(args) == len(function.parameters):
        args[-1] = None  # once for all: at the end the part is what it was at first
    compiled.call(call.kernel, *args)
    return zlib.crc32(raw[-CANARY:], zlib.crc32(raw[: image.checked]))


def build_module(
    board: str, kernels: Sequence[str], bits: int, out: Path, *, plain: bool = False
) -> None:
    """tinykernels.mpy for a board, of these kernels. plain: the portable C at -O2."""
    row = drive.find(board)
    cases = []
    for index, name in enumerate(kernels):
        function = declarations().function(name)
        args = ", ".join(f"({p.type.text})a[{i}]" for i, p in enumerate(function.parameters))
        call = f"{name}({args})"
        if function.result.base != "void":
            statement = f"return (uint32_t){call};"
        elif function.in_parts:  # until all is done, if there is a part
            part = f"((tt_part *)a[{len(function.parameters) - 1}])"
            statement = f"do {call}; while ({part} != NULL && {part}->at != 0); break;"
        else:
            statement = f"{call}; break;"
        cases.append(f"        case {index}u: {statement}")
    with tempfile.TemporaryDirectory() as work:
        binding = Path(work) / "tinykernels.c"
        binding.write_text(BINDING % "\n".join(cases))
        optimize = PLAIN if plain else SPEED
        sources = kernel_sources(row.arch, optimize, row.core)
        build_natmod(
            [binding, mpy_module_dir() / "runtime.c", *sources],
            [MARK_H, *include_dirs()],
            row.arch,
            out,
            Path(work) / "work",
            compact=[binding, *compact_sources(row.arch, optimize, row.core)],
            core=row.core,
            defines=[f"TT_GRADIENT_BITS={bits}"],
        )


@dataclass(frozen=True)
class Outcome:
    """What the board made of a call. cycles: 0 where they are unknown."""

    crc: int
    insns: int
    cycles: int


def run_calls(
    board: str, module: Path, images: Sequence[Image], *, timeout: float = 600
) -> list[Outcome]:
    """Run the calls one after the other, on fresh boards."""
    found = (run_batch(board, module, batch, timeout) for batch in batches(images))
    return [outcome for batch in found for outcome in batch]


def batches(images: Sequence[Image]) -> Iterator[list[Image]]:
    """As many calls at a time as a board's ROMFS holds."""
    batch: list[Image] = []
    for image in images:
        if sum(len(i.memory) for i in (*batch, image)) > ROMFS_BYTES and batch:
            yield batch
            batch = []
        batch.append(image)
    yield batch


def run_batch(board: str, module: Path, images: Sequence[Image], timeout: float) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as name:
        folder, script = Path(name), SCRIPT.format(canary=CANARY)
        with (folder / "calls.bin").open("wb") as file:
            for image in images:
                file.write(np.array([len(image.memory), image.checked], np.uint32).tobytes())
                file.write(image.memory)
        result = drive.run(board, script, put=[module], romfs=folder, count=True, timeout=timeout)
    if result.returncode:
        raise RuntimeError(f"{board}: {result.stderr}")
    around, *costs = differences(result.marks)
    return [
        Outcome(int(crc) & 0xFFFFFFFF, cost.insns - around.insns, cost.cycles - around.cycles)
        for crc, cost in zip(result.stdout.split(), costs, strict=True)
    ]


def differences(marks: Sequence[drive.Mark]) -> list[drive.Mark]:
    """From the first mark to the second, from the third to the fourth ..."""
    pairs = zip(marks[::2], marks[1::2], strict=True)
    return [drive.Mark(b.insns - a.insns, b.cycles - a.cycles) for a, b in pairs]
