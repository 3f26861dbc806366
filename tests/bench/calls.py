"""Kernel calls on emulated boards: a native module of the kernels, compiled as for a model.

A call travels as an image: the kernel's index, which of its arguments are addresses, the arguments,
then what they point to. The board runs it in place; afterwards it says what it cost and the CRC of
all but scratch, which the same call on this machine must have too.
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

from tinytrain.backend.kernel_sources import compact_sources, include_dirs, kernel_sources
from tinytrain.backend.natmod import build_natmod
from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import Library
from tinytrain.resources import mpy_module_dir

SCRATCH = ("scratch", "d")
ROMFS_BYTES = 240_000

BINDING = """
#include "py/dynruntime.h"
#include "tinytrain.h"

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
    return mp_obj_new_int_from_uint(call(words[0], a));
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
counting = {pico}
if counting:
    from machine import mem32
    def counted():
        return [mem32[0x4f000000 + 4 * i] & 0xffffffff for i in range(3)]
    mem32[0x4f000000] = 1
    tinykernels.run(bytearray(b"\\xff\\xff\\xff\\xff" + bytes(68)))  # no kernel
    around = counted()
with open("/rom/calls.bin", "rb") as f:
    head = bytearray(8)
    while f.readinto(head):
        size = int.from_bytes(head[:4], "little")
        checked = int.from_bytes(head[4:], "little")
        image = bytearray(size)
        f.readinto(image)
        if counting:
            mem32[0x4f000000] = 1
        if {really}:
            tinykernels.run(image)
        counts = counted() if counting else []
        if counting and {really}:
            counts[:2] = [n - m for n, m in zip(counts, around)][:2]
        print(binascii.crc32(memoryview(image)[:checked]), *counts)
        image = None
        gc.collect()
"""


@dataclass(frozen=True)
class Call:
    """A kernel with its arguments, as Library.call takes them."""

    kernel: str
    args: Sequence[Any]


@dataclass(frozen=True)
class Image:
    """A call in memory; the first `checked` bytes are compared. at: offset of each argument."""

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
    return Image(bytes(memory + bytes(-len(memory) % 4)), end, tuple(at))


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
    return zlib.crc32(raw[: image.checked])


def build_module(board: str, kernels: Sequence[str], bits: int, out: Path) -> None:
    """tinykernels.mpy for a board, of these kernels."""
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
        sources = kernel_sources(row.arch, core=row.core)
        build_natmod(
            [binding, mpy_module_dir() / "runtime.c", *sources],
            include_dirs(),
            row.arch,
            out,
            Path(work) / "work",
            compact=[binding, *compact_sources(row.arch, core=row.core)],
            core=row.core,
            defines=[f"TT_GRADIENT_BITS={bits}"],
        )


@dataclass(frozen=True)
class Outcome:
    """What the board made of a call. cycles, insns, stack: on the pico."""

    crc: int
    cycles: int = 0
    insns: int = 0
    stack: int = 0


def run_calls(
    board: str, module: Path, images: Sequence[Image], *, really: bool = True, timeout: float = 600
) -> tuple[list[Outcome], dict[str, int]]:
    """Run the calls one after the other on fresh boards; and what the boards counted in all.

    really: False to do everything but the calls, for what that alone costs.
    """
    outcomes: list[Outcome] = []
    counts: dict[str, int] = {}
    for batch in batches(images):
        found, more = run_batch(board, module, batch, really, timeout)
        outcomes += found
        counts = {key: counts.get(key, 0) + n for key, n in more.items()}
    return outcomes, counts


def batches(images: Sequence[Image]) -> Iterator[list[Image]]:
    """As many calls at a time as a board's ROMFS holds."""
    batch: list[Image] = []
    for image in images:
        if sum(len(i.memory) for i in (*batch, image)) > ROMFS_BYTES and batch:
            yield batch
            batch = []
        batch.append(image)
    yield batch


def run_batch(
    board: str, module: Path, images: Sequence[Image], really: bool, timeout: float
) -> tuple[list[Outcome], dict[str, int]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "calls.bin").open("wb") as file:
            for image in images:
                file.write(np.array([len(image.memory), image.checked], np.uint32).tobytes())
                file.write(image.memory)
        script = SCRIPT.format(pico=board == "pico", really=really)
        result = drive.run(board, script, put=[module], romfs=folder, count=True, timeout=timeout)
    if result.returncode:
        raise RuntimeError(f"{board}: {result.stderr}")
    lines = [list(map(int, line.split())) for line in result.stdout.splitlines()]
    return [Outcome(crc & 0xFFFFFFFF, *rest) for crc, *rest in lines], result.counts
