"""The generated C keeps kernel calls in tables, and has the code of each kernel's call once.

mpy_module/tt_calls.h says what the bytes of a table mean. What a kernel's calls have in common,
as that there is no clip mask, stands in that code, where the compiler sees it. What does not fit
into a table is code, too: loops over tiles, and calls with numbers that are too large.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tinytrain.codegen.printer import LOOPS, STEP_NAMES, Printer, Structs, one_line, wrap
from tinytrain.errors import BuildError
from tinytrain.ir.program import Argument, Buffer, KernelCall, Runtime, Tile, View
from tinytrain.kernels.header import PART, CType, declarations, part_functions
from tinytrain.plan.arena import Arena

BITS: Final = (3, 11, 19, 27)  # that 1 to 4 bytes hold of an argument
CALLS: Final = 255  # that a byte can tell apart


class Word(NamedTuple):
    """An argument as a table has it. place: what it is relative to; number: the offset, or the
    number itself, and at least as large as what `text` says in C."""

    place: str
    number: int
    text: str

    @property
    def nbytes(self) -> int:
        """Of the table; more than 4: it does not fit."""
        number = 2 * max(self.number, ~self.number) if self.place == "INTEGER" else self.number
        return sum(number >= 1 << bits for bits in BITS) + 1

    @property
    def in_table(self) -> str:
        return f"TT_{self.place}({self.nbytes},{self.text})"  # unbroken

    @property
    def in_code(self) -> str | None:
        """Where it costs no more than in the table."""
        if self.place == "INTEGER":
            return self.text
        names = {"RUN": f" + offsetof(tt_run, {self.text})", "LABEL": "", "TARGET": ""}
        if self.place not in names:
            return None
        return f"(at->base[TT_IN_{self.place}]{names[self.place]})"


RUNTIME: Final = {
    Runtime.RATE: Word("RUN", (1 << BITS[1]) - 1, "rate"),
    Runtime.LOSS: Word("RUN", (1 << BITS[1]) - 1, "loss"),
    Runtime.LABEL: Word("LABEL", 0, "0"),
    Runtime.TARGET: Word("TARGET", 0, "0"),
}


@dataclass(slots=True)
class CallTable:
    """Prints calls. calls: all of them, whatever the tables; kernels: for each kernel in a table,
    its arguments, those None that are not the same in all calls.

    training: there is a tt_run, and calls are done in parts.
    """

    arena: Arena
    structs: Structs
    training: bool
    calls: Sequence[KernelCall]
    kernels: dict[str, list[Word | None]] = field(default_factory=dict)
    special: dict[str, int] = field(default_factory=dict)
    tiled: dict[str, int] = field(default_factory=dict)
    tiled_bytes: int = 0

    def __post_init__(self) -> None:
        for call in (inner for outer in self.calls for inner in (outer, *outer.body)):
            words = self._words(call)
            if words is not None:
                common = self.kernels.setdefault(call.kernel, list(words))
                common[:] = [a if a == b else None for a, b in zip(common, words, strict=True)]

    def table(self, name: str, calls: Iterable[KernelCall]) -> list[str]:
        """A constant with these calls."""
        rows = [self._row(call) for call in calls]
        return [f"static const uint8_t {name}[] = {{", *rows, "};", ""]

    def _row(self, call: KernelCall) -> str:
        words = self._words(call)
        if words is not None:
            record, _ = self._record(call.kernel, words)
        else:
            text = self._loops(call) if call.body else self._plain(call)
            number = self.special.setdefault(text, len(self.special))
            record = f"DO_SPECIAL + {number}, 0,"
        comment = f"    /* {one_line(call.comment)} */\n" if call.comment else ""
        return comment + wrap(f"    {record}", 8)

    def _record(self, kernel: str, words: Sequence[Word]) -> tuple[str, int]:
        """Kernel, how many bytes follow, arguments; and how many bytes that is."""
        common = self.kernels[kernel]
        listed = [w for w, c in zip(words, common, strict=True) if c is None or c.in_code is None]
        nbytes = sum(word.nbytes for word in listed)
        start = f"DO_{kernel.removeprefix('tt_')}, {nbytes}"
        return ", ".join([start, *(word.in_table for word in listed)]) + ",", 2 + nbytes

    def _words(self, call: KernelCall) -> list[Word] | None:
        """The arguments; None if the call has to be code."""
        if call.body:
            return None
        function = declarations().function(call.kernel)
        types = {v.name: v.type for v in function.parameters}
        words = {n: self._argument(a, types.get(n)) for n, a in call.args.items()}
        if any(word is None or word.nbytes > len(BITS) for word in words.values()):
            return None
        none = {PART: None} if function.in_parts else {}
        return [word for word in function.arrange(words | none) if word is not None]

    def _argument(self, argument: Argument, ctype: CType | None) -> Word | None:
        match argument:
            case None:
                return Word("INTEGER", 0, "0")
            case Runtime():
                return RUNTIME.get(argument)
            case int():
                return Word("INTEGER", argument, str(argument))
            case Buffer():
                placed = self.arena.offsets
                offset = placed[argument.name] if argument.offset < 0 else argument.offset
                return Word(argument.region.name, offset, str(offset))
            case View(buffer, offset):
                offset += self.arena.offsets[buffer.name]
                return Word("ARENA", offset, str(offset))
            case Tile():
                return None
            case _:
                assert ctype is not None
                name = self.structs.name(ctype.base, argument)
                return Word("PARAMS", self.structs.offsets[name], name)

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
        words = self._words(call)
        if words is None:
            return Printer(self.arena, self.structs).call(call, 16)
        record, nbytes = self._record(call.kernel, words)
        if record not in self.tiled:
            self.tiled[record] = self.tiled_bytes
            self.tiled_bytes += nbytes
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
        most = max((len(self._listed(kernel)) for kernel in self.kernels), default=0)
        return [
            f"    uintptr_t a[{max(1, most)}];",
            "    (void)part;",
            "    tt_arguments(call, at, a);",
        ]

    def _listed(self, kernel: str) -> list[int]:
        """Which arguments stand in the tables."""
        common = enumerate(self.kernels[kernel])
        return [i for i, word in common if word is None or word.in_code is None]

    def _switch(self, names: Sequence[str]) -> list[str]:
        lines = ["    switch (call[0]) {"]
        for name, kernel in zip(names, self.kernels, strict=True):
            function = declarations().function(kernel)
            types = [v.type for v in function.parameters if v.name != PART]
            texts = [word.in_code if word else None for word in self.kernels[kernel]]
            for place, index in enumerate(self._listed(kernel)):
                texts[index] = f"a[{place}]"
            words = [f"({t.text}){text}" for t, text in zip(types, texts, strict=True)]
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
