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
    """For each function of an object, those that it refers to, by itself or by a literal."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        places = _Functions(elf)
        literals, found = {}, []
        for section, relocation, symbol in _all_relocations(elf, _symbols(elf)):
            at = section, relocation["r_offset"]
            target = symbol["st_value"] + _addend(relocation)
            if elf.get_section(section).name.startswith(".literal"):
                data = elf.get_section(section).data()
                target += int.from_bytes(data[at[1] : at[1] + 4], "little")
                literals[at] = symbol["st_shndx"], target
            else:
                found.append((at, (symbol["st_shndx"], target)))
        calls: dict[str, set[str]] = {name: set() for name in places.names()}
        for at, target in found:
            caller, callee = places.name(at), places.name(literals.get(target, target))
            if caller and callee and caller != callee:
                calls[caller].add(callee)
        return calls


class _Functions:
    """Which function is where in the sections of code."""

    def __init__(self, elf: ELFFile) -> None:
        thumb = int(elf["e_machine"] == "EM_ARM")  # a bit of their addresses
        self._of: dict[int, list[tuple[int, str]]] = {}
        for s in _symbols(elf):
            if s["st_info"]["type"] == "STT_FUNC" and isinstance(s["st_shndx"], int):
                self._of.setdefault(s["st_shndx"], []).append((s["st_value"] & ~thumb, s.name))
        for inside in self._of.values():
            inside.sort()

    def names(self) -> list[str]:
        return [name for inside in self._of.values() for _, name in inside]

    def name(self, place: tuple[int | str, int]) -> str | None:
        """What has that byte of that section."""
        section, offset = place
        inside = self._of.get(section, []) if isinstance(section, int) else []
        return next((name for begin, name in reversed(inside) if begin <= offset), None)


def _addend(relocation: Any) -> int:
    return int(relocation["r_addend"]) if relocation.is_RELA() else 0


def check_object(path: Path, allowed_bss: Collection[str] = ()) -> tuple[int, int, int]:
    """Bytes of text, constants and zeroed data; BuildError naming what is not allowed."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols = _symbols(elf)
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
    for section, relocation, symbol in _all_relocations(elf, symbols):
        name = symbol.name or _section_of(elf, symbol)
        yield elf.get_section(section).name, name, relocation["r_info_type"]


def _all_relocations(elf: ELFFile, symbols: list[Any]) -> Iterator[tuple[int, Any, Any]]:
    """(index of the section, relocation, symbol)."""
    for section in elf.iter_sections():
        if section["sh_type"] in ("SHT_REL", "SHT_RELA"):
            for relocation in _table(elf, section.name).iter_relocations():
                yield section["sh_info"], relocation, symbols[relocation["r_info_sym"]]


def _symbols(elf: ELFFile) -> list[Any]:
    return list(_table(elf, ".symtab").iter_symbols())


def _section_of(elf: ELFFile, symbol: Any) -> str:
    index = symbol["st_shndx"]
    return str(elf.get_section(index).name) if isinstance(index, int) else str(index)


def _table(elf: ELFFile, name: str) -> Any:
    return elf.get_section_by_name(name)
