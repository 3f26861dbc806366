"""What modules take: code by part, constants, and the deepest stack, beside the last commit's.

python -m bench.sizes [--stack] [--only NAME ...] [--targets armv6m ...] [--json FILE] [--keep]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from elftools.elf.elffile import ELFFile
from rich.console import Console
from rich.table import Table

from bench.baseline import SIZES, Figures, change, committed, keep
from bench.publish import publish
from bench.published import size_target
from support.shared import path_of
from tinytrain.backend.model_module import link_model
from tinytrain.backend.natmod import MERGED
from tinytrain.backend.toolchain import TARGETS
from tinytrain.compilation import Compiled, Options, compile_model
from tinytrain.resources import c_kernels_dir, mpy_module_dir

EXAMPLES = Path(__file__).parents[2] / "examples"

# of generated code, besides tt_model_*
GENERATED = ("perform", "perform_any", "perform_all", "special", "params", "initial")
TABLES = ("predict_calls", "encode_calls", "step_calls", "tiled_calls")


@dataclass(frozen=True)
class Subject:
    """A model with what is trained of it, and what its kernels are compiled for."""

    name: str
    model: Path
    update: str
    optimize: str = "speed"

    def compiled(self) -> Compiled:
        return _compiled(self.model, self.update, self.optimize)


@cache
def _compiled(model: Path, update: str, optimize: str) -> Compiled:
    return compile_model(model, update, Options(optimize=optimize))


def subjects() -> list[Subject]:
    digits, mcunet = EXAMPLES / "digits" / "fashion.tflite", path_of("mcunet_5fps_128_c10")
    scheme = str(EXAMPLES / "mcunet" / "scheme49.toml")
    rows = [
        ("digits, predict", digits, "none"),
        ("digits, train all", digits, "all"),
        ("kws, train all", path_of("mlperf_kws_dscnn_int8"), "all"),
        ("mcunet, scheme 49", mcunet, scheme),
    ]
    return [
        Subject(name + (", for size" if optimize == "size" else ""), model, update, optimize)
        for name, model, update in rows
        for optimize in ("speed", "size")
    ]


@dataclass(frozen=True)
class Size:
    """Bytes. kernels, generated, binding: code with its constants; text: code alone; module: what
    the board loads; stack: the deepest of the module's own code."""

    kernels: int
    generated: int
    binding: int
    text: int
    module: int
    stack: int


def measure(subject: Subject, target: str) -> Size:
    made = subject.compiled()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "model.h").write_text(made.source.header)
        (work / "model.c").write_text(made.source.body)
        report = link_model(made, target, work, work / "tinytrain.mpy", work / "objects")
        parts = parts_of(work / "objects" / MERGED)
    return Size(
        parts["kernels"],
        parts["generated"],
        parts["binding"],
        report.text,
        report.ram_bytes,
        report.stack_bytes,
    )


def parts_of(merged: Path) -> Mapping[str, int]:
    """Bytes of code and constants by the folder that a function or constant comes from. What is
    inlined counts as what it is inlined into: with --optimize size, where all files are compiled as
    one, most of what predicts lies in the binding's function. Literals count as kernels."""
    found = dict.fromkeys(("kernels", "generated", "binding"), 0)
    with merged.open("rb") as file:
        elf = ELFFile(file)
        sections = {i: s for i, s in enumerate(elf.iter_sections()) if s["sh_flags"] & 2}
        rest = {i: section["sh_size"] for i, section in sections.items()}
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            index, size = symbol["st_shndx"], symbol["st_size"]
            if symbol["st_info"]["type"] == "STT_FUNC" and index in rest:
                found[_part(f".text.{symbol.name}")] += size
                rest[index] -= size
        for index, size in rest.items():
            found[_part(sections[index].name)] += size
    return found


def _part(section: str) -> str:
    name = re.sub(r"^\.(text|rodata|literal|data\.rel\.ro(\.local)?)\.?", "", section)
    name = name.partition(".")[0]
    if name.startswith("tt_model_") or name in (*GENERATED, *TABLES):
        return "generated"
    return "binding" if name in _words(mpy_module_dir()) - _words(c_kernels_dir()) else "kernels"


@cache
def _words(folder: Path) -> frozenset[str]:
    texts = (path.read_text() for path in sorted(folder.rglob("*.[chS]")))
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def table(name: str, sizes: Mapping[str, Size], before: Figures, stack: bool) -> Table:
    result = Table(title=name, title_justify="left")
    columns = ("stack",) if stack else ("kernels", "generated", "binding", "text", "module")
    result.add_column("target")
    for heading in (*columns, *(() if stack else ("target",)), "last commit", "change"):
        result.add_column(heading, justify="right")
    for target, size in sizes.items():
        values = asdict(size)
        old = before.get(name, {}).get(target, {}).get(columns[-1])
        numbers = [f"{values[column]:,}" for column in columns]
        numbers += [] if stack else [goal(name, target, values)]
        moved = change(values[columns[-1]], old)
        result.add_row(target, *numbers, f"{old:,}" if old else "", moved)
    return result


def goal(name: str, target: str, values: Mapping[str, int]) -> str:
    if (limit := size_target(name, target)) is None:
        return ""
    part, bytes_ = limit
    return f"{part} {bytes_:,}: {'met' if values[part] <= bytes_ else 'missed'}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--stack", action="store_true", help="the stack instead of the code")
    parser.add_argument("--only", nargs="+", help="subjects whose names begin so")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--keep", action="store_true", help="keep the figures, here and in docs/")
    args = parser.parse_args(argv)
    before, found = committed(SIZES), Figures()
    for subject in subjects():
        if args.only and not subject.name.startswith(tuple(args.only)):
            continue
        sizes = {target: measure(subject, target) for target in args.targets}
        Console(width=110).print(table(subject.name, sizes, before, args.stack))
        found[subject.name] = {target: asdict(size) for target, size in sizes.items()}
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.keep:
        keep(SIZES, found)
        publish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
