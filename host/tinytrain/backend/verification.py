"""The self-test on a connected board: every bit must be the host's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinytrain.backend.connection import Board
from tinytrain.backend.selftest import SelfTest
from tinytrain.errors import BoardError
from tinytrain.resources import mpy_module_dir

CHECKPOINT = "tinytrain-verify.tts"
STEP_SECONDS = 600  # a large model's step on a slow board


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the board says of its Trainer, the heap that the self-test left free, how many steps and
    bytes of state were compared, and the checkpoint's bytes if there was one."""

    trainer: str
    heap_free: int
    steps: int
    state_bytes: int
    checkpoint_bytes: int = 0

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"self-test: {self.trainer}"
        yield (
            f"self-test: output, {self.steps} losses and all {self.state_bytes:,} bytes of state "
            f"are equal to the host's, bit for bit; {self.heap_free:,} bytes of heap left"
        )
        if self.checkpoint_bytes:
            yield (
                f"self-test: a checkpoint of {self.checkpoint_bytes:,} bytes was saved, loaded and "
                "removed; file and state are equal to the host's, bit for bit"
            )


def run_selftest(
    board: Board, test: SelfTest, weights: str, *, steps: int, checkpoint: bool = False
) -> Outcome:
    """Run `steps` steps of the vector on a freshly started board, or all that there are.

    weights: the Trainer's argument, as an expression of the board's Python. checkpoint: save and
    load the state too (after all steps only), in a file that is removed afterwards.
    """
    labels, losses = test.labels[:steps], test.losses[:steps]
    script = (mpy_module_dir() / "selftest.py").read_text(encoding="utf-8")
    board.run(script, "import of tinytrain")
    *trainer, free = board.run(f"make({weights})", f"tinytrain.Trainer({weights})").splitlines()
    board.put("x", test.x)
    if test.target:
        board.run(f"y = bytearray({len(test.target)})", "making a target")
        board.put("y", test.target)
    output = bytes.fromhex(board.run("predict()", "predict", STEP_SECONDS))
    _compare("predict()", output.hex(" "), test.output.hex(" "))
    board.run(f"trainer.lr = {test.lr!r}", "setting lr")
    for number, (label, expected) in enumerate(zip(labels, losses, strict=True), 1):
        bits = board.run(f"step({'y' if test.target else label})", f"step {number}", STEP_SECONDS)
        _compare(f"the loss of step {number}", f"{int(bits):08x}", f"{expected:08x}")
    if losses:
        _compare_state(board, test, len(losses))
    saved = _check_checkpoint(board, test) if checkpoint and losses else 0
    board.run("end()", "deinit")
    return Outcome(" ".join(trainer), int(free), len(losses), test.state_bytes, saved)


def _check_checkpoint(board: Board, test: SelfTest) -> int:
    """The size of a checkpoint that went to a file and back."""
    said = board.run(f"checkpoint({CHECKPOINT!r})", "saving a checkpoint", STEP_SECONDS).split()
    sequence, size, crc = map(int, said)
    expected = f"number 1, CRC {test.checkpoint_crc:08x}"
    _compare("the checkpoint", f"number {sequence}, CRC {crc:08x}", expected)
    _compare_state(board, test, len(test.losses))
    return size


def _compare_state(board: Board, test: SelfTest, steps: int) -> None:
    length, crc = map(int, board.run("state()", "reading the state", STEP_SECONDS).split())
    expected = f"{test.state_bytes} bytes, CRC {test.state_crcs[steps - 1]:08x}"
    _compare("the state", f"{length} bytes, CRC {crc:08x}", expected)


def _compare(what: str, got: str, expected: str) -> None:
    if got != expected:
        raise BoardError(
            f"self-test: {what} differs: the board has {got[:100]}, the host {expected[:100]}; "
            "deploy the build again, and if it stays so, report it as a bug"
        )
