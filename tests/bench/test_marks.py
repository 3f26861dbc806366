"""The emulators note counts at marks; what the model of the Cortex-M4 makes of instructions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import drive
import pytest

from bench.whole import BOARDS, build_mark

HEADER = Path(drive.__file__).parent / "qemu" / "cortex_m4.h"

# what runs one after the other, as assembled by GNU as for Cortex-M4: half words, cycles
INSTRUCTIONS = [
    ("ldr r0, [r1]", [0x6808], 2),
    ("ldr r2, [r3]", [0x681A], 1),  # in the pipeline
    ("ldrb r4, [r2, #1]", [0x7854], 2),  # needs r2
    ("ldrsb r5, [r4, r0]", [0x5625], 2),  # needs r4
    ("ldr.w r6, [r7], #4", [0xF857, 0x6B04], 1),
    ("ldr.w r8, [r9, r6]", [0xF859, 0x8006], 2),
    ("ldr r0, [sp, #8]", [0x9802], 1),
    ("str r0, [r1]", [0x6008], 1),
    ("ldr r0, [pc, #4]", [0x4801], 2),
    ("smlad r0, r1, r2, r0", [0xFB21, 0x0002], 1),
    ("smull r0, r1, r2, r3", [0xFB82, 0x0103], 1),
    ("muls r0, r1", [0x4348], 1),
    ("strh.w r0, [r1, #6]", [0xF8A1, 0x00C6], 1),
    ("ldrd r0, r1, [r2]", [0xE9D2, 0x0100], 3),
    ("push {r4, r5, r6, r7, lr}", [0xB5F0], 6),
    ("pop {r4, r5, r6, r7, pc}", [0xBDF0], 6),
    ("ldmia r0!, {r1, r2, r3}", [0xC80E], 4),
    ("stmdb sp!, {r4, r8, lr}", [0xE92D, 0x4110], 4),
    ("sdiv r0, r1, r2", [0xFB91, 0xF0F2], 6),
    ("udiv r0, r1, r2", [0xFBB1, 0xF0F2], 6),
    ("bne .", [0xD1FE], 1),
    ("sxtb16 r0, r1", [0xFA2F, 0xF081], 1),
]


def test_cycles_of_a_cortex_m4(tmp_path):
    code = [
        "{" + ", ".join(f"{b & 255}, {b >> 8}" for b in words) + "}" for _, words, _ in INSTRUCTIONS
    ]
    (tmp_path / "main.c").write_text(
        f"""#include <stdio.h>
#include "{HEADER}"
static const uint8_t code[][4] = {{{", ".join(code)}}};
int main(void) {{
    int loaded = NOT_LOADED;
    for (size_t i = 0; i < sizeof(code) / sizeof(*code); i++) {{
        printf("%u %zu\\n", m4_cycles(code[i], &loaded), thumb_size(code[i]));
    }}
}}
"""
    )
    program = tmp_path / "main"
    subprocess.run(["gcc", tmp_path / "main.c", "-o", program], check=True)
    said = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    expected = [f"{text}: {cycles} {2 * len(words)}" for text, words, cycles in INSTRUCTIONS]
    names = [text for text, _, _ in INSTRUCTIONS]
    found = [f"{text}: {line}" for text, line in zip(names, said.splitlines(), strict=True)]
    assert found == expected


@pytest.mark.parametrize("board", BOARDS, indirect=True)
def test_marks_are_noted(board, tmp_path):
    build_mark(board, tmp_path / "mark.mpy")
    script = "from mark import mark\nfor _ in range(3): mark()"
    result = drive.run(board, script, put=[tmp_path / "mark.mpy"], count=True)
    first, second, third = result.marks
    assert 1 < second.insns - first.insns == third.insns - second.insns < 20
    assert second.cycles - first.cycles == third.cycles - second.cycles
    assert (first.cycles > 0) == (board in ("pico", "m4f"))
