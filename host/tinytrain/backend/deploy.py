"""Copy a build to a board through mpremote, and verify there that it computes the host's bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.connection import Progress, check_board, connect, no_progress
from tinytrain.backend.selftest import SelfTest
from tinytrain.backend.verification import Outcome, run_selftest
from tinytrain.errors import BoardError

Say = Callable[[str], None]

MODULE, WEIGHTS, MAIN = "tinytrain.mpy", "model.ttw", "main.py"
STEPS = 3  # of the self-test's; `tinytrain verify` takes all


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was found and done: the board's own words on itself, and what the self-test gave."""

    machine: str
    outcome: Outcome


def read_build(build_dir: Path) -> tuple[SelfTest, bytes, bytes]:
    """The self-test, the module and the weights of a build folder, as they were built."""
    module, weights = read_file(build_dir / MODULE), read_file(build_dir / WEIGHTS)
    text = read_file(build_dir / "selftest.json").decode(errors="replace")
    test = SelfTest.from_json(text)
    test.check_file(MODULE, module)
    test.check_file(WEIGHTS, weights)
    return test, module, weights


def read_file(path: Path) -> bytes:
    """A file of a build folder."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path} is missing: run `tinytrain build -o {path.parent}`") from error


def deploy(
    build_dir: Path,
    port: str | None = None,
    *,
    with_main: bool = False,
    say: Say = lambda text: None,
    progress: Progress = no_progress,
) -> Deployment:
    """Copy tinytrain.mpy and model.ttw (and main.py, if asked) to the board's current folder, run
    the self-test, and compare. port: as for mpremote connect; None or "auto": the first USB port.
    """
    test, module, weights = read_build(build_dir)
    contents = {MODULE: module, WEIGHTS: weights}
    if with_main:
        contents[MAIN] = read_file(build_dir / MAIN)
    with connect(port) as board:
        machine = check_board(board, module)
        say(f"board: {machine}")
        for name, data in contents.items():
            board.write_file(name, data, progress)
            say(f"copied {name}, {len(data):,} bytes")
        board.restart()  # nothing of an older module remains
        outcome = run_selftest(board, test, "'model.ttw'", steps=STEPS)
        for line in outcome.lines():
            say(line)
        if with_main:
            say("main.py starts with the board's next reset")
    return Deployment(machine, outcome)
