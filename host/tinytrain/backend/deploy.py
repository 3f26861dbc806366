"""Copy a build to a board through mpremote, and verify there that it computes the host's bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.connection import (
    Board,
    Progress,
    check_board,
    connect,
    find_port,
    no_progress,
)
from tinytrain.backend.placement import (
    Placement,
    choose,
    image_with,
    rom_image,
    room_of,
    write_flash,
    write_romfs,
)
from tinytrain.backend.selftest import SelfTest
from tinytrain.backend.verification import Outcome, run_selftest
from tinytrain.errors import BoardError

Say = Callable[[str], None]

MODULE, WEIGHTS, MAIN = "tinytrain.mpy", "model.ttw", "main.py"
STEPS = 3  # of the self-test's; `tinytrain verify` takes all


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was found and done: the board's own words on itself, where the weights lie, and what the
    self-test gave."""

    machine: str
    placement: Placement
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
    weights_in: str = "auto",
    with_main: bool = False,
    say: Say = lambda text: None,
    progress: Progress = no_progress,
) -> Deployment:
    """Copy tinytrain.mpy (and main.py, if asked) to the board's current folder and model.ttw to
    where it is best, run the self-test, and compare.

    port: as for mpremote connect; None or "auto": the first USB port. weights_in: "romfs", "flash"
    or "file"; "auto": the first of them that the board has.
    """
    test, module, weights = read_build(build_dir)
    main = read_file(build_dir / MAIN) if with_main else None
    with connect(port) as board:
        machine = check_board(board, module)
        say(f"board: {machine}")
        placement, image = _place(board, weights, weights_in)
        say(f"weights: {placement.place}, {placement.why}")
        board.write_file(MODULE, module, progress)
        say(f"copied {MODULE}, {len(module):,} bytes")
        if main is not None:
            board.write_file(MAIN, _adapt(main, placement), progress)
            say(f"copied {MAIN}; it starts with the board's next reset")
        if placement.place == "file":
            board.write_file(WEIGHTS, weights, progress)
            say(f"copied {WEIGHTS}, {len(weights):,} bytes")
    if image is not None:
        write_romfs(find_port(port), image, say)
    with connect(port) as board:  # nothing of an older module remains
        if placement.place != "file" and board.exists(WEIGHTS):
            board.remove_file(WEIGHTS)
            say(f"removed the file {WEIGHTS} of an earlier build")
        outcome = run_selftest(board, test, placement.expression, steps=STEPS)
    for line in outcome.lines():
        say(line)
    say(f"on the board: tinytrain.Trainer({placement.expression})")
    return Deployment(machine, placement, outcome)


def _place(board: Board, weights: bytes, wanted: str) -> tuple[Placement, bytes | None]:
    """Choose, and write what goes to raw flash; the image that is still to be written, if any."""
    room = room_of(board)
    there = rom_image(board, room) if wanted in ("auto", "romfs") else b""
    image = image_with(there, weights) if room.romfs_bytes else None
    placement = choose(room, weights, wanted, image)
    if placement.place == "flash":
        write_flash(board, room, weights)
    return placement, image if placement.place == "romfs" and image != there else None


def _adapt(main: bytes, placement: Placement) -> bytes:
    """main.py with the weights where they are."""
    return main.replace(b'Trainer("model.ttw")', f"Trainer({placement.expression})".encode())
