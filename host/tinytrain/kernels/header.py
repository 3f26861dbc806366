"""Reads the one declaration header of the kernels, so that calls and structs are made by name.

Whoever emits or makes a call gives arguments and fields by the names of the declaration; what is
unknown, missing or out of range is a BuildError that says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from pycparser import c_ast, c_parser  # type: ignore[import-untyped]

from tinytrain.errors import BuildError
from tinytrain.resources import c_kernels_dir

T = TypeVar("T")

# The range of every integer type that the header uses.
INTEGER_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    **{f"int{bits}_t": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32)},
    **{f"uint{bits}_t": (0, 2**bits - 1) for bits in (8, 16, 32)},
}

# What gradients consist of: the one type that the header leaves to whoever includes it.
MANTISSA: Final = "tt_mantissa"

# Structs that live in memory; a first parameter of another type holds a kernel's parameters.
DATA_STRUCTS: Final = frozenset({"tt_grad", "tt_rate", "tt_sums", "tt_part"})

# The last parameter of kernels that can be called for a part of their work: it changes no result,
# so that who wants everything at once need not give it.
PART: Final = "part"


@dataclass(frozen=True, slots=True)
class CType:
    """The type of a parameter or field: a base name, perhaps pointed to; `flexible` is `name[]`."""

    base: str
    pointer: bool = False
    const: bool = False
    flexible: bool = False

    @property
    def text(self) -> str:
        """As C writes it, without the name."""
        return ("const " if self.const else "") + self.base + (" *" if self.pointer else "")


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter of a function or a field of a struct."""

    name: str
    type: CType


@dataclass(frozen=True, slots=True)
class Function:
    """A kernel, or the function that says how much scratch memory it needs."""

    name: str
    result: CType
    parameters: tuple[Variable, ...]

    @property
    def params_struct(self) -> str | None:
        """The struct that the first parameter points to, if that holds the kernel's parameters."""
        first = self.parameters[0].type
        is_params = first.pointer and first.const and first.base not in INTEGER_RANGES
        return first.base if is_params and first.base not in DATA_STRUCTS else None

    def arrange(self, values: Mapping[str, T]) -> list[T]:
        """Arguments given by name, in the order of the declaration; `part` may be left out."""
        declared = self.parameters
        if self.in_parts and PART not in values:
            declared = declared[:-1]
        _check_names(self.name, "parameter", declared, values)
        return [values[p.name] for p in declared]

    @property
    def in_parts(self) -> bool:
        """Whether the kernel can be called for a part of its work."""
        return self.parameters[-1].name == PART


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct with its fields in order."""

    name: str
    fields: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Declarations:
    """Everything that the header declares, by name."""

    functions: Mapping[str, Function]
    structs: Mapping[str, Struct]
    constants: Mapping[str, int]

    def function(self, name: str) -> Function:
        """The function of that name, or a BuildError."""
        return _find(self.functions, name, "function")

    def struct(self, name: str) -> Struct:
        """The struct of that name, or a BuildError."""
        return _find(self.structs, name, "struct")

    def scratch_function(self, kernel: str) -> str | None:
        """The function that says how many bytes of scratch memory a kernel needs, if any."""
        name = f"{self.function(kernel).name}_scratch"
        return name if name in self.functions else None

    def check(self, struct: str, values: Mapping[str, object]) -> None:
        """Refuse unknown and missing fields, and values that a field cannot hold."""
        declared = self.struct(struct)
        _check_names(struct, "field", declared.fields, values)
        for field in declared.fields:
            value, where = values[field.name], f"{struct}.{field.name}"
            if isinstance(value, Mapping):
                self.check(field.type.base, value)
                continue
            if field.type.base not in INTEGER_RANGES or field.type.flexible:
                raise BuildError(f"{where} is a {field.type.text}; give it as a mapping")
            low, high = INTEGER_RANGES[field.type.base]
            if not hasattr(value, "__index__") or isinstance(value, bool):
                raise BuildError(f"{where} must be an integer, not {value!r}")
            if not low <= value.__index__() <= high:
                raise BuildError(f"{where} = {value} does not fit {field.type.text}")

    def initializer(self, struct: str, values: Mapping[str, object]) -> str:
        """A C99 designated initializer, fields in the order of the declaration."""
        self.check(struct, values)
        return self._initializer(struct, values)

    def _initializer(self, struct: str, values: Mapping[str, object]) -> str:
        parts = []
        for field in self.struct(struct).fields:
            value = values[field.name]
            if isinstance(value, Mapping):
                text = self._initializer(field.type.base, value)
            else:
                text = c_integer(value)
            parts.append(f".{field.name} = {text}")
        return "{" + ", ".join(parts) + "}"


def c_integer(value: object) -> str:
    """An integer literal for C. The smallest int32 has no literal of its own type."""
    assert hasattr(value, "__index__")
    number = int(value.__index__())
    return "(-2147483647 - 1)" if number == -(2**31) else str(number)


def header_path() -> Path:
    """Where tinytrain_kernels.h lies."""
    return include_dir() / "tinytrain_kernels.h"


def header_text(gradient_bits: int = 16) -> str:
    """The header with the type it stands on; cffi's cdef() reads it."""
    mantissa = f"typedef int{gradient_bits}_t {MANTISSA};\n"
    return mantissa + header_path().read_text(encoding="utf-8")


def include_dir() -> Path:
    """The directory of the headers."""
    return c_kernels_dir() / "include"


def sources_dir() -> Path:
    """The directory of the C files."""
    return c_kernels_dir() / "src"


@cache
def declarations() -> Declarations:
    """The header, parsed."""
    return parse(header_path().read_text(encoding="utf-8"))


@cache
def part_functions() -> Mapping[str, str]:
    """Kernels that know nothing of parts, with the functions that call them for one."""
    text = (include_dir() / "tinytrain_parts.h").read_text(encoding="utf-8")
    return {f"tt_{name}": f"tt_part_{name}" for name in re.findall(r"\btt_part_(\w+)\(", text)}


def parse(text: str) -> Declarations:
    """Read declarations: typedefs of structs, enums, prototypes and integer #defines."""
    # comments become spaces and directives empty lines, so that line numbers in errors are right
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)
    defines = re.finditer(r"^#define (\w+) (-?\w+) *$", text, flags=re.MULTILINE)
    constants = {m[1]: int(m[2], 0) for m in defines}
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    typedefs = "".join(f"typedef int {name};" for name in (*INTEGER_RANGES, MANTISSA))
    try:
        tree = c_parser.CParser().parse(typedefs + text, "tinytrain_kernels.h")
    except c_parser.ParseError as error:
        raise BuildError(f"cannot read the kernels' declarations: {error}") from error
    functions: dict[str, Function] = {}
    structs: dict[str, Struct] = {}
    for node in tree.ext:
        if isinstance(node, c_ast.Typedef) and hasattr(node.type.type, "decls"):
            structs[node.name] = Struct(node.name, _variables(node.type.type.decls))
        elif isinstance(node.type, c_ast.FuncDecl):
            functions[node.name] = _function(node)
        elif isinstance(node.type, c_ast.Enum):
            constants.update(_enumerators(node.type))
    return Declarations(functions, structs, constants)


def _function(node: c_ast.Decl) -> Function:
    return Function(node.name, _type(node.type.type), _variables(node.type.args.params))


def _variables(nodes: Sequence[c_ast.Decl]) -> tuple[Variable, ...]:
    return tuple(Variable(node.name, _type(node.type)) for node in nodes)


def _type(node: c_ast.Node) -> CType:
    pointer, flexible = isinstance(node, c_ast.PtrDecl), isinstance(node, c_ast.ArrayDecl)
    inner = node.type if pointer or flexible else node
    if not isinstance(inner, c_ast.TypeDecl) or not isinstance(inner.type, c_ast.IdentifierType):
        raise BuildError(f"{node.coord}: only types, pointers to them and name[] are understood")
    return CType(" ".join(inner.type.names), pointer, "const" in inner.quals, flexible)


def _enumerators(node: c_ast.Enum) -> Iterator[tuple[str, int]]:
    for item in node.values.enumerators:
        value, sign = item.value, 1
        if isinstance(value, c_ast.UnaryOp) and value.op == "-":
            value, sign = value.expr, -1
        if not isinstance(value, c_ast.Constant):
            raise BuildError(f"{node.coord}: {item.name} must be written as an integer")
        yield item.name, sign * int(value.value, 0)


def _check_names(
    owner: str, what: str, declared: Sequence[Variable], given: Mapping[str, object]
) -> None:
    names = [v.name for v in declared]
    if unknown := sorted(given.keys() - set(names)):
        raise BuildError(f"{owner} has no {what} {', '.join(unknown)}; it has {', '.join(names)}")
    if missing := [name for name in names if name not in given]:
        raise BuildError(f"{owner}: {what} {', '.join(missing)} is missing")


def _find(table: Mapping[str, T], name: str, what: str) -> T:
    if name not in table:
        raise BuildError(f"the kernels' header declares no {what} {name}")
    return table[name]
