"""What a merged object must not contain: MicroPython's loader would not see that it is there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from tinytrain.errors import BuildError

# Names that mpy_ld.py resolves; see link_objects() there
PROVIDED = frozenset(
    (
        *("mp_fun_table", "mp_native_qstr_table", "mp_native_obj_table", "_GLOBAL_OFFSET_TABLE_"),
        *("mp_type_type", "mp_type_str", "mp_type_list", "mp_type_dict", "mp_type_Exception"),
        *("mp_type_fun_builtin_0", "mp_type_fun_builtin_1", "mp_type_fun_builtin_2"),
        *("mp_type_fun_builtin_3", "mp_type_fun_builtin_var", "mp_stream_read_obj"),
        *("mp_stream_readinto_obj", "mp_stream_unbuffered_readline_obj", "mp_stream_write_obj"),
    )
)
TEXT = (".text", ".literal")
RODATA = (".rodata", ".data.rel.ro")
BSS = (".bss",)

SHF_ALLOC = 2
R_ARM_ABS32 = 2


def hide_unused_names(path: Path) -> None:
    """Make undefined symbols local that nothing refers to: mpy_ld.py would ask for global ones."""
    with path.open("r+b") as file:
        elf = ELFFile(file)
        table = _table(elf, ".symtab")
        symbols = list(table.iter_symbols())
        used = {name for _, name, _ in _relocations(elf, symbols)}
        at_info = 4 if elf.elfclass == 64 else 12  # of st_info in a symbol: binding << 4 | type
        for index, symbol in enumerate(symbols):
            if symbol["st_shndx"] == "SHN_UNDEF" and symbol.name and symbol.name not in used:
                at = table["sh_offset"] + index * table["sh_entsize"] + at_info
                file.seek(at)
                kind = file.read(1)[0] & 15
                file.seek(at)
                file.write(bytes([kind]))


def calls_of(path: Path) -> dict[str, set[str]]:
    """For each function (they have sections of their own), those that it refers to."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols = list(_table(elf, ".symtab").iter_symbols())
        calls: dict[str, set[str]] = {
            _function(s.name): set() for s in elf.iter_sections() if s.name.startswith(".text.")
        }
        for section, name, _ in _relocations(elf, symbols):
            if (caller := _function(section)) in calls and _function(name) in calls:
                calls[caller].add(_function(name))
        for caller, called in calls.items():
            called.discard(caller)  # labels of its own
        return calls


def _function(section: str) -> str:
    return section.removeprefix(".text.")


def check_object(path: Path, allowed_bss: Collection[str] = ()) -> tuple[int, int, int]:
    """Bytes of text, constants and zeroed data; BuildError naming what is not allowed."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols = list(_table(elf, ".symtab").iter_symbols())
        _check_undefined(elf, symbols)
        _check_absolute(elf, symbols)
        sizes = {TEXT: 0, RODATA: 0, BSS: 0}
        for index, section in enumerate(elf.iter_sections()):
            if section["sh_flags"] & SHF_ALLOC and section["sh_size"] and _has_content(section):
                inside = [s for s in symbols if s["st_shndx"] == index and s.name]
                sizes[_check_section(section.name, inside, allowed_bss)] += section["sh_size"]
        return sizes[TEXT], sizes[RODATA], sizes[BSS]


def _has_content(section: Any) -> bool:
    return section["sh_type"] in ("SHT_PROGBITS", "SHT_NOBITS")


def _check_section(name: str, inside: list[Any], allowed_bss: Collection[str]) -> tuple[str, ...]:
    """The kind of a section that the board will load."""
    objects = [s for s in inside if s["st_info"]["type"] in ("STT_OBJECT", "STT_FUNC")]
    named = ", ".join(sorted({s.name for s in objects})) or "nameless data"
    if name.startswith(BSS):
        for symbol in objects:
            if symbol.name not in allowed_bss:
                raise BuildError(
                    f"{symbol.name} in {name}: a native module cannot have zeroed variables; "
                    "keep it in the Trainer's block of memory"
                )
            if symbol["st_info"]["bind"] == "STB_LOCAL":
                raise BuildError(f"{symbol.name} in {name} is static: it would not be relocated")
        return BSS
    for kind in (TEXT, RODATA):
        if name.startswith(kind):
            return kind
    raise BuildError(
        f"{named} in {name}: a native module cannot have initialised variables; make it const"
    )


def _check_undefined(elf: ELFFile, symbols: list[Any]) -> None:
    for symbol in symbols:
        if symbol["st_shndx"] == "SHN_COMMON":
            raise BuildError(f"{symbol.name} in COMMON: compile with -fno-common")
        missing = symbol["st_shndx"] == "SHN_UNDEF" and symbol.name
        hidden = symbol["st_info"]["bind"] == "STB_LOCAL"
        if missing and not hidden and symbol.name not in PROVIDED:
            users = sorted({s for s, name, _ in _relocations(elf, symbols) if name == symbol.name})
            raise BuildError(
                f"undefined symbol {symbol.name}, used in {', '.join(users) or 'nothing'}: "
                "a native module has no C library and no compiler runtime"
            )


def _check_absolute(elf: ELFFile, symbols: list[Any]) -> None:
    """Code that holds addresses, as hand-written assembly and jump tables of libgcc do."""
    if elf["e_machine"] != "EM_ARM":
        return
    for section, name, kind in _relocations(elf, symbols):
        if kind == R_ARM_ABS32 and section.startswith((".text", ".rodata")):
            raise BuildError(f"address of {name} in {section}: the module can be loaded anywhere")


def _relocations(elf: ELFFile, symbols: list[Any]) -> Iterator[tuple[str, str, int]]:
    """(section, symbol, type) of every relocation."""
    for section in elf.iter_sections():
        if section["sh_type"] in ("SHT_REL", "SHT_RELA"):
            patched = elf.get_section(section["sh_info"]).name
            for relocation in _table(elf, section.name).iter_relocations():
                symbol = symbols[relocation["r_info_sym"]]
                yield patched, symbol.name or _section_of(elf, symbol), relocation["r_info_type"]


def _section_of(elf: ELFFile, symbol: Any) -> str:
    index = symbol["st_shndx"]
    return str(elf.get_section(index).name) if isinstance(index, int) else str(index)


def _table(elf: ELFFile, name: str) -> Any:
    return elf.get_section_by_name(name)
