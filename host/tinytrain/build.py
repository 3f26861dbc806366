"""`tinytrain build`: from a model file to a folder that can be deployed.

compile_model -> native module for the board's target -> report -> files
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tinytrain.advice import Budget, refusal
from tinytrain.backend.board import Board, load_board
from tinytrain.backend.kernel_sources import SPEED
from tinytrain.backend.model_module import defines, link_model
from tinytrain.backend.natmod import NatmodReport
from tinytrain.backend.publish import SOURCE, check_places, publish
from tinytrain.backend.selftest import SelfTest
from tinytrain.backend.usermod import write_user_c_module
from tinytrain.codegen.checkpoint_file import Checkpoint
from tinytrain.codegen.example import example
from tinytrain.codegen.stubs import stub
from tinytrain.codegen.weights_file import weights_file
from tinytrain.compilation import DEFAULTS, Compiled, Options, compile_model
from tinytrain.errors import BuildError
from tinytrain.ir.loss import Loss
from tinytrain.ir.optimizer import Optimizer
from tinytrain.passes.update import names_file
from tinytrain.plan.page import page
from tinytrain.plan.report import SCRIPT_BYTES, BoardMemory, Report, make_report
from tinytrain.samples import Samples
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
            write_user_c_module(
                stage / SOURCE, weights, stage / USERMOD, defines(compiled), options.optimize
            )
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
    with tempfile.TemporaryDirectory() as work:
        module = link_model(
            compiled,
            board.target,
            source,
            stage / "tinytrain.mpy",
            Path(work),
            core=board.core,
            compiler=toolchain,
            progress=progress,
        )
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
        module.code(compiled.options.optimize == SPEED),
        len(weights),
        memory,
    )
    (stage / "report.json").write_text(json.dumps(dict(report.values), indent=2) + "\n")
    (stage / "report.txt").write_text(report.text(), encoding="utf-8")
    html = page(report, compiled.program, compiled.arena)
    (stage / "report.html").write_text(html, encoding="utf-8")
    return report


def heap_budget(board: Board, module: NatmodReport) -> Budget:
    """A board's heap: module, script, and weights that cannot be read in place take of it too."""
    name = f"of heap, free on {board.name}"
    fixed = module.ram_bytes + SCRIPT_BYTES
    return Budget(name, board.heap_bytes, fixed, not board.flash_weights)


def _keep_input(source: Path, model: Path, compiled: Compiled, board: str, main: str) -> None:
    """Keep what the build was made from, so that `sim` and later builds need nothing else."""
    update = compiled.update
    kept = f"model{model.suffix}"
    shutil.copyfile(model, source / kept)
    if names_file(update):
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
    if names_file(update):
        update = str(folder / SOURCE / update)
    return compile_model(model, update, options, name=entry["name"])


def make_selftest(compiled: Compiled, files: Mapping[str, bytes]) -> SelfTest:
    """A fixed input, and what the simulator makes of it: the board must do the same."""
    trainer = Trainer(compiled)
    pattern, rows = np.arange(math.prod(trainer.input_shape), dtype=np.int64) * 37, trainer.indices
    x = (pattern % rows).astype(np.int32) if rows else (pattern % 251 - 125).astype(np.int8)
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
