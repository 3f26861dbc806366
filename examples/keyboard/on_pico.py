"""A keyboard on an emulated Raspberry Pi Pico learns while somebody types at it.

Builds the network, starts board/keyboard.py on real MicroPython firmware in the emulator, types
text of a persona, shows what the board suggests, and measures from outside, in emulated time, how
long each key takes to appear. Then the simulator learns the same text: the parameters must be equal
bit for bit. The board is switched off and on, and told to forget; its flash is searched for the
text.

make demo-keyboard ARGS='--persona perl --characters 200'
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from keyboard import text  # noqa: E402
from keyboard.rehearsal import MODEL, OPTIMIZER, SAMPLE, SCHEME, Integers, practise  # noqa: E402
from keyboard.session import Ended, Key, Session, running  # noqa: E402
from tinytrain.build import build  # noqa: E402
from tinytrain.compilation import Options  # noqa: E402

BOARD, CHECKPOINT = "rpi_pico_romfs", "keyboard.tts"
LIMIT_MS = 5.0
PIECE = 16  # characters; of the text typed, so many in a row are looked for in the flash
console = Console(highlight=False)


def type_at(session: Session, typed: text.Codes, rng: np.random.Generator) -> list[str]:
    """Press the keys one by one at times that nothing on the board knows; the suggestions that
    were there before each."""
    shown, rows = [], []
    with Live(console=console, refresh_per_second=4) as live:
        for n, key in enumerate(text.characters(typed), 1):
            shown.append(session.statuses()[-1][0])
            session.press(key)
            time.sleep(rng.uniform(0.3, 0.9))
            if n % PIECE == 0 or n == len(typed):
                rows.append(row_of(session, shown, n))
            live.update(progress(rows))
    return shown


def row_of(session: Session, shown: list[str], n: int) -> list[str]:
    """A line of the live table: the last characters, how well they were suggested, how fast."""
    keys, first = session.keys(), (n - 1) // PIECE * PIECE
    hits = sum(k.character.replace("\n", "$") in s for k, s in zip(keys, shown, strict=False))
    piece = session.typed[first:n].replace("\n", "$")
    slowest = max((k.echo for k in keys[first:]), default=0.0)
    return [str(n), piece, f"{100 * hits / max(1, len(keys)):.0f} %", f"{slowest:.1f}",
            " ".join(session.statuses()[-1])]  # fmt: skip


def progress(rows: list[list[str]]) -> Table:
    """The live table."""
    table = Table("typed", "text", "in the three suggested", "slowest echo, ms", "now suggested")
    for row in rows:
        table.add_row(*row)
    return table


def latencies(keys: list[Key]) -> Table:
    """Milliseconds of emulated time, seen from outside."""
    table = Table("emulated milliseconds from a key to", "median", "95 %", "longest")
    echo = [key.echo for key in keys]
    suggested = [key.suggested for key in keys if key.suggested is not None]
    for what, values in (("its echo", echo), ("new suggestions", suggested)):
        table.add_row(what, *(f"{q:.1f}" for q in np.quantile(values, (0.5, 0.95, 1))))
    gaps = np.diff([key.pressed for key in keys])
    table.add_row("the next key", *(f"{q:.0f}" for q in np.quantile(gaps, (0.5, 0.95, 1))))
    return table


def simulated(typed: text.Codes) -> Ended:
    """What the simulator has after the same characters."""
    model = Integers.pretrained()
    steps = practise(model, typed, (), lambda n: None)
    return Ended(zlib.crc32(model.trainer.state), steps, 0, ())


def traces(flash: bytes, typed: text.Codes) -> int:
    """How many pieces of the text are in the flash, as characters or as the program's codes."""
    pieces = [typed[i : i + PIECE] for i in range(0, len(typed) - PIECE + 1, PIECE // 2)]
    forms = [form for p in pieces for form in (p.tobytes(), text.characters(p).encode())]
    return sum(form in flash for form in forms)


def verdict(what: str, right: bool) -> bool:
    """Print it."""
    console.print(f"{what:<76} {'yes' if right else '[red]NO[/red]'}")
    return right


def run(folder: Path, persona: str, characters: int, seed: int) -> bool:
    """All of it; whether everything is as it should be."""
    typed = text.persona(persona)[0][:characters]
    options = Options(optimizer=OPTIMIZER)
    built = build(MODEL, BOARD, str(SCHEME), folder / "build", options=options)
    console.print(built.report.text())
    flash = folder / "flash.img"
    with running(built.folder, SAMPLE, folder, flash) as session:
        console.print(f"[bold]Typing {len(typed)} characters of {persona}[/bold]")
        type_at(session, typed, np.random.default_rng(seed))
        console.print("learning the rest, saving")
        learned = session.end()
        keys = session.keys()
    console.print(latencies(keys))
    kept = flash.read_bytes()
    with running(built.folder, SAMPLE, folder, flash) as session:
        restored = session.end()
    with running(built.folder, SAMPLE, folder, flash) as session:
        session.reset()
        forgotten = session.end()
    same, new = simulated(typed), Integers.pretrained().trainer
    slowest = max(key.echo for key in keys)
    checks = [
        verdict("every key was echoed", len(keys) == len(typed)),
        verdict(f"none took longer than {LIMIT_MS:.0f} ms (the slowest {slowest:.1f} ms)",
                slowest <= LIMIT_MS),
        verdict(f"{learned.steps:,} steps: parameters as in the simulator, bit for bit",
                (learned.crc, learned.steps, learned.left_out) == (same.crc, same.steps, 0)),
        verdict("after power off and on it knows what it learned",
                (restored.crc, restored.steps) == (learned.crc, learned.steps)),
        verdict("nothing of the text is in its flash", traces(kept, typed) == 0),
        verdict("after Ctrl-R it is as new, and no checkpoint is left",
                forgotten.crc == zlib.crc32(new.state) and CHECKPOINT not in str(forgotten.files)),
    ]  # fmt: skip
    return all(checks)


def main() -> int:
    """Run; 0 if everything is as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--persona", default="startrek", help="a file of fortune(6)")
    parser.add_argument("--characters", type=int, default=48, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the times between keys")
    chosen = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        fine = run(Path(name), chosen.persona, chosen.characters, chosen.seed)
    console.print(f"{time.monotonic() - start:.0f} s in all")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
