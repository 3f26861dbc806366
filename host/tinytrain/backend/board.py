"""Boards: data files that name a target and say how much memory stock MicroPython leaves."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinytrain.backend.toolchain import CORES, TARGETS
from tinytrain.errors import BoardError
from tinytrain.resources import boards_dir

WEIGHTS_PLACES = ("file", "romfs", "flash")


@dataclass(frozen=True, slots=True)
class Board:
    """One board with stock firmware.

    heap_bytes: free after boot and a collection. stack_bytes: the limit of MicroPython's check.
    weights: where they can lie: "file" (read into RAM), "romfs" and "flash" (read in place).
    flash_bytes, clock_hz: None where the board has neither. emulator: the test bed's name for it.
    core: which chip, for targets whose chips differ in their instructions (toolchain.CORES).
    sources: where each figure comes from.
    """

    name: str
    title: str
    target: str
    heap_bytes: int
    stack_bytes: int
    weights: tuple[str, ...]
    sources: Mapping[str, str]
    flash_bytes: int | None = None
    clock_hz: int | None = None
    emulator: str | None = None
    core: str = ""

    @property
    def flash_weights(self) -> bool:
        """Whether weights can be read in place, without a copy in RAM."""
        return bool({"romfs", "flash"} & set(self.weights))


def known_boards() -> tuple[str, ...]:
    """The names of all boards that come with tinytrain."""
    return tuple(sorted(path.stem for path in boards_dir().glob("*.toml")))


def boards_with(target: str) -> tuple[str, ...]:
    """The names of the boards of one target."""
    return tuple(name for name in known_boards() if load_board(name).target == target)


def load_board(name: str | Path) -> Board:
    """A board by name, or from a .toml file of one's own."""
    path = Path(name)
    if path.suffix != ".toml":
        if str(name) not in known_boards():
            raise BoardError(
                f"unknown board {str(name)!r}; known: {', '.join(known_boards())}, "
                "or name a .toml file made like those"
            )
        path = boards_dir() / f"{name}.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BoardError(f"{path}: cannot be read as a board: {error}") from error
    return _board(path, data)


def _board(path: Path, data: dict[str, Any]) -> Board:
    required: dict[str, type] = {
        "title": str,
        "target": str,
        "heap_bytes": int,
        "stack_bytes": int,
        "weights": list,
    }
    optional: dict[str, type] = {
        "flash_bytes": int,
        "clock_hz": int,
        "emulator": str,
        "core": str,
        "sources": dict,
    }
    for key, kind in (required | optional).items():
        if key not in data and key in required:
            raise BoardError(f"{path}: {key} is missing")
        value = data.get(key)
        if value is not None and type(value) is not kind:
            raise BoardError(f"{path}: {key} must be {kind.__name__}, not {value!r}")
        if isinstance(value, int) and value <= 0:
            raise BoardError(f"{path}: {key} must be positive, not {value!r}")
    if unknown := sorted(set(data) - set(required) - set(optional)):
        raise BoardError(f"{path}: unknown {', '.join(unknown)}")
    if data["target"] not in TARGETS:
        known = ", ".join(sorted(TARGETS))
        raise BoardError(f"{path}: unknown target {data['target']!r}; known: {known}")
    if (core := data.get("core")) is not None and core not in CORES.get(data["target"], ()):
        known = ", ".join(CORES.get(data["target"], ())) or "none"
        raise BoardError(f"{path}: unknown core {core!r} of {data['target']}; known: {known}")
    if not all(place in WEIGHTS_PLACES for place in data["weights"]):
        raise BoardError(f"{path}: weights must be among {', '.join(WEIGHTS_PLACES)}")
    values = {"sources": {}, **data, "weights": tuple(data["weights"])}
    return Board(name=path.stem, **values)
