"""A quantized CNN that knows clothes learns handwritten digits on an emulated Raspberry Pi Pico.

Builds fashion.tflite for the Pico, deploys it with mpremote to real MicroPython firmware in the
emulator, fine-tunes it there with train.py, and runs the same schedule in the simulator on this
machine: the trained parameters must be equal bit for bit.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from tinytrain.backend.deploy import deploy
from tinytrain.build import Build, build
from tinytrain.sim.trainer import Trainer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "bed"))

import data  # noqa: E402
import drive  # noqa: E402
import schedule  # noqa: E402

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo; 0 if board and simulator agree."""
    start = time.monotonic()
    digits = data.load(train=schedule.TRAIN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        headline("1. Build fashion.tflite for the Pico")
        built = build(HERE / "fashion.tflite", "rpi_pico", schedule.UPDATE, folder / "build")
        console.print(built.report.text(), end="")
        write_records(folder / "digits.bin", digits)
        board = train_on_board(built, folder)
    headline("4. The same schedule in the simulator")
    simulator = train_in_simulator(built, digits)
    equal = board == simulator
    verdict = "identical, bit for bit" if equal else "DIFFERENT"
    console.print(f"\n{len(simulator)} bytes of trained parameters: board and simulator {verdict}.")
    console.print(f"{time.monotonic() - start:.0f} s in all")
    return 0 if equal else 1


def headline(text: str) -> None:
    """Announce a part of the demo."""
    console.print(f"\n[bold]{text}[/bold]\n")


def write_records(path: Path, digits: data.Digits) -> None:
    """What train.py reads: one record a digit, its label and its pixels."""
    x = np.concatenate([digits.x_train, digits.x_test[: schedule.TEST]])
    y = np.concatenate([digits.y_train, digits.y_test[: schedule.TEST]])
    records = np.hstack([y[:, None].astype(np.uint8), x.reshape(len(x), -1).view(np.uint8)])
    path.write_bytes(records.tobytes())


def train_on_board(built: Build, folder: Path) -> bytes:
    """Deploy, run train.py, fetch the trained parameters."""
    headline("2. Deploy to the emulated Pico")
    with drive.serve("pico") as port:
        deploy(built.folder, port, say=console.print)
        digits, plan = str(folder / "digits.bin"), str(HERE / "schedule.py")
        console.print(f"copying {(folder / 'digits.bin').stat().st_size:,} bytes of digits")
        mpremote(port, "cp", digits, plan, ":")
        headline("3. Learn on the board")
        mpremote(port, "run", str(HERE / "train.py"))
        mpremote(port, "cp", ":state.bin", str(folder / "state.bin"))
    return (folder / "state.bin").read_bytes()


def mpremote(port: str, *command: str) -> None:
    """Run the stock mpremote, its output on the terminal."""
    subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", port, *command],
        check=True,
        stdout=None if command[0] == "run" else subprocess.DEVNULL,
    )


def train_in_simulator(built: Build, digits: data.Digits) -> bytes:
    """train.py's loop with the simulator's Trainer."""
    trainer = Trainer(built.compiled)
    test = list(zip(digits.x_test, digits.y_test, strict=True))[: schedule.TEST]
    console.print(f"accuracy before      {accuracy(trainer, test):.1f} %")
    for step, (x, y) in enumerate(zip(digits.x_train, digits.y_train, strict=True)):
        trainer.lr = schedule.RATES.get(step, trainer.lr)
        trainer.step(x, int(y))
    console.print(f"accuracy after       {accuracy(trainer, test):.1f} %")
    return trainer.state.tobytes()


def accuracy(trainer: Trainer, test: list[tuple[np.ndarray, int]]) -> float:
    """Percent of the digits that are recognised."""
    return 100 * sum(trainer.classify(x) == y for x, y in test) / len(test)


if __name__ == "__main__":
    sys.exit(main())
