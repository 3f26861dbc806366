"""`tinytrain deploy`, `verify`, `bench`, `pull`, `push`, `repl`: what talks to a board."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tinytrain.commands.terminal import Commands, console, positive
from tinytrain.errors import BoardError, BuildError

if TYPE_CHECKING:
    from tinytrain.backend.verify import Bench


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    add = commands.add_parser("deploy", help="copy a build to a board and verify it there")
    add.add_argument("folder", type=Path, metavar="DIR", help="what `tinytrain build -o` wrote")
    add.add_argument("--port", default="auto", help="as for mpremote connect; default: auto")
    add.add_argument("--weights", choices=("auto", "romfs", "flash", "file"), default="auto",
                     help="where they go: default auto, the first that the board has of romfs and "
                          "flash (read in place) and file (read into RAM)")  # fmt: skip
    add.add_argument("--main", action="store_true", help="copy main.py too")
    add.set_defaults(run=_deploy)
    add = commands.add_parser(
        "verify", help="run the whole self-test of a deployed build on the board, bit for bit"
    )
    _add_build_and_port(add)
    add.set_defaults(run=_verify)
    add = commands.add_parser("bench", help="how long predict and step take on the board")
    _add_build_and_port(add)
    add.add_argument("--budget", type=positive, default=2000, metavar="US",
                     help="microseconds of a slice of a step; default: 2000")  # fmt: skip
    add.add_argument("--layers", action="store_true",
                     help="also how long each kernel call of a step takes")  # fmt: skip
    add.set_defaults(run=_bench)
    add = commands.add_parser(
        "pull", help="bring a board's trained parameters here: trained.tts and trained.tflite"
    )
    _add_build_and_port(add)
    _add_checkpoint(add)
    add.set_defaults(run=_pull)
    add = commands.add_parser("push", help="store trained parameters on a board")
    _add_build_and_port(add)
    add.add_argument("--from", dest="checkpoint", type=Path, metavar="FILE.tts",
                     help="default: trained.tts in DIR, as `pull` wrote it")  # fmt: skip
    _add_checkpoint(add)
    add.set_defaults(run=_push)
    add = commands.add_parser("repl", help="open the board's prompt, tinytrain imported")
    add.add_argument("--port", default="auto", help="as for mpremote connect; default: auto")
    add.set_defaults(run=_repl)


def _add_build_and_port(add: argparse.ArgumentParser) -> None:
    add.add_argument("folder", type=Path, nargs="?", default=Path("build"), metavar="DIR",
                     help="what `tinytrain build -o` wrote; default: build")  # fmt: skip
    add.add_argument("--port", default="auto", help="as for mpremote connect; default: auto")


def _add_checkpoint(add: argparse.ArgumentParser) -> None:
    add.add_argument("--checkpoint", dest="path", default="model.tts", metavar="PATH",
                     help="on the board, as given to trainer.save; default: model.tts")  # fmt: skip
    add.add_argument("--device", default="", metavar="EXPRESSION",
                     help="instead of a path: the block device, such as "
                          "'rp2.Flash(start=0x100000, len=0x10000)'")  # fmt: skip


def _pull(arguments: argparse.Namespace) -> None:
    from tinytrain.transfer import pull

    done = pull(arguments.folder, arguments.port, path=arguments.path, device=arguments.device)
    _say(f"checkpoint {done.slot[1]} from {done.slot[0]}: {done.checkpoint} and {done.model}")


def _push(arguments: argparse.Namespace) -> None:
    from tinytrain.transfer import push

    slot, sequence = push(
        arguments.folder,
        arguments.port,
        checkpoint=arguments.checkpoint,
        path=arguments.path,
        device=arguments.device,
    )
    _say(f"stored as checkpoint {sequence} in {slot}")


def _say(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _verify(arguments: argparse.Namespace) -> None:
    from tinytrain.backend.verify import verify

    verify(arguments.folder, arguments.port, say=_say)


def _bench(arguments: argparse.Namespace) -> None:
    from tinytrain.backend.verify import bench

    budget = arguments.budget
    calls = _calls_of(arguments.folder) if arguments.layers else ()
    result = bench(arguments.folder, arguments.port, budget=budget, calls=calls, say=_say)
    _say_calls(result)
    for timing in result.timings:
        took = _took(timing.microseconds, result.hertz)
        if timing.what == "slice":
            _say(f"longest slice: {took}, of {timing.calls} in a step (budget {budget:,} us)")
        else:
            _say(f"{timing.what}: {took}, best of {timing.calls}")
    known = f"{result.hertz / 1e6:g} MHz" if result.hertz else "unknown to the board"
    _say(f"clock: {known}")


def _took(microseconds: int, hertz: int) -> str:
    cycles = microseconds * hertz // 1_000_000
    return f"{microseconds / 1000:.3f} ms" + (f", {cycles:,} cycles" if cycles else "")


def _calls_of(folder: Path) -> list[tuple[str, str]]:
    """Layer and kernel of each call of a step."""
    from tinytrain.build import open_build

    step = open_build(folder).program.step
    if not step:
        raise BuildError(f"{folder}: the build only predicts; --layers times the calls of a step")
    return [(call.node, call.kernel.removeprefix("tt_")) for call in step]


def _say_calls(result: Bench) -> None:
    """Each call of a step in order: forward up to the loss, then backward."""
    if not result.calls:
        return
    layers, kernels = (max(map(len, names)) for names in
                       zip(*((c.layer, c.kernel) for c in result.calls), strict=True))  # fmt: skip
    for number, c in enumerate(result.calls, 1):
        took = _took(c.microseconds, result.hertz)
        _say(f"call {number:3}: {c.layer:{layers}}  {c.kernel:{kernels}}  {took}")


def _repl(arguments: argparse.Namespace) -> None:
    import subprocess
    import sys

    from tinytrain.backend.connection import find_port

    device = find_port(arguments.port)
    if "://" in device:
        raise BoardError(f"{device}: mpremote's repl takes a serial port; connect to it otherwise")
    words = ["connect", device, "exec", "import tinytrain", "repl"]
    _say("t = tinytrain.Trainer('model.ttw')  # or what deploy said; Ctrl-] leaves")
    result = subprocess.run([sys.executable, "-m", "mpremote", *words], check=False)
    if result.returncode:
        raise BoardError(f"mpremote ended with status {result.returncode}: is tinytrain deployed?")


def _deploy(arguments: argparse.Namespace) -> None:
    from tinytrain.backend.deploy import deploy

    deploy(
        arguments.folder,
        arguments.port,
        weights_in=arguments.weights,
        with_main=arguments.main,
        say=_say,
    )
