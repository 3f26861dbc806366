"""The emulated Pico's instructions: against another emulator, and its two cores side by side."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import drive
import pytest
from emulation.targets import BED

unicorn = pytest.importorskip("unicorn")
arm = pytest.importorskip("unicorn.arm_const")

pytestmark = pytest.mark.parametrize("board", ["pico"], indirect=True)

CODE, STACK = 0x20000100, 0x20010000


def difftest(*options: str | Path) -> str:
    out = drive.targets()["pico"].out
    command = ["node", BED / "pico" / "emu" / "difftest.mjs"]
    command += ["--rp2040js", drive.cache_dir() / "node" / "node_modules" / "rp2040js"]
    command += ["--bootrom", out / "bootrom.bin", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cortex_m0() -> Any:
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M0)
    uc.mem_map(0x20000000, 0x20000)
    return uc


def step(uc: Any, opcode: int, registers: list[int], flags: int) -> tuple[list[int], int]:
    """One instruction on the other emulator: registers r0 to r7 and flags NZCV after it."""
    uc.mem_write(CODE, opcode.to_bytes(2, "little") + b"\x00\xbf")
    for i in range(13):
        uc.reg_write(arm.UC_ARM_REG_R0 + i, registers[i] if i < 8 else 0x1000 * i)
    uc.reg_write(arm.UC_ARM_REG_SP, STACK)
    uc.reg_write(arm.UC_ARM_REG_LR, 0x12345)
    uc.reg_write(arm.UC_ARM_REG_XPSR, flags << 28 | 1 << 24)
    uc.emu_start(CODE | 1, CODE + 2, 0, 1)
    after = [uc.reg_read(arm.UC_ARM_REG_R0 + i) for i in range(8)]
    return after, uc.reg_read(arm.UC_ARM_REG_XPSR) >> 28


def test_arithmetic_equals_unicorn(board: str, tmp_path: Path) -> None:  # noqa: ARG001
    record = tmp_path / "instructions.json"
    difftest("--out", record, "--count", "20000")
    uc = cortex_m0()
    for opcode, before, flags, after, flags_after in json.loads(record.read_text()):
        assert step(uc, opcode, before, flags) == (after, flags_after), f"{opcode:#06x} {before}"


def test_both_cores_do_the_same(board: str) -> None:  # noqa: ARG001
    """Registers, flags, cycles and memory, for random instructions of every kind."""
    difftest("--lockstep", "--count", "300000")


def test_both_cores_start_the_firmware_alike(board: str) -> None:
    out = drive.targets()[board].out
    files = ["--firmware", out / "firmware.bin", "--flash", out / "flash.img"]
    difftest(*files, "--count", "2000000")
