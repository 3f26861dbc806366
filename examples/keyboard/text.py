"""Text for the keyboard, from Debian's `fortunes` and `miscfiles`: general English and personas."""

from __future__ import annotations

import gzip
import random
import re
import subprocess
from functools import cache
from pathlib import Path

import keyrows
import numpy as np
from numpy.typing import NDArray

PERSONAS = ("startrek", "perl", "knghtbrd", "law")
"""What three people type, and what is hardly different from general English."""
TYPED, HELD_OUT = 20_000, 15_000
TESTED = 15_000  # of the general text, never trained on

Codes = NDArray[np.uint8]


def normal(text: str) -> str:
    """Printable ASCII and newlines; no overstrikes, no runs of spaces, none around newlines."""
    text = re.sub(".\b", "", text).replace("\t", " ")
    text = "".join(c for c in text if c == "\n" or " " <= c <= "~")
    return re.sub(" {2,}", " ", re.sub(r" *\n *", "\n", text))


def codes(text: str) -> Codes:
    """uint8, a code for each character."""
    return np.array([keyrows.code_of(c) for c in text], np.uint8)


def characters(text: Codes) -> str:
    """The reverse of `codes`."""
    return "".join(keyrows.key_of(int(c)) for c in text)


@cache
def files(package: str) -> dict[str, Path]:
    """Files of an installed Debian package by name."""
    listing = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
    if listing.returncode:
        raise SystemExit(f"package {package} is missing: tools/apt-install.sh {package}")
    return {Path(line).name: Path(line) for line in listing.stdout.splitlines()}


def cookies(path: Path) -> list[str]:
    """The pieces of a file of fortune(6), each ending with a newline."""
    pieces = path.read_text(errors="ignore").split("\n%\n")
    return [normal(piece).strip() + "\n" for piece in pieces if piece.strip()]


def long_lines(piece: str) -> set[str]:
    """Those by which a piece is found again, whatever stands around them; not who said it."""
    return {line for line in piece.split("\n") if len(line) >= 30 and not line.startswith("--")}


@cache
def general() -> tuple[Codes, Codes]:
    """General English to train on and to test with, in random order; nothing of the personas."""
    pieces: list[str] = []
    apart = {
        line
        for name in PERSONAS
        for piece in cookies(files("fortunes")[name])
        for line in long_lines(piece)
    }
    everything = files("fortunes-min") | files("fortunes")
    for name, path in sorted(everything.items()):
        if path.parent.name == "fortunes" and not path.suffix and path.is_file():
            is_general = name not in (*PERSONAS, "ascii-art")
            pieces += [p for p in cookies(path) if is_general and not apart & long_lines(p)]
    random.Random(0).shuffle(pieces)
    state = [files("miscfiles")[f"us-{name}.gz"] for name in ("constitution", "declaration")]
    laws = [normal(gzip.decompress(path.read_bytes()).decode("ascii", "ignore")) for path in state]
    kept = [line + "\n" for law in laws for line in law.split("\n") if line not in apart]
    text = codes("".join(pieces))
    train = np.concatenate([codes("".join(kept)), text[:-TESTED]])
    return train, text[-TESTED:]


@cache
def persona(name: str) -> tuple[Codes, Codes]:
    """What somebody types, up to TYPED characters, and text of the same kind to test with.

    What comes twice comes once here, so that nothing that is tested has been typed.
    """
    pieces = cookies(files("fortunes")[name])
    random.Random(1).shuffle(pieces)
    seen: set[str] = set()
    text = ""
    for piece in pieces:
        if not seen & long_lines(piece):
            text += piece
            seen |= long_lines(piece)
    return _split(codes(text))


def _split(text: Codes) -> tuple[Codes, Codes]:
    return text[:TYPED], text[TYPED : TYPED + HELD_OUT]


def padded(text: Codes) -> Codes:
    """With REACH newlines before it, so that each character has a context."""
    return np.concatenate([np.full(keyrows.REACH, keyrows.NEWLINE, np.uint8), text])


def rows(text: Codes) -> NDArray[np.int32]:
    """`keyrows.rows` for each character of a text, [n, INPUTS], all at once."""
    t = padded(text).astype(np.int32)
    position = np.arange(keyrows.REACH, len(t))
    letter = ((t >= 33) & (t <= 58)) | ((t >= 65) & (t <= 90))
    starts = letter & ~np.concatenate([[False], letter[:-1]])
    begins = np.flatnonzero(starts)
    number = np.searchsorted(begins, position, "left")  # how many words begin before a position
    earliest = position - keyrows.REACH

    def begin_of(back: int) -> NDArray[np.int64]:
        index = number - back
        known = begins[np.clip(index, 0, None)]
        return np.maximum(np.where(index >= 0, known, 0), earliest)

    columns = [t[position - 1 - k] for k in range(keyrows.LETTERS)]
    spans = [position - n for n in keyrows.GRAMS] + [begin_of(1), begin_of(2)]
    for k, first in enumerate(spans):
        h = np.zeros(len(position), np.int32)
        for back in range(keyrows.REACH, 0, -1):
            more = (h * keyrows.FACTOR + t[position - back] + 1) & 0xFFFF
            h = np.where(position - back >= first, more, h)
        columns.append(keyrows.CODES + k * keyrows.ROWS + (h * keyrows.ROWS >> 16))
    return np.stack(columns, 1).astype(np.int32)
