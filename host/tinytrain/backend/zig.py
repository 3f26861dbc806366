"""zig's clang and linker, which pip installs: no package of the distribution is needed.

It compiles for all targets but Xtensa. Two things differ from the GNU tools for MicroPython's
linker: the linker is called by itself, and clang reaches the GOT on ARM by one relocation that
mpy_ld.py does not know, which is split into the two that it does.
"""

from __future__ import annotations

import importlib.util
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from tinytrain.backend.toolchain import TARGETS, Toolchain
from tinytrain.errors import BuildError

_FLAGS = {
    "x64": "-target x86_64-freestanding",
    "armv6m": "-target thumb-freestanding-eabi -mcpu=cortex_m0",
    "armv7m": "-target thumb-freestanding-eabi -mcpu=cortex_m3",
    "armv7emsp": "-target thumb-freestanding-eabi -mcpu=cortex_m4",
    "armv7emdp": "-target thumb-freestanding-eabi -mcpu=cortex_m7",
    "rv32imc": "-target riscv32-freestanding -mcpu=generic_rv32+m+c -mabi=ilp32 -mno-relax",
}
# unwind tables refer to all functions; without builtins, loops stay loops; warnings are gcc's work
_CODE = (
    "-fno-exceptions -fno-unwind-tables -fno-sanitize=all -fno-stack-protector -fno-builtin "
    "-fno-unroll-loops -fno-vectorize -fno-slp-vectorize -g0 -w"
)

R_ARM_BASE_PREL, R_ARM_GOT_BREL, R_ARM_GOT_PREL = 25, 26, 96
GOT = b"_GLOBAL_OFFSET_TABLE_"


@dataclass(frozen=True, slots=True)
class ZigToolchain(Toolchain):
    """`python -m ziglang`, as the package ziglang has it."""

    @property
    def prefix(self) -> str | None:
        return "zig " if importlib.util.find_spec("ziglang") else None

    def find(self) -> str:
        if self.prefix is None:
            raise BuildError(f"--toolchain zig needs ziglang, not installed: {self.install}")
        return str(_folder() / "zig")

    def compiler(self) -> list[str]:
        self.find()
        return [sys.executable, "-m", "ziglang", "cc"]

    def stack_usage(self, name: str) -> list[str]:
        return [w for o in ("-stack-usage-file", f"{Path(name).stem}.su") for w in ("-Xclang", o)]

    def surroundings(self) -> dict[str, str]:
        # in the folder of the build: objects out of a common cache come without their .su
        caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), "zig-cache")
        return {**Toolchain.surroundings(self), **caches}

    def merger(self, entry: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "ziglang",
            "ld.lld",
            "-r",
            "--gc-sections",
            f"--entry={entry}",
        ]

    def finish(self, merged: Path) -> None:
        split_got_relocations(merged)

    def include_dir(self) -> Path:
        self.find()
        return _folder() / "lib" / "include"


def _folder() -> Path:
    spec = importlib.util.find_spec("ziglang")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def zig_toolchain(target: str, core: str = "") -> ZigToolchain:
    """The row of a target; BuildError for those that zig cannot compile for."""
    if target not in TARGETS or target not in _FLAGS:
        raise BuildError(
            f"zig cannot build for {target}; use --toolchain gnu, or one of {', '.join(_FLAGS)}"
        )
    flags = (*_FLAGS[target].split(), *_CODE.split())
    return ZigToolchain(target, (), flags, "pip install ziglang", core, gnu=False, whole=())


def split_got_relocations(path: Path) -> None:
    """R_ARM_GOT_PREL (GOT entry of S, less the place) becomes R_ARM_GOT_BREL (entry less GOT) and
    R_ARM_BASE_PREL (GOT less the place) at the same place: mpy_ld.py adds what each one gives."""
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        if elf["e_machine"] != "EM_ARM":
            return
        changed = _changed_sections(elf)
        index = {section.name: i for i, section in enumerate(elf.iter_sections())}
        for name, content in changed.items():
            data += bytes(-len(data) % 4)
            header = elf["e_shoff"] + index[name] * elf["e_shentsize"]
            struct.pack_into("<II", data, header + 16, len(data), len(content))  # offset, size
            data += content
    path.write_bytes(data)


def _changed_sections(elf: Any) -> dict[str, bytes]:
    """Relocations that have been split, and the GOT's name at the end of the symbol table."""
    symbols, names = elf.get_section_by_name(".symtab"), elf.get_section_by_name(".strtab")
    number = symbols.num_symbols()
    changed = {}
    for section in elf.iter_sections():
        if section["sh_type"] == "SHT_REL":
            entries = b"".join(_split(entry, number) for entry in section.iter_relocations())
            if entries != section.data():
                changed[section.name] = entries
    if changed:
        undefined_global = 1 << 4  # st_info
        symbol = struct.pack("<IIIBBH", names["sh_size"], 0, 0, undefined_global, 0, 0)
        changed |= {".symtab": symbols.data() + symbol, ".strtab": names.data() + GOT + b"\0"}
    return changed


def _split(entry: Any, got: int) -> bytes:
    place, symbol, kind = entry["r_offset"], entry["r_info_sym"], entry["r_info_type"]
    if kind != R_ARM_GOT_PREL:
        return struct.pack("<II", place, symbol << 8 | kind)
    pair = (symbol << 8 | R_ARM_GOT_BREL, got << 8 | R_ARM_BASE_PREL)
    return b"".join(struct.pack("<II", place, info) for info in pair)
