"""A camera learns on an emulated Raspberry Pi Pico to recognise people, then two more things.

Builds the model, deploys it with mpremote to real MicroPython firmware in the emulator, shows it
pictures, prints what it has learned as it goes on, and plays the same session in the simulator on
this machine: what was learned and what is kept must be equal bit for bit.

make demo-camera ARGS='--shots 20'
make demo-camera ARGS='--mcunet --shots 1 --tests 2'    # ../shared/models; minutes
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tinytrain.backend.deploy import deploy
from tinytrain.build import Build, build

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "tests" / "bed")]

import drive  # noqa: E402
from models import BOARD, HEAD, LARGE, Setup  # noqa: E402
from session import STAGES, Session, plan  # noqa: E402
from shown import PEOPLE, THINGS  # noqa: E402
from simulated import BoardTrainer  # noqa: E402

import camera  # noqa: E402

FILES = ("views.py", "memory.py", "learner.py", "camera.py")
console = Console(highlight=False)


@dataclass(slots=True)
class Played:
    """What came of a session: answers by command, microseconds of each, checksums of the end."""

    answers: list[str] = field(default_factory=list)
    microseconds: list[int] = field(default_factory=list)
    checksums: str = ""

    def looks(self, session: Session) -> list[str]:
        """The answers to `look`."""
        pairs = zip(session.commands, self.answers, strict=False)
        return [answer for command, answer in pairs if command == "look"]

    def seconds(self, session: Session) -> dict[str, float]:
        """Of showing and learning for each stage that is being tested, on the board."""
        looks = iter(session.looks)
        shown, learned, fresh, found = 0, 0, True, {}
        for command, took in zip(session.commands, self.microseconds, strict=False):
            if command.startswith("this is"):
                shown, fresh = (0 if fresh else shown) + took, False
            elif command.startswith("learn"):
                learned = took
            elif command == "look":
                stage, fresh = next(looks)[0], True
                found.setdefault(stage, (shown + learned) / 1e6)
        return found


def main() -> int:
    """Run the demo; 0 if board and simulator agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shots", type=int, default=10, help="pictures of each (%(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="of learning (%(default)s)")
    parser.add_argument("--tests", type=int, default=20, help="pictures of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which pictures (%(default)s)")
    parser.add_argument("--mcunet", action="store_true", help="the large model")
    chosen = parser.parse_args()
    setup = LARGE if chosen.mcunet else HEAD
    if not setup.model.exists():
        parser.error(f"{setup.model} is not there")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = make(setup, folder / "build")
        console.print(built.report.text())
        shape, counts = built.compiled.graph.input.shape[1:], (chosen.shots, chosen.steps)
        session = plan(shape, *counts, chosen.tests, rate=setup.rate, seed=chosen.seed)
        board = play_on_board(built, session, folder)
        host = play_on_host(built, session, folder)
    equal = board.checksums == host.checksums and names(board) == names(host)
    verdict = "identical, bit for bit" if equal else "DIFFERENT"
    console.print(f"what was learned and kept: board and simulator {verdict}")
    console.print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if equal else 1


def make(setup: Setup, folder: Path) -> Build:
    """Build for the Pico."""
    return build(setup.model, BOARD, setup.update, folder, setup.options)


def names(played: Played) -> list[str]:
    """What was seen, without how sure that was: the board has float32."""
    return [answer.split()[0] for answer in played.answers]


def play_on_board(built: Build, session: Session, folder: Path) -> Played:
    """Deploy, copy, run play.py; a table that grows."""
    files = session.write(folder)
    played = Played()
    with drive.serve("pico") as port:
        deploy(built.folder, port, say=console.print)
        console.print(f"copying {sum(f.stat().st_size for f in files):,} bytes of pictures")
        mpremote = [sys.executable, "-m", "mpremote", "connect", port]
        copied = [*(HERE / f for f in FILES), *files]
        subprocess.run([*mpremote, "cp", *map(str, copied), ":"], check=True, capture_output=True)
        with Live(table(session, played), console=console, refresh_per_second=2) as live:
            for line in lines([*mpremote, "run", str(HERE / "play.py")]):
                take(line, session, played)
                live.update(table(session, played))
    return played


def lines(command: list[str]) -> Iterator[str]:
    """What a command prints, as it comes."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with closing(process.stdout) as out:
            yield from (line.strip() for line in out)
    if process.returncode:
        raise SystemExit(f"mpremote ended with status {process.returncode}")


def take(line: str, session: Session, played: Played) -> None:
    """One line of play.py."""
    first, _, said = line.partition(" ")
    if first == "free":
        console.print(f"heap free with Trainer and memory: {int(said):,} bytes")
    elif first.isdecimal() and len(played.answers) < len(session.commands):
        played.microseconds.append(int(first))
        played.answers.append(said)
    elif first.isdecimal():
        played.checksums = line
    else:
        console.print(line)


def table(session: Session, played: Played) -> Table:
    """Percent right so far."""
    found = session.accuracy(played.looks(session))
    rows = Table(title=f"{len(played.answers)} of {len(session.commands)} commands")
    columns = (*PEOPLE, *THINGS)
    for name in ("", *columns, "all"):
        rows.add_column(name, justify="left" if not name else "right")
    rows.add_column("shown and learned in", justify="right")
    seconds = played.seconds(session)
    for stage in STAGES:
        percents = found.get(stage, {})
        cells = [f"{percents[name]:.0f} %" if name in percents else "" for name in columns]
        every = f"{np.mean(list(percents.values())):.0f} %" if percents else ""
        learns = percents and stage != STAGES[-1]
        rows.add_row(stage, *cells, every, f"{seconds[stage]:.1f} s" if learns else "")
    return rows


def play_on_host(built: Build, session: Session, folder: Path) -> Played:
    """The same with the simulator."""
    here = folder / "host"
    here.mkdir()
    (folder / "pictures.bin").replace(here / "pictures.bin")
    source = camera.Pictures(str(here / "pictures.bin"))

    def make() -> camera.Camera:
        return camera.Camera(source, BoardTrainer(built.compiled), session.each, folder=f"{here}/")

    device, played = make(), Played()
    for command in session.commands:
        if command == "power cut":
            device = make()
            played.answers.append("again")
        else:
            played.answers.append(device.obey(command))
    state = zlib.crc32(device.learner.trainer.trainer.state)
    played.checksums = f"{state} {device.learner.memory.records.checksum()}"
    return played


if __name__ == "__main__":
    sys.exit(main())
