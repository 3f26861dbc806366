"""`tinytrain plan`, and models that do not fit: what is said is what other plans then need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.commands import tinytrain
from tinytrain.build import build
from tinytrain.compilation import Options, compile_model
from tinytrain.errors import BuildError

MODEL = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"
LINE = re.compile(r"^  (.+?) +([\d,]+)   (?:fits|[\d,]+ still missing|[+-][\d,]+)", re.MULTILINE)

BOARD = """
title = "A board with little memory"
target = "armv6m"
heap_bytes = {heap}
stack_bytes = 8192
weights = ["file"]
"""


def offers(text: str) -> dict[str, int]:
    """Change -> bytes needed with it."""
    return {name: int(n.replace(",", "")) for name, n in LINE.findall(text)}


def arena_and_state(update: str, options: Options) -> int:
    compiled = compile_model(MODEL, update, options)
    return compiled.arena.nbytes + compiled.program.state_bytes


def test_plan_explains_the_peak() -> None:
    result = tinytrain("plan", MODEL, "--update", "all", "--explain")
    assert result.returncode == 0, result.stderr
    compiled = compile_model(MODEL, "all")
    for n in (compiled.arena.nbytes, compiled.program.state_bytes, compiled.arena.order_bound):
        assert f"{n:,}" in result.stdout
    assert "The peak of" in result.stdout and "waits for" in result.stdout
    found = offers(result.stdout)
    assert found["--gradients int8"] == arena_and_state("all", Options(gradients="int8"))
    (last,) = (name for name in found if "last:" in name)
    assert found[last] == arena_and_state(last.removeprefix("--update "), Options())


def test_what_does_not_fit_a_budget_is_refused_with_numbers(tmp_path: Path) -> None:
    needed = arena_and_state("all", Options())
    ram = needed - 100
    for words in (["plan", MODEL], ["build", MODEL, "--board", "rpi_pico", "-o", tmp_path / "b"]):
        result = tinytrain(*words, "--ram", ram)
        assert result.returncode == 2
        assert "100 bytes are missing" in result.stderr and f"{needed:,}" in result.stderr
        assert "the arena's peak: step, call" in result.stderr
        found = offers(result.stderr)
        assert found["--gradients int8"] == arena_and_state("all", Options(gradients="int8"))
        (last,) = (name for name in found if "last:" in name)
        assert found[last] == arena_and_state(last.removeprefix("--update "), Options()) <= ram
    assert not list(tmp_path.iterdir())


def test_the_largest_scheme_that_fits_is_named() -> None:
    ram = (arena_and_state("last:2", Options()) + arena_and_state("last:3", Options())) // 2
    result = tinytrain("plan", MODEL, "--ram", ram)
    assert result.returncode == 2
    assert "--update last:2 " in result.stderr


def test_a_heap_that_is_too_small_is_refused(tmp_path: Path) -> None:
    """Nothing is written; with a byte less missing than said, it would fit."""
    board = tmp_path / "small.toml"

    def attempt(heap: int) -> str:
        board.write_text(BOARD.format(heap=heap))
        try:
            build(MODEL, str(board), "last:2", tmp_path / "out")
        except BuildError as error:
            return str(error)
        return ""

    said = attempt(20_000)
    assert not (tmp_path / "out").exists()
    missing = int(re.search(r"([\d,]+) bytes are missing", said)[1].replace(",", ""))  # type: ignore[index]
    assert "weights" in said and "module and your script" in said and "ROMFS" in said
    assert "1 bytes are missing" in attempt(20_000 + missing - 1)
    assert attempt(20_000 + missing) == ""
    assert (tmp_path / "out" / "report.txt").exists()


@pytest.mark.parametrize("words", [("--ram", "12Q"), ("--update", "some")])
def test_bad_words_are_explained(words: tuple[str, str]) -> None:
    result = tinytrain("plan", MODEL, *words)
    assert result.returncode == 2 and "Traceback" not in result.stderr
