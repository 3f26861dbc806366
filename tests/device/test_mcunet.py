"""MCUNet's 49 KB scheme trains on the emulated Pico: within its heap, in place, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.shared import path_of

EXAMPLES = Path(__file__).parents[2] / "examples"
PAPER_BYTES = 137_216


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pico"], indirect=True)
def test_the_published_scheme_trains_on_a_pico(
    board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path_of("mcunet_5fps_128_c10")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from mcunet import on_pico

    built, measured = on_pico.measure(tmp_path, steps=2)
    assert board == "pico" and measured.board == measured.simulator
    arena, state = built.compiled.arena.nbytes, built.compiled.program.state_bytes
    assert arena + state <= PAPER_BYTES
    # what the report says is what the board shows: the Trainer is one block and some small objects
    assert arena + state <= measured.trainer <= arena + state + 1024
    module = int(str(built.report.values["module_bytes"]))
    assert module <= measured.module <= module + 2048  # its type and names beside code
    assert measured.left > 8 * 1024  # with the image in memory, too
    estimated = built.report.values["cycles_step"]
    assert estimated == pytest.approx(measured.step_us * on_pico.CLOCK_HZ / 1e6, rel=0.25)
