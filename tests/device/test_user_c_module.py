"""The same sources as part of a firmware: same script, same bits, code and weights in flash."""

from __future__ import annotations

import firmware
import pytest
from test_parity import BOARDS, MODEL, SCRIPT, STEPS, in_simulator

from tinytrain.build import build

CASES = [
    pytest.param("unix", "all", marks=pytest.mark.slow),
    pytest.param("pico", "last:3", marks=pytest.mark.slow),
]

# what only a module with weights of its own does; the name of a builtin may be a variable
OWN_WEIGHTS = """
import binascii, gc, tinytrain
with open("model.ttw", "rb") as file:
    copy = file.read()
gc.collect()
free = gc.mem_free()
t = tinytrain.Trainer()
gc.collect()
used = free - gc.mem_free()
print(t.ram <= used < t.ram + 512, "in place" in str(t))
x = bytes(i * 7 & 255 for i in range(784))
ValueError = open = memoryview = None
print(t.step(x, 1) == tinytrain.Trainer(copy).step(x, 1), len(t.state))
try:
    t.step(x, 10)
except Exception as error:
    print(repr(error))
for i in range(20):
    gc.collect()
    tinytrain.Trainer().deinit()
print(t.step(x, 1), tinytrain.Trainer.input_shape, tinytrain.__name__)
"""


@pytest.fixture(scope="module")
def with_module(tmp_path_factory):
    """Builds the model and the firmware: (build, path of the firmware) by board and scheme."""
    made = {}

    def make(board, update):
        if board not in made:
            folder = tmp_path_factory.mktemp(f"usermod-{board}")
            built = build(MODEL, BOARDS[board], update, folder / "build", user_c_module=True)
            path = firmware.BUILDERS[board](built.folder / "usermod", folder / "firmware")
            made[board] = built, path
        return made[board]

    return make


@pytest.mark.parametrize(("board", "update"), CASES, indirect=["board"])
def test_user_c_module_computes_the_same_bits(board, update, run_on, with_module):
    built, path = with_module(board, update)
    script = SCRIPT.format(steps=STEPS).replace('Trainer("model.ttw")', "Trainer()")
    result = run_on(board, script, firmware=path, timeout=600)
    assert result.returncode == 0, result.stderr
    assert result.stdout == in_simulator(built)


@pytest.mark.parametrize(("board", "update"), CASES, indirect=["board"])
def test_weights_stay_in_flash(board, update, run_on, with_module):
    built, path = with_module(board, update)
    result = run_on(board, OWN_WEIGHTS, firmware=path, put=[built.folder / "model.ttw"])
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "True True"
    assert lines[1] == f"True {built.compiled.program.state_bytes}"
    assert lines[2].startswith("ValueError('y: 0 to 9 expected, got 10'")
    assert lines[3].endswith("(1, 28, 28, 1) tinytrain")
