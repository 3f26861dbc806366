"""`tinytrain build`: from a model file to a folder that can be deployed.

compile_model -> native module for the board's target -> report -> files
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from tinytrain.advice import Budget, refusal
from tinytrain.backend.board import Board, load_board
from tinytrain.backend.kernel_sources import ONCE, include_dirs, kernel_sources
from tinytrain.backend.natmod import NatmodReport, build_natmod
from tinytrain.backend.publish import SOURCE, check_places, publish
from tinytrain.backend.selftest import SelfTest
from tinytrain.backend.usermod import write_user_c_module
from tinytrain.codegen.checkpoint_file import Checkpoint
from tinytrain.codegen.example import example
from tinytrain.codegen.stubs import stub
from tinytrain.codegen.weights_file import weights_file
from tinytrain.compilation import DEFAULTS, Compiled, Options, compile_model
from tinytrain.errors import BuildError, DataError
from tinytrain.ir.loss import Loss
from tinytrain.ir.optimizer import Optimizer
from tinytrain.plan.page import page
from tinytrain.plan.report import SCRIPT_BYTES, BoardMemory, Code, Report, make_report
from tinytrain.resources import mpy_module_dir
from tinytrain.sim.trainer import Trainer

Progress = Callable[[str, int, int], None]
SELFTEST_STEPS = 10
SELFTEST_LR = 0.01
REPORTS = ("report.json", "report.txt", "report.html", "selftest.json")
FILES = ("tinytrain.mpy", "model.ttw", "tinytrain.pyi", "main.py", *REPORTS)
USERMOD = "usermod"


def ignore_progress(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Build:
    """A finished build: the folder, what is in it, and what it costs.

    kept: files that the user had changed and that were therefore not replaced.
    """

    folder: Path
    compiled: Compiled
    report: Report
    kept: tuple[str, ...] = ()


def build(
    model: Path,
    board_name: str,
    update: str,
    folder: Path,
    options: Options = DEFAULTS,
    *,
    ram: int | None = None,
    user_c_module: bool = False,
    toolchain: str = "gnu",
    progress: Progress = ignore_progress,
) -> Build:
    """Build `model` for a board; files appear in `folder` only when all of them are ready.

    ram: limit for arena and state in bytes. BuildError, with what would help, if they take more
    or the board's heap does not hold everything.
    user_c_module: also write the folder usermod/, from which a firmware can be built.
    toolchain: "gnu" or "zig", the compiler.
    """
    folder = folder.absolute()
    board = load_board(board_name)
    progress("reading and planning", 0, 1)
    compiled = compile_model(model, update, options)
    if ram is not None:
        _check(compiled, Budget("allowed by --ram for arena and state", ram))
    check_places(folder, FILES)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".tinytrain-") as name:
        stage = Path(name)
        report = _write_all(compiled, model, update, board, stage, toolchain, progress)
        if user_c_module:
            weights = (stage / "model.ttw").read_bytes()
            write_user_c_module(stage / SOURCE, weights, stage / USERMOD, _defines(compiled))
        kept = publish(stage, folder)
    return Build(folder, compiled, report, kept)


def _check(compiled: Compiled, budget: Budget) -> None:
    if problem := refusal(compiled, budget):
        raise BuildError(problem)


def _write_all(
    compiled: Compiled,
    model: Path,
    update: str,
    board: Board,
    stage: Path,
    toolchain: str,
    progress: Progress,
) -> Report:
    source = stage / SOURCE
    source.mkdir()
    (source / "model.h").write_text(compiled.source.header, encoding="utf-8")
    (source / "model.c").write_text(compiled.source.body, encoding="utf-8")
    main = example(compiled.graph, compiled.program)
    (stage / "main.py").write_text(main)
    _keep_input(source, model, compiled, board.name, main)
    weights = weights_file(compiled.program, compiled.source.hash)
    (stage / "model.ttw").write_bytes(weights)
    defines, out = _defines(compiled), stage / "tinytrain.mpy"
    module = _link(board, source, defines, out, toolchain, progress)
    _check(compiled, heap_budget(board, module))
    (stage / "tinytrain.pyi").write_text(stub(compiled.graph, compiled.program))
    files = {name: (stage / name).read_bytes() for name in ("tinytrain.mpy", "model.ttw")}
    (stage / "selftest.json").write_text(make_selftest(compiled, files).to_json())
    memory = BoardMemory(
        board.name,
        board.target,
        board.heap_bytes,
        board.flash_weights,
        board.stack_bytes,
        board.flash_bytes,
        board.clock_hz,
    )
    report = make_report(
        compiled.program,
        compiled.arena,
        f"{update}{compiled.options}",
        Code(module.ram_bytes, module.file_bytes, module.stack_bytes),
        len(weights),
        memory,
    )
    (stage / "report.json").write_text(json.dumps(dict(report.values), indent=2) + "\n")
    (stage / "report.txt").write_text(report.text(), encoding="utf-8")
    html = page(report, compiled.program, compiled.arena)
    (stage / "report.html").write_text(html, encoding="utf-8")
    return report


def _defines(compiled: Compiled) -> tuple[str, ...]:
    """The macros that all C sources of a build have to be compiled with."""
    return (f"TT_GRADIENT_BITS={compiled.program.gradients.bits}",)


def heap_budget(board: Board, module: NatmodReport) -> Budget:
    """A board's heap: module, script, and weights that cannot be read in place take of it too."""
    name = f"of heap, free on {board.name}"
    fixed = module.ram_bytes + SCRIPT_BYTES
    return Budget(name, board.heap_bytes, fixed, not board.flash_weights)


def _link(
    board: Board,
    source: Path,
    defines: Sequence[str],
    out: Path,
    toolchain: str,
    progress: Progress,
) -> NatmodReport:
    binding = sorted(mpy_module_dir().glob("*.c"))
    kernels = kernel_sources(board.target)
    model = source / "model.c"
    # what runs once a call or once a step is compiled for size
    compact = [*binding, model, *(k for k in kernels if k.stem in ONCE)]
    with tempfile.TemporaryDirectory() as work:
        return build_natmod(
            [*binding, model, *kernels],
            [source, mpy_module_dir(), *include_dirs()],
            board.target,
            out,
            Path(work),
            compact=compact,
            defines=defines,
            core=board.core,
            compiler=toolchain,
            progress=progress,
        )


def _keep_input(source: Path, model: Path, compiled: Compiled, board: str, main: str) -> None:
    """Keep what the build was made from, so that `sim` and later builds need nothing else."""
    update = compiled.update
    kept = f"model{model.suffix}"
    shutil.copyfile(model, source / kept)
    if update.endswith(".toml"):
        shutil.copyfile(update, source / "update.toml")
        update = "update.toml"
    entry = {"model": kept, "name": model.stem, "update": update, "board": board}
    entry |= asdict(compiled.options)
    entry["main_sha256"] = hashlib.sha256(main.encode()).hexdigest()
    (source / "build.json").write_text(json.dumps(entry, indent=2) + "\n")


def open_build(folder: Path) -> Compiled:
    """The compiled model of a build folder, for the simulator."""
    try:
        entry: Mapping[str, Any] = json.loads((folder / SOURCE / "build.json").read_text())
        model, update = folder / SOURCE / entry["model"], entry["update"]
        if not all(isinstance(entry[key], str) for key in ("name", "update")):
            raise TypeError("build.json: names expected")
        chosen = {f.name: entry[f.name] for f in fields(Options)}
        chosen["freeze"] = tuple(chosen["freeze"])
        chosen["optimizer"] = Optimizer(**chosen["optimizer"])
        options = Options(**chosen)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{folder}: no build of tinytrain; run `tinytrain build` first") from error
    if update.endswith(".toml"):
        update = str(folder / SOURCE / update)
    return compile_model(model, update, options, name=entry["name"])


def make_selftest(compiled: Compiled, files: Mapping[str, bytes]) -> SelfTest:
    """A fixed input, and what the simulator makes of it: the board must do the same."""
    trainer = Trainer(compiled)
    size = compiled.program.input.nbytes
    x = (np.arange(size, dtype=np.int64) * 37 % 251 - 125).astype(np.int8)
    output = trainer.predict(x)
    goals: list[int | Samples] = []
    target = b""
    if compiled.program.loss is Loss.SOFTMAX:
        goals = [i % trainer.classes for i in range(SELFTEST_STEPS)]
    elif compiled.program.loss is not None:
        pattern = np.arange(output.size, dtype=np.int64) * 3 % 7
        binary = compiled.program.loss is Loss.SIGMOID
        made = (pattern % 2 if binary else pattern * 8 - 24).astype(np.int8)
        goals, target = [made] * SELFTEST_STEPS, made.tobytes()
    trainer.lr = SELFTEST_LR  # momentum and decay are 0 at first, here and on the board
    losses, states = [], []
    for goal in goals:
        losses.append(trainer.step(x, goal))
        states.append(trainer.state.tobytes())
    labels = [goal if isinstance(goal, int) else 0 for goal in goals]
    checkpoint = Checkpoint(compiled.source.state_hash, 1, states[-1]) if states else None
    data = checkpoint.to_bytes() if checkpoint else b""
    return SelfTest.of(x, output, labels, SELFTEST_LR, losses, states, target, files, data)


Samples = npt.NDArray[Any]


def load_data(path: Path, trainer: Trainer) -> Mapping[str, Samples]:
    """x_train, y_train, x_test, y_test of an .npz file, x as the model's int8 input.

    `x` and `y` serve for both if the file has only those. float inputs are quantized, uint8 ones
    shifted by 128 where the model takes uint8. y is what the loss learns towards: labels (softmax),
    0 or 1 for each class (sigmoid), real values or int8 for each output (mse; x itself without y).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, NpzFile):
                raise ValueError("it is a single array")
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as .npz: {error}") from error
    if not {"x", "x_train"} & arrays.keys():
        raise DataError(
            f"{path}: no array x_train (or x); it has {', '.join(sorted(arrays)) or 'no arrays'}"
        )
    for part in ("train", "test"):
        arrays.setdefault(f"x_{part}", arrays.get("x", arrays.get("x_train", np.zeros(0))))
        if (y := arrays.get("y", arrays.get("y_train"))) is not None:
            arrays.setdefault(f"y_{part}", y)
    found: dict[str, Samples] = {}
    for part in ("train", "test"):
        x = _model_input(path, arrays[f"x_{part}"], trainer)
        y = _wanted(trainer, arrays.get(f"y_{part}"), x)
        if len(x) != len(y) or not len(y) or not _fits(trainer, y):
            raise DataError(
                f"{path}: expected arrays x_train, y_train, x_test, y_test (or x, y), samples "
                f"first, {WANTED[trainer.loss]}; y_{part} is {y.dtype} {y.shape} for {len(x)} "
                "samples"
            )
        softmax = trainer.loss == Loss.SOFTMAX.value
        if softmax and not 0 <= y.min() <= y.max() < trainer.classes:
            raise DataError(
                f"{path}: y_{part} has labels {y.min()} .. {y.max()}, expected "
                f"0 .. {trainer.classes - 1}"
            )
        found |= {f"x_{part}": x, f"y_{part}": y}
    return found


WANTED = {
    "softmax": "labels as whole numbers",
    "sigmoid": "labels as 0 or 1 for each class",
    "mse": "targets as real values or int8 for each output",
    "none": "labels as whole numbers",
}


def _wanted(trainer: Trainer, y: Samples | None, x: Samples) -> Samples:
    """What is to be learned from x, as the loss takes it."""
    if trainer.loss != "mse":
        return np.zeros(0) if y is None else y
    if y is None:
        port = trainer.compiled.graph.input.tensor
        quant = trainer.compiled.graph.tensors[port].quant
        y = (x.astype(np.float32) - quant.zero_point) * np.float32(quant.per_tensor)
    return trainer.quantize_target(y) if np.issubdtype(y.dtype, np.floating) else y


def _fits(trainer: Trainer, y: Samples) -> bool:
    per_sample = y.size // len(y)
    if trainer.loss == "mse":
        return y.dtype == np.int8 and per_sample == np.prod(trainer.output_shape)
    whole = y.dtype == bool or np.issubdtype(y.dtype, np.integer)
    if trainer.loss == "sigmoid":
        return bool(whole and per_sample == trainer.classes and y.min() >= 0 and y.max() <= 1)
    return bool(whole and y.ndim == 1)


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of 1, which do not change the order of the elements."""
    return tuple(n for n in shape if n != 1)


def _model_input(path: Path, x: Samples, trainer: Trainer) -> Samples:
    port = trainer.compiled.graph.input
    shape, size = trainer.input_shape[1:], int(np.prod(trainer.input_shape))
    if x.ndim == 0 or (_long(x.shape[1:]) != _long(shape) and x.shape[1:] != (size,)):
        raise DataError(
            f"{path}: samples of shape {x.shape[1:]}, the model takes {shape}, channels last; "
            "transpose them (x.transpose(0, 2, 3, 1) for channels first)"
        )
    if np.issubdtype(x.dtype, np.floating):
        x = trainer.quantize(x)
    elif x.dtype == np.uint8 and port.model_dtype == "uint8":
        x = (x.astype(np.int16) - 128).astype(np.int8)
    if x.dtype != np.int8:
        raise DataError(f"{path}: samples must be int8 or float, not {x.dtype}")
    return x.reshape(len(x), size)
