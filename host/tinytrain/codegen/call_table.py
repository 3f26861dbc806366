"""The generated C keeps kernel calls in tables, and has the code of each kernel's call once.

mpy_module/tt_calls.h says what the bytes of a table mean. What does not fit in is code: loops
over tiles, and calls with numbers that are too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tinytrain.codegen.printer import LOOPS, STEP_NAMES, Printer, Structs, one_line, wrap
from tinytrain.errors import BuildError
from tinytrain.ir.program import Argument, Buffer, KernelCall, Runtime, Tile, View
from tinytrain.kernels.header import PART, CType, declarations, part_functions
from tinytrain.plan.arena import Arena

NARROW, WIDE = 21, 29  # bits of an argument
CALLS: Final = 255  # that a byte can tell apart
RUNTIME: Final = {
    Runtime.RATE: "TT_RUN(rate)",
    Runtime.LOSS: "TT_RUN(loss)",
    Runtime.LABEL: "TT_LABEL",
    Runtime.TARGET: "TT_TARGET",
}


@dataclass(slots=True)
class CallTable:
    """Collects calls and prints them.

    training: there is a tt_run, and calls are done in parts. bits: of an argument, NARROW or WIDE.
    """

    arena: Arena
    structs: Structs
    training: bool
    bits: int
    kernels: dict[str, int] = field(default_factory=dict)
    special: dict[str, int] = field(default_factory=dict)
    tiled: dict[str, int] = field(default_factory=dict)
    tiled_bytes: int = 0

    def table(self, name: str, calls: Iterable[KernelCall]) -> list[str]:
        """A constant with these calls."""
        rows = [self._row(call) for call in calls]
        return [f"static const uint8_t {name}[] = {{", *rows, "};", ""]

    def _row(self, call: KernelCall) -> str:
        record = self._record(call)
        if record is None:
            text = self._loops(call) if call.body else self._plain(call)
            number = self.special.setdefault(text, len(self.special))
            record = f"DO_SPECIAL + {number}, 0,"
        comment = f"    /* {one_line(call.comment)} */\n" if call.comment else ""
        return comment + wrap(f"    {record}", 8)

    def _record(self, call: KernelCall) -> str | None:
        """Kernel, number of arguments, arguments; None if the call has to be code."""
        if call.body:
            return None
        function = declarations().function(call.kernel)
        types = {v.name: v.type for v in function.parameters}
        texts = {n: self._argument(a, types.get(n)) for n, a in call.args.items()}
        arguments = function.arrange(texts | ({PART: ""} if function.in_parts else {}))
        words = [text for text in arguments if text != ""]
        if None in words:
            return None
        self.kernels.setdefault(call.kernel, len(words))
        start = f"DO_{call.kernel.removeprefix('tt_')}, {len(words)}"
        return ", ".join([start, *(w for w in words if w)]) + ","

    def _argument(self, argument: Argument, ctype: CType | None) -> str | None:
        match argument:
            case None:
                return "TT_INTEGER(0)"
            case Runtime():
                return RUNTIME.get(argument)
            case int():
                half = 1 << (self.bits - 1)
                return f"TT_INTEGER({argument})" if -half <= argument < half else None
            case Buffer():
                placed = self.arena.offsets
                offset = placed[argument.name] if argument.offset < 0 else argument.offset
                text = f"TT_{argument.region.name}({offset})"
                return text if offset < 1 << self.bits else None
            case View(buffer, offset):
                offset += self.arena.offsets[buffer.name]
                return f"TT_ARENA({offset})" if offset < 1 << self.bits else None
            case Tile():
                return None
            case _:
                assert ctype is not None
                return f"TT_PARAMS({self.structs.name(ctype.base, argument)})"

    def _plain(self, call: KernelCall) -> str:
        names = STEP_NAMES if self.training else {}
        printer = Printer(self.arena, self.structs, names, in_parts=self.training)
        return printer.call(call, 8)

    def _loops(self, call: KernelCall) -> str:
        """The body once for each tile, row by row; in training, tiles are the pieces."""
        (rows, columns), (row, column) = call.tiles, LOOPS
        pieces = [
            "                if (tile < part->at) {",
            "                    continue;",
            "                }",
            "                if (part->units-- == 0) {",
            "                    part->at = tile;",
            "                    return;",
            "                }",
        ]
        lines = [
            f"        for (int32_t {row} = 0, tile = 0; {row} < {rows}; {row}++) {{",
            f"            for (int32_t {column} = 0; {column} < {columns}; {column}++, tile++) {{",
            *(pieces if self.training else ["                (void)tile;"]),
            *(self._inner(inner) for inner in call.body),
            "            }",
            "        }",
            *(["        part->at = 0;"] if self.training else []),
        ]
        return "\n".join(lines)

    def _inner(self, call: KernelCall) -> str:
        """A call for a tile, whole: from a table too, if nothing in it moves with the tile."""
        record = self._record(call)
        if record is None:
            return Printer(self.arena, self.structs).call(call, 16)
        if record not in self.tiled:
            self.tiled[record] = self.tiled_bytes
            self.tiled_bytes += 2 + (self.bits + 3) // 8 * int(record.split(", ", 2)[1])
        part = "&whole" if self.training else "NULL"
        return f"                perform(tiled_calls + {self.tiled[record]}, at, {part});"

    def code(self) -> list[str]:
        """What the tables refer to, but for the structs; to be printed behind them."""
        names = [f"DO_{kernel.removeprefix('tt_')}" for kernel in self.kernels]
        tiled = [wrap(f"    {record}", 8) for record in self.tiled]
        return [
            *(["static const uint8_t tiled_calls[] = {", *tiled, "};", ""] if tiled else []),
            *_function("perform", [*self._arguments(), *self._switch(names)]),
            *(self._special() if self.special else []),
            *self._do(),
        ]

    def enum(self) -> list[str]:
        """Numbers of the kernels."""
        if len(self.kernels) + len(self.special) > CALLS:
            raise BuildError(f"more than {CALLS} calls that fit into no table: use fewer --patches")
        names = [f"DO_{kernel.removeprefix('tt_')}" for kernel in self.kernels]
        return [wrap(f"enum {{{', '.join([*names, 'DO_SPECIAL'])}}};", 4), ""]

    def _arguments(self) -> list[str]:
        most = max(self.kernels.values(), default=1)
        return [
            f"    uintptr_t a[{most}];",
            "    (void)part;",
            "    tt_arguments(call, at, a);",
        ]

    def _switch(self, names: Sequence[str]) -> list[str]:
        lines = ["    switch (call[0]) {"]
        for name, kernel in zip(names, self.kernels, strict=True):
            function = declarations().function(kernel)
            types = [v.type for v in function.parameters if v.name != PART]
            words = [f"({t.text})a[{i}]" for i, t in enumerate(types)]
            called = kernel
            if function.in_parts:
                words.append(PART if self.training else "NULL")
            elif self.training and kernel in part_functions():
                called, words = part_functions()[kernel], [PART, *words]
            call = wrap(f"        {called}({', '.join(words)});", 12)
            lines += [f"    case {name}:", call, "        break;"]
        return [*lines, "    }"]

    def _special(self) -> list[str]:
        lines = [
            "    const uint8_t *weights = (const uint8_t *)at->base[TT_IN_WEIGHTS];",
            "    uint8_t *state = (uint8_t *)at->base[TT_IN_STATE];",
            "    uint8_t *arena = (uint8_t *)at->base[TT_IN_ARENA];",
            *(["    tt_run *run = (tt_run *)at->base[TT_IN_RUN];"] if self.training else []),
            *(["    tt_part whole = {0, INT32_MAX, 0, 0};"] if self.training else []),
            "    (void)weights;",
            "    (void)state;",
            "    (void)arena;",
            "    (void)part;",
            *(["    (void)run;", "    (void)whole;"] if self.training else []),
            "    switch (call[0] - DO_SPECIAL) {",
        ]
        for text, number in self.special.items():
            lines += [f"    case {number}:", text, "        break;"]
        return _function("special", [*lines, "    }"])

    def _do(self) -> list[str]:
        if not self.special:
            return []
        return _function(
            "perform_any",
            [
                "    if (call[0] < DO_SPECIAL) {",
                "        perform(call, at, part);",
                "    } else {",
                "        special(call, at, part);",
                "    }",
            ],
        )

    @property
    def entry(self) -> str:
        """The function that does a call."""
        return "perform_any" if self.special else "perform"


def _function(name: str, lines: Sequence[str]) -> list[str]:
    head = f"static void {name}(const uint8_t *call, const tt_places *at, tt_part *part) {{"
    return [head, *lines, "}", ""]
