"""Build the demo module for every target: DIR/<target>/ with all that `mpremote mip install` needs.

mpremote mip install DIR/armv6m/package.json     (a path, or where DIR is served)
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tinytrain import __version__
from tinytrain.backend.toolchain import CORES, TARGETS
from tinytrain.build import build

MODEL = Path(__file__).parents[1] / "examples" / "digits" / "fashion.tflite"
UPDATE = "all"
ON_BOARD = ("tinytrain.mpy", "model.ttw")
BESIDE = ("tinytrain.pyi", "main.py", "selftest.json", "report.txt")

# a board for each folder; the ESP32-S3 takes the ESP32's module
BOARDS = {
    "x64": "unix",
    "armv6m": "rpi_pico",
    "armv7m": "qemu_m3",
    "armv7emsp": "pyboard_v11",
    "armv7emdp": "nucleo_h743zi",
    "rv32imc": "esp32_c3",
    "xtensawin": "esp32",
    "xtensawin-esp32s2": "esp32_s2",
}


def package_json() -> str:
    """What mip reads: the files, relative to where it lies itself."""
    package = {"urls": [[name, name] for name in ON_BOARD], "deps": [], "version": __version__}
    return json.dumps(package, indent=2) + "\n"


def make(folder: Path, names: Iterable[str] = tuple(BOARDS)) -> list[Path]:
    """Fill folder/NAME for each name of BOARDS; returns the package.json files."""
    made = []
    for name in names:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as work:
            built = build(MODEL, BOARDS[name], UPDATE, Path(work))
            for file in (*ON_BOARD, *BESIDE):
                shutil.copyfile(built.folder / file, place / file)
        (place / "package.json").write_text(package_json())
        made.append(place / "package.json")
    return made


def main() -> int:
    """The command; the folder is emptied first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    assert {name.split("-")[0] for name in BOARDS} == set(TARGETS) >= set(CORES)
    shutil.rmtree(folder, ignore_errors=True)
    for path in make(folder):
        size = (path.parent / "tinytrain.mpy").stat().st_size
        print(f"{path.parent}: tinytrain.mpy {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
