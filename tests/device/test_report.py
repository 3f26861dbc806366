"""What the report says is what the emulated Pico shows: memory, cycles, stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import drive
import pytest

from tinytrain.build import build

pytestmark = pytest.mark.parametrize("board", ["pico"], indirect=True)

EXAMPLES = Path(__file__).parents[2] / "examples"
MODELS = {
    "fashion": EXAMPLES / "digits" / "fashion.tflite",
    "keywords": EXAMPLES / "accuracy" / "keywords.tflite",
}

SCRIPT = """
import gc, time
gc.collect()
gc.collect()
start = gc.mem_free()
import tinytrain
gc.collect()
imported = gc.mem_free()
t = tinytrain.Trainer("model.ttw")
gc.collect()
made = gc.mem_free()
x = bytes((i * 37 % 251 for i in range({size})))
def us(f, *args):
    begin = time.ticks_us()
    f(*args)
    return time.ticks_diff(time.ticks_us(), begin)
print(start - imported, imported - made, t.ram, us(t.predict, x), us(t.step, x, 1))
"""

STACK = """
import tinytrain
t = tinytrain.Trainer("model.ttw")
x = bytes({size})
def deep(n, f, *args):
    if n:
        return deep(n - 1, f, *args)
    return f(*args)
deep({depth}, {call})
"""

OBJECTS = 2048
"""Bytes of MicroPython's own objects around a module and its type, at most."""


def report_of(folder: Path, model: str, update: str) -> Mapping[str, Any]:
    build(MODELS[model], "rpi_pico", update, folder)
    values: Mapping[str, Any] = json.loads((folder / "report.json").read_text())
    return values


def run(board: str, folder: Path, script: str) -> drive.Result:
    result = drive.run(
        board, script, put=[folder / "tinytrain.mpy", folder / "model.ttw"], count=True
    )
    assert (result.stderr, result.returncode) == ("", 0)
    return result


def size_of(folder: Path) -> int:
    header = (folder / "source" / "model.h").read_text()
    return int(header.split("#define TT_INPUT_BYTES ")[1].split()[0])


@pytest.mark.parametrize(("model", "update"), [("fashion", "all"), ("keywords", "last:2")])
def test_memory_and_cycles(board: str, model: str, update: str, tmp_path: Path) -> None:
    said = report_of(tmp_path, model, update)
    result = run(board, tmp_path, SCRIPT.format(size=size_of(tmp_path)))
    module, trainer, ram, predict, step = map(int, result.stdout.split())
    assert ram == said["arena_bytes"] + said["state_bytes"]
    assert said["module_bytes"] <= module <= said["module_bytes"] + OBJECTS
    assert said["weights_in"] == "ram"
    blocks = ram + said["weights_bytes"]
    assert blocks <= trainer <= blocks + 512  # the Trainer, and blocks of 16 bytes
    clock = said["clock_hz"] // 1_000_000
    assert said["cycles_predict"] == pytest.approx(predict * clock, rel=0.25)
    assert said["cycles_step"] == pytest.approx(step * clock, rel=0.25)


def test_stack(board: str, tmp_path: Path) -> None:
    """Deep in Python, where the least stack is left: a step against a call of next to nothing."""
    said, depth = report_of(tmp_path, "fashion", "all"), 14
    measured = {}
    for name, call in (("step", "t.step, x, 1"), ("nothing", "len, x")):
        script = STACK.format(size=size_of(tmp_path), depth=depth, call=call)
        measured[name] = run(board, tmp_path, script).counts["stack"]
    own = measured["step"] - measured["nothing"]
    # the firmware's way into the module, and interrupts, which run on the same stack
    assert 0.5 * said["stack_bytes"] <= own <= said["stack_bytes"] + 256
