"""Prints kernel calls as C, by the names in the kernels' declarations.

A kernel that changed its parameters is an error here, not wrong code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tinytrain.ir.program import (
    Argument,
    Buffer,
    KernelCall,
    Runtime,
    Tile,
    View,
)
from tinytrain.kernels.header import PART, CType, declarations, part_functions
from tinytrain.kernels.library import library
from tinytrain.plan.arena import Arena

STEP_NAMES: Final = {
    Runtime.LABEL: "run->label",
    Runtime.TARGET: "run->target",
    Runtime.RATE: "&run->rate",
    Runtime.LOSS: "&run->loss",
}
APPLY_NAMES: Final = {Runtime.RATE: "rate", Runtime.COUNT: "(int32_t)steps[1]"}


@dataclass(slots=True)
class Structs:
    """Parameter structs printed so far, equal ones once: members of one constant, `params`.
    offsets: of each in it, for all targets: their integers have fixed sizes."""

    names: dict[tuple[str, str], str] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    nbytes: int = 0

    def name(self, struct_name: str, values: Mapping[str, object]) -> str:
        """The member that has these values."""
        text = declarations().initializer(struct_name, values)
        if (struct_name, text) not in self.names:
            name = self.names[struct_name, text] = f"p{len(self.names)}"
            ffi = library().ffi
            self.offsets[name] = self.nbytes + -self.nbytes % ffi.alignof(struct_name)
            self.nbytes = self.offsets[name] + ffi.sizeof(struct_name)
        return self.names[struct_name, text]

    def lines(self) -> list[str]:
        """The constant, if there is anything in it."""
        if not self.names:
            return []
        return [
            "typedef struct {",
            *(f"    {struct} {name};" for (struct, _), name in self.names.items()),
            "} tt_params;",
            "",
            "static const tt_params params = {",
            *(wrap(f"    .{name} = {text},", 8) for (_, text), name in self.names.items()),
            "};",
            "",
        ]


WIDTH = 100


def wrap(text: str, indent: int) -> str:
    """A declaration or call on lines of at most WIDTH, broken after commas."""
    lines = [""]
    for part in text.replace(", ", ",\0").split("\0"):
        room = WIDTH - len(lines[-1]) - 1
        if not lines[-1]:
            lines[-1] = part
        elif len(part) <= room:
            lines[-1] += f" {part}"
        else:
            lines.append(" " * indent + part)
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Names come from model files: nothing of them may end the comment or begin another."""
    return re.sub(r"[^\w .:;,>#/-]", "_", text, flags=re.ASCII)


LOOPS = ("row", "column")


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints calls. runtime: what run-time arguments are called here. in_parts: for tt_model_call,
    where a call is only as much as `part` says."""

    arena: Arena
    structs: Structs
    runtime: Mapping[Runtime, str] = field(default_factory=dict)
    in_parts: bool = False

    def call(self, call: KernelCall, indent: int = 4) -> str:
        """A call."""
        comment = f"{' ' * indent}/* {one_line(call.comment)} */\n" if call.comment else ""
        function = declarations().function(call.kernel)
        types = {v.name: v.type for v in function.parameters}
        texts = {
            name: self._argument(argument, types.get(name)) for name, argument in call.args.items()
        }
        if function.in_parts:
            texts[PART] = PART if self.in_parts else "NULL"
        arguments, name = function.arrange(texts), call.kernel
        if self.in_parts and name in part_functions():
            arguments, name = [PART, *arguments], part_functions()[name]
        return comment + wrap(f"{' ' * indent}{name}({', '.join(arguments)});", indent + 4)

    def _argument(self, argument: Argument, ctype: CType | None) -> str:
        match argument:
            case None:
                return "NULL"
            case Runtime():
                return self.runtime[argument]
            case int():
                return str(argument)
            case Buffer():
                assert ctype is not None
                placed = self.arena.offsets
                offset = placed[argument.name] if argument.offset < 0 else argument.offset
                return f"({ctype.text})({argument.region.value} + {offset})"
            case View(buffer, offset):
                assert ctype is not None
                return f"({ctype.text})(arena + {self.arena.offsets[buffer.name] + offset})"
            case Tile(axis, start, step):
                sign = "+" if start >= 0 else "-"
                return f"{LOOPS[axis]} * {step} {sign} {abs(start)}"
            case _:
                assert ctype is not None
                return f"&params.{self.structs.name(ctype.base, argument)}"
