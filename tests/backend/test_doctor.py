"""`tinytrain doctor`: finds what is there, and names the command for what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinytrain.backend import doctor
from tinytrain.backend.board import load_board
from tinytrain.backend.toolchain import TARGETS
from tinytrain.cli import main


def test_nothing_is_missing_where_everything_is_set_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "nothing is missing for any target" in shown
    for target in TARGETS:
        assert f"compiler for {target}" in shown


def test_missing_things_come_with_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TINYTRAIN_CACHE", str(tmp_path))
    monkeypatch.delenv("MPY_DIR", raising=False)
    missing = {f.what: f.remedy for f in doctor.examine() if f.found is None}
    assert missing["compiler for armv6m"] == "apt-get install gcc-arm-none-eabi"
    assert missing["compiler for rv32imc"] == "apt-get install gcc-riscv64-unknown-elf"
    assert "bed.sh setup esp32" in missing["compiler for xtensawin (esp32s2)"]
    assert "make setup" in missing["MicroPython's sources"]
    assert main(["doctor", "--board", "rpi_pico"]) == 2
    said = capsys.readouterr()
    assert "compiler for armv6m is missing: apt-get install gcc-arm-none-eabi" in said.out
    assert "xtensawin" not in said.out
    assert said.err == "tinytrain: 3 of 6 missing\n"


def test_a_compiler_for_something_else_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("arm-none-eabi-gcc", "gcc"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    found = {f.what: f.found for f in doctor.examine(load_board("nucleo_f446re"))}
    assert found["compiler for armv7emsp"] is None


def test_boards_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if line.split()[:1] == ["rpi_pico"])
    assert "armv6m" in line and "242,016" in line and "125 MHz" in line
    line = next(line for line in shown.splitlines() if line.split()[:1] == ["esp32_s2"])
    assert "xtensawin (esp32s2)" in line and "~130,000" in line
