"""`make memory`: what every model takes, how near that is to the least possible, and the targets.

Prints Markdown; docs/MEMORY.md has what it printed. The models are those beside the repository.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.progress import track

from support.shared import NAMES, path_of
from tinytrain.compilation import DEFAULTS, Options, compile_model
from tinytrain.ir.optimizer import Optimizer

MCUNET = "mcunet_5fps_128_c10"
REGRESSIONS = ("mlperf_ad01_int8", "tflm_hello_world_int8")
SCHEMES = sorted((Path(__file__).parents[1] / "examples" / "mcunet").glob("*.toml"))
UPDATES = ("none", "bias:2", "last:1", "last:2", "all")


@dataclass(frozen=True, slots=True)
class Target:
    """Bytes of arena and state that a build must not exceed."""

    model: str
    update: str
    nbytes: int
    options: Options = DEFAULTS


COARSE = Optimizer(master=8)
TARGETS = (
    Target(MCUNET, "scheme49", 137_216),
    Target(MCUNET, "scheme148", 177_152),
    Target(MCUNET, "scheme148", 177_152, Options(optimizer=COARSE)),
    Target(MCUNET, "scheme148", 177_152, Options(optimizer=COARSE, gradients="int8")),
    Target(MCUNET, "scheme148", 177_152, Options(optimizer=COARSE, gradients="int8", patches=50)),
    Target("mlperf_kws_dscnn_int8", "none", 16_000),
    Target("mlperf_vww_mobilenetv1_025_96_int8", "none", 73_728),
    Target("mlperf_ic_resnet8_int8", "none", 49_152),
    Target("mlperf_ad01_int8", "none", 768),
    Target("tflm_person_detect_int8", "none", 55_296),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Bytes of one build. least: what no placement of its calls can be below, as far as is proven;
    peak: of the best order, whatever the placement."""

    model: str
    update: str
    arena: int
    state: int
    least: int
    peak: int
    extra_macs: int
    macs: int


def plan(model: str, update: str, options: Options) -> Plan:
    """Compile a model as a build would."""
    files = {path.stem: str(path) for path in SCHEMES}
    compiled = compile_model(path_of(model), files.get(update, update), options)
    arena, program = compiled.arena, compiled.program
    return Plan(
        model,
        update,
        arena.nbytes,
        program.state_bytes,
        arena.least,
        arena.order_bound,
        sum(call.extra_macs for call in program.predict),
        sum(call.macs for call in program.predict),
    )


def every_plan() -> Iterator[Plan]:
    """Each model with each update."""
    pairs = [(model, update) for model in NAMES for update in UPDATES]
    pairs += [(MCUNET, path.stem) for path in SCHEMES]
    for model, update in track(sorted(pairs), "planning", transient=True):
        loss = "mse" if model in REGRESSIONS else "softmax"
        yield plan(model, update, Options(loss=loss))


def targets_table() -> Iterator[str]:
    """Arena and state against the targets."""
    yield "| model | update | arena | state | together | target | |"
    yield "|---|---|---|---|---|---|---|"
    for t in track(TARGETS, "targets", transient=True):
        p = plan(t.model, t.update, t.options)
        needed = p.arena + p.state
        verdict = "met" if needed <= t.nbytes else f"{needed - t.nbytes:,} too many"
        words = f"{t.update}{_words(t.options)}"
        sizes = f"{p.arena:,} | {p.state:,} | {needed:,} | {t.nbytes:,}"
        yield f"| {t.model} | {words} | {sizes} | {verdict} |"


def _words(options: Options) -> str:
    words = {
        "master": (options.optimizer.master, DEFAULTS.optimizer.master),
        "gradients": (options.gradients, DEFAULTS.gradients),
        "patches": (options.patches, DEFAULTS.patches),
    }
    return "".join(f" --{k} {value}" for k, (value, usual) in words.items() if value != usual)


def plans_table(plans: Sequence[Plan]) -> Iterator[str]:
    """Offsets against their bound; extra: multiply-accumulates that tiles add."""
    yield "| model | update | arena | bound | over | best order's peak | extra | state |"
    yield "|---|---|---|---|---|---|---|---|"
    for p in plans:
        over = 100 * (p.arena / p.least - 1)
        proof = "optimal" if p.arena == p.least else f"{over:.2f} %"
        extra = f"{100 * p.extra_macs / max(1, p.macs - p.extra_macs):.1f} %"
        sizes = f"{p.arena:,} | {p.least:,} | {proof} | {p.peak:,} | {extra} | {p.state:,}"
        yield f"| {p.model} | {p.update} | {sizes} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the plans there, too")
    arguments = parser.parse_args()
    print("\n".join(targets_table()), end="\n\n")
    plans = [*every_plan()]
    print("\n".join(plans_table(plans)))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(p) for p in plans], indent=1) + "\n")


if __name__ == "__main__":
    main()
