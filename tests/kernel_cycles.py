"""Measure every kernel on an emulated Pico and fit the estimates of plan/cycles.py to that.

    python tests/kernel_cycles.py            # measures, writes plan/cycles_armv6m.json
    python tests/kernel_cycles.py --dry-run  # prints how far the fit is off, writes nothing

The calls are those of the models in examples/ (and of the shared ones where they are), and of
random models for what these have not, with random data, weights and kernels in RAM.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "bed"), str(TESTS.parent / "host")]

from bench.calls import Call, build_module, make_image, run_calls  # noqa: E402
from support.shared import MODELS  # noqa: E402
from support.zoo import ZOO, characters  # noqa: E402
from tinytrain.compilation import Options, candidates, trained_graph  # noqa: E402
from tinytrain.errors import TinyTrainError  # noqa: E402
from tinytrain.importers import load  # noqa: E402
from tinytrain.ir.graph import Graph  # noqa: E402
from tinytrain.ir.optimizer import Optimizer  # noqa: E402
from tinytrain.ir.program import (  # noqa: E402
    Buffer,
    KernelCall,
    Program,
    Runtime,
    Tile,
    View,
)
from tinytrain.kernels.header import declarations  # noqa: E402
from tinytrain.kernels.library import grad_buffer, library, rate_buffer  # noqa: E402
from tinytrain.passes.update import input_channels, layers, parse_scheme  # noqa: E402
from tinytrain.plan.cycles import COUNTS, coefficients, counts, measured_as, table_path  # noqa: E402

TARGET, BOARD = "armv6m", "pico"
LARGEST = 30_000  # bytes of a call's buffers
MOST_MACS = 300_000
CALLS = 20  # of a kernel, the most different ones
SHARED = ("mlperf_ad", "mlperf_ic", "mlperf_kws", "tflm_hello", "tinyengine")
EXAMPLES = TESTS.parent / "examples"
HALVED = ("fashion", "mlperf_kws", "tinyengine")  # also trained in part


@dataclass(frozen=True, slots=True)
class Sample:
    """One call, its counts, and then its cycles."""

    call: KernelCall
    bits: int
    model: str


def programs() -> Iterator[tuple[str, Program]]:
    """What is built from: the models that lie here, in a few ways each."""
    shared = [p for name in SHARED for p in sorted(MODELS.glob(f"{name}*.tflite"))]
    files = [*sorted(EXAMPLES.glob("*/*.tflite")), *shared]
    optimizer = Optimizer(momentum=True, batch=True)
    ways = [Options(), Options(optimizer=optimizer), Options("mse"), Options("sigmoid")]
    ways += [Options(optimizer=Optimizer(momentum=True)), Options(optimizer=Optimizer(batch=True))]
    ways += [Options(optimizer=Optimizer(master=bits)) for bits in (8, 12)]
    for path in files:
        graph = load(path)
        for options in ways:
            try:
                yield from _named(path.stem, graph, "all", options)
            except TinyTrainError:
                continue  # a loss that the model cannot be trained with
        for which in ("first", "largest") if path.stem.startswith(HALVED) else ():
            yield from _in_part(path.stem, graph, which)
        yield from _named(path.stem, graph, "none", Options())  # in tiles, where that pays
    for kind in ("lenet", "branches", "keywords", "tangle"):
        for seed in range(6):
            yield from _named(kind, ZOO[kind](seed).graph(), "all", Options())
    for seed in range(6):
        for options in ways:
            yield from _named("characters", characters(seed, 3 * seed + 2).graph(), "all", options)


def _named(
    model: str, graph: Graph, update: str, options: Options
) -> Iterator[tuple[str, Program]]:
    graph = trained_graph(graph, options)
    scheme = parse_scheme(graph, update)
    for pieces in (True, False):
        for program in candidates(graph, scheme, options, pieces=pieces):
            yield model, program


def _in_part(model: str, graph: Graph, which: str) -> Iterator[tuple[str, Program]]:
    """Half of the input channels are trained, in every layer but the last."""
    some = [n.name for n in layers(graph)[:-1] if input_channels(n) > 1]
    with tempfile.TemporaryDirectory() as name:
        scheme = Path(name) / "half.toml"
        entries = (f'[layer.{n}]\nweight = 0.5\nchannels = "{which}"\n' for n in some)
        scheme.write_text("".join(entries), encoding="utf-8")
        yield from _named(model, graph, str(scheme), Options())


def samples() -> Iterator[Sample]:
    """Calls that fit the board, of each kernel the most different ones."""
    by_kernel: dict[str, dict[tuple[int, ...], Sample]] = defaultdict(dict)
    for model, program in programs():
        for outer in (*program.predict, *program.step, *program.apply):
            for call in outer.body or (outer,):
                size = sum({b.name: b.nbytes for b in call.buffers()}.values())
                if size <= LARGEST and call.macs <= MOST_MACS:
                    key = tuple(counts(call, program.gradients.bits).values())
                    sample = Sample(call, program.gradients.bits, model)
                    by_kernel[measured_as(call)].setdefault(key, sample)
    for _, found in sorted(by_kernel.items()):
        keys = sorted(found)
        chosen = {round(i * (len(keys) - 1) / max(1, CALLS - 1)) for i in range(CALLS)}
        yield from (found[keys[i]] for i in sorted(chosen) if i < len(keys))


def call_of(sample: Sample) -> Call:
    """The call with arguments for the board."""
    kernel, given = sample.call.kernel, sample.call.args
    parameters = declarations().function(kernel).parameters
    args = [_argument(given.get(p.name), p.name) for p in parameters]
    if "embedding" in kernel:  # x are valid indices
        x, p = given["x"], given["p"]
        assert isinstance(x, Buffer) and isinstance(p, Mapping)
        indices = np.arange(x.nbytes // 4, dtype=np.int32) * 3 % p.get("gradient", p)["rows"]
        args[[p.name for p in parameters].index("x")] = indices.astype(np.int32)
    return Call(kernel, args)


def _argument(argument: object, name: str) -> object:
    match argument:
        case None | int() | Mapping():
            return argument
        case Tile():
            return argument.start
        case View():
            return noise(argument.buffer.nbytes - argument.offset)
        case Runtime.RATE:
            return rate_buffer(0.01, 1)
        case Runtime.LOSS:
            return np.zeros(1, np.int32)
        case Runtime.TARGET:
            return np.resize(np.array([0, 1], np.int8), 4096)
        case Runtime():
            return 1
        case Buffer():
            return _buffer(argument, name)
    raise TypeError(f"{name}: {argument!r}")


FILLS = {
    "multiplier": np.array([1518500250], np.int32),
    "shift": np.array([-9], np.int8),
    "step_mantissa": np.array([20000], np.uint16),
    "step_exponent": np.array([-24], np.int8),
    "scale": np.array([23000], np.uint16),
    "bias": np.array([37, -410, 112], np.int32),
    "sums": np.array([900, -1500, 310], np.int32),
}


def _buffer(buffer: Buffer, name: str) -> np.ndarray:
    if name in FILLS:
        fill = FILLS[name]
        return np.resize(fill, buffer.nbytes // fill.itemsize)
    if buffer.ctype == "tt_grad":
        return grad_buffer(6 * noise((buffer.nbytes - 4) // 2).astype(np.int16))
    return noise(buffer.nbytes)


def noise(n: int) -> np.ndarray:
    """Weights are within +-127, and the fast kernels rely on it."""
    some = np.random.default_rng(0).integers(-127, 128, 509, np.int8)
    return np.resize(some, n)


def measure(chosen: Sequence[Sample]) -> list[int]:
    """Cycles of each call on the emulated Pico."""
    kernels = sorted({s.call.kernel for s in chosen})
    calls = [call_of(sample) for sample in chosen]
    images = [make_image(library(), kernels.index(call.kernel), call) for call in calls]
    with tempfile.TemporaryDirectory() as name:
        module = Path(name) / "tinykernels.mpy"
        build_module(BOARD, kernels, 16, module)
        return [max(1, outcome.cycles) for outcome in run_calls(BOARD, module, images)]


def fit(rows: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Coefficients >= 0 with the least squares of relative errors: over all subsets of counts."""
    n = rows.shape[1]
    scaled = rows / cycles[:, None]
    best, least = np.zeros(n), np.inf
    for subset in chain.from_iterable(combinations(range(n), k) for k in range(1, n + 1)):
        part = scaled[:, subset]
        found, *_ = np.linalg.lstsq(part, np.ones(len(cycles)), rcond=None)
        error = float(np.sum((part @ found - 1) ** 2))
        if (found >= 0).all() and error < least - 1e-9:
            best, least = np.zeros(n), error
            best[list(subset)] = found
    return best


def main() -> None:
    """Measure, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="measure kernels so named; others keep their figures")  # fmt: skip
    arguments = parser.parse_args()
    chosen = [s for s in samples() if re.search(arguments.only, measured_as(s.call))]
    cycles = measure(chosen)
    by_kernel: dict[str, list[tuple[Sample, float]]] = defaultdict(list)
    for sample, n in zip(chosen, cycles, strict=True):
        by_kernel[measured_as(sample.call)].append((sample, n))
    kernels = dict(coefficients(TARGET)) if arguments.only else {}
    print(f"{'kernel':<44}{'calls':>6}{'worst':>8}  cycles for each")
    for kernel, measured in sorted(by_kernel.items()):
        rows = np.array(
            [[counts(s.call, s.bits).get(c, 0) for c in COUNTS] for s, _ in measured], float
        )
        wanted = np.array([n for _, n in measured])
        found = fit(rows, wanted)
        worst = np.abs(rows @ found / wanted - 1).max()
        table = {c: float(f"{v:.4g}") for c, v in zip(COUNTS, found, strict=True) if v > 0}
        kernels[kernel] = table
        print(f"{kernel:<44}{len(measured):>6}{worst:>8.1%}  {table}")
    source = "emulated Pico, code and data in RAM; python tests/kernel_cycles.py"
    if not arguments.dry_run:
        text = json.dumps({"source": source, "kernels": kernels}, indent=2)
        table_path(TARGET).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
