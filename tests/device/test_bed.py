"""The test bed itself: every board boots, runs scripts and can be used by a stock mpremote."""

from __future__ import annotations

from pathlib import Path

import drive
import pytest

from support.commands import mpremote

# sys.implementation._mpy >> 10 of MicroPython 1.25: py/persistentcode.h
ARCH_NUMBERS = {
    "x64": 2,
    "armv6m": 4,
    "armv7m": 6,  # MicroPython calls every Thumb-2 core without FPU an armv7em
    "armv7emsp": 7,
    "armv7emdp": 8,
    "xtensawin": 10,
    "rv32imc": 11,
}
MPY_VERSION = (6, 3)
PICO_FREE_HEAP = 242016  # measured on a stock Pico, after boot and gc.collect()


def test_architecture_is_that_of_the_table(board: str) -> None:
    result = drive.run(board, "import sys; print(sys.version_info[0], sys.implementation._mpy)")
    assert (result.returncode, result.stderr) == (0, "")
    mpy = int(result.stdout.split()[1])
    assert mpy >> 10 == ARCH_NUMBERS[drive.targets()[board].arch]
    assert (mpy & 0xFF, mpy >> 8 & 3) == MPY_VERSION


def test_output_arrives_as_printed(board: str) -> None:
    result = drive.run(board, 'print("a\\nb\\r", "\\u00e9" * 3)\nprint("x" * 5000)')
    assert result.stdout == "a\nb\r ééé\n" + "x" * 5000 + "\n"


def test_exception_gives_status_1_and_traceback(board: str) -> None:
    result = drive.run(board, 'print("before")\nraise ValueError("boom")')
    assert result.returncode == 1
    assert result.stdout == "before\n"
    assert "ValueError: boom" in result.stderr


def test_files_and_romfs(board: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20
    put = tmp_path / "data.bin"
    put.write_bytes(data)
    rom = tmp_path / "rom"
    rom.mkdir()
    (rom / "weights.bin").write_bytes(data[::-1])
    (rom / "inrom.py").write_text("answer = 42\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import inrom\n"
        "view = memoryview(open('/rom/weights.bin', 'rb'))\n"
        "print(inrom.answer, open('data.bin', 'rb').read() == bytes(reversed(bytes(view))))\n"
    )
    result = drive.run(board, script, put=[put], romfs=rom)
    assert (result.stdout, result.stderr) == ("42 True\n", "")


def test_each_run_has_a_fresh_board(board: str) -> None:
    script = "import os\nprint('left' in os.listdir())\nopen('left', 'w').close()"
    assert [drive.run(board, script).stdout for _ in range(2)] == ["False\n"] * 2


def test_endless_script_is_stopped(board: str) -> None:
    result = drive.run(board, "print('on')\nwhile True: pass", timeout=4)
    assert result.returncode == drive.TIMED_OUT
    assert result.stdout == "on\n"


def test_unknown_target_is_refused() -> None:
    with pytest.raises(drive.BedError, match="unknown target 'm99'"):
        drive.run("m99", "pass")


@pytest.mark.parametrize("board", ["pico"], indirect=True)
def test_pico_has_the_heap_of_a_stock_pico(board: str) -> None:
    result = drive.run(board, "import gc; gc.collect(); print(gc.mem_free())")
    assert abs(int(result.stdout) - PICO_FREE_HEAP) < 1024


@pytest.mark.parametrize("board", ["pico"], indirect=True)
def test_pico_counts_cycles(board: str) -> None:
    """A loop of 10000 steps takes as many cycles each time, and time.ticks_us agrees with them."""
    script = (
        "import time\n"
        "def f():\n"
        "    for i in range(10000): pass\n"
        "t = time.ticks_us(); f(); print(time.ticks_diff(time.ticks_us(), t))"
    )
    results = [drive.run(board, script, count=True) for _ in range(2)]
    micros = [int(result.stdout) for result in results]
    assert abs(micros[0] - micros[1]) <= micros[0] * 0.01
    # everything between clearing and reading the counters, the raw REPL's part with it
    assert 125 * micros[0] < results[0].counts["cycles"] < 4 * 125 * micros[0]
    assert results[0].counts["native_insns"] == 0


@pytest.mark.parametrize("board", ["m0", "m4f", "m7dp", "rv32", "pico", "esp32"], indirect=True)
def test_stock_mpremote(board: str, tmp_path: Path) -> None:
    file, script = tmp_path / "note.txt", tmp_path / "run.py"
    file.write_text("put works")
    script.write_text("print(open('note.txt').read())")
    with drive.serve(board) as port:
        mpremote(port, "cp", str(file), ":")
        assert "note.txt" in mpremote(port, "ls")
        assert mpremote(port, "run", str(script)) == "put works\n"
        assert mpremote(port, "exec", "print(6 * 7)") == "42\n"
        # a file comes back as it went
        mpremote(port, "cp", ":note.txt", str(tmp_path / "back.txt"))
    assert (tmp_path / "back.txt").read_text() == "put works"


@pytest.mark.parametrize("board", ["pico"], indirect=True)
def test_pico_flash_can_be_kept(board: str, tmp_path: Path) -> None:
    flash = tmp_path / "flash.img"
    with drive.serve(board, flash=flash) as port:
        mpremote(port, "exec", "f = open('kept', 'w'); f.write('still here'); f.close()")
    with drive.serve(board, flash=flash) as port:
        assert mpremote(port, "exec", "print(open('kept').read())") == "still here\n"
