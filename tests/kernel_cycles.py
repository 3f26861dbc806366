"""Measure every kernel on an emulated Pico and fit the estimates of plan/cycles.py to that.

    python tests/kernel_cycles.py            # measures, writes plan/cycles_armv6m.json
    python tests/kernel_cycles.py --dry-run  # prints how far the fit is off, writes nothing

The calls are those of the models in examples/ (and of the shared ones where they are), and of
random models for what these have not, with random data, weights and kernels in RAM. Cycles are the
emulated timer's microseconds times 125.
"""

from __future__ import annotations

import argparse
import base64
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

import drive  # noqa: E402

from support.shared import MODELS  # noqa: E402
from support.zoo import ZOO, characters  # noqa: E402
from tinytrain.backend.kernel_sources import compact_sources, include_dirs, kernel_sources  # noqa: E402
from tinytrain.backend.natmod import build_natmod  # noqa: E402
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
from tinytrain.kernels.library import library, rate_buffer  # noqa: E402
from tinytrain.passes.update import input_channels, layers, parse_scheme  # noqa: E402
from tinytrain.plan.cycles import COUNTS, coefficients, counts, measured_as, table_path  # noqa: E402
from tinytrain.resources import mpy_module_dir  # noqa: E402

CLOCK_MHZ = 125
TARGET = "armv6m"
LARGEST = 30_000  # bytes of a call's buffers
MOST_MACS = 300_000
CALLS = 20  # of a kernel, the most different ones
SHARED = ("mlperf_ad", "mlperf_ic", "mlperf_kws", "tflm_hello", "tinyengine")
EXAMPLES = TESTS.parent / "examples"
HALVED = ("fashion", "mlperf_kws", "tinyengine")  # also trained in part

BINDING = """
#include "py/dynruntime.h"
#include "tinytrain.h"
typedef void (*any)(void);
typedef void (*kernel)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t,
    uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
static void nothing(void) {}
static kernel find(mp_int_t k) {
    switch (k) {
%s
    default: return (kernel)(any)nothing;
    }
}
static mp_obj_t run_kernel(size_t n, const mp_obj_t *args) {
    uintptr_t a[14] = {0};
    for (size_t i = 2; i < n; i++) {
        if (mp_obj_is_int(args[i])) {
            a[i - 2] = (uintptr_t)mp_obj_get_int(args[i]);
        } else if (args[i] != mp_const_none) {
            mp_buffer_info_t info;
            mp_get_buffer_raise(args[i], &info, MP_BUFFER_READ);
            a[i - 2] = (uintptr_t)info.buf;
        }
    }
    kernel f = find((mp_int_t)mp_obj_get_int(args[0]));
    for (mp_int_t left = (mp_int_t)mp_obj_get_int(args[1]); left > 0; left--) {
        f(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13]);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR(run_obj, 2, run_kernel);
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    (void)n_args, (void)n_kw, (void)args;
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_run, MP_OBJ_FROM_PTR(&run_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
"""

SCRIPT = """
import gc, json, time, binascii, bench
NOISE = binascii.a2b_base64({noise!r})
def make(a):
    if a is None or isinstance(a, int):
        return a
    kind, n, data = a
    if kind == "raw":
        return bytearray(binascii.a2b_base64(data))
    if kind == "fill":
        data = binascii.a2b_base64(data)
        return bytearray(data * (n // len(data) + 1))[:n + 8]
    b = bytearray(n + 8)
    for i in range(0, n, len(NOISE)):
        b[i:i + len(NOISE)] = NOISE[:n + 8 - i]
    if kind == "grad":
        b[0:4] = b"\\0\\0\\0\\0"
        for i in range(5, n, 2):
            b[i] = 2 if b[i] < 128 else 253
    return b
def once(k, times, args):
    t = time.ticks_us()
    bench.run(k, times, *args)
    return time.ticks_diff(time.ticks_us(), t)
for line in open("calls.json"):
    k, args = json.loads(line)
    args = [make(a) for a in args]
    times = 1
    t = once(k, 1, args)
    if t < 2000:
        times = 2000 // (t + 1) + 2
        t = once(k, times, args)
    print(json.dumps([t - once(-1, times, args), times]))
    args = None
    gc.collect()
"""


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


def encoded(sample: Sample) -> list[object]:
    """The arguments of a call, for the script."""
    parameters = declarations().function(sample.call.kernel).parameters
    given = dict(sample.call.args)
    if "embedding" in sample.call.kernel:
        return [_index_argument(given, p.name, p.type.base) for p in parameters]
    return [_argument(given.get(p.name), p.name, p.type.base) for p in parameters]


def _argument(argument: object, name: str, ctype: str) -> object:
    match argument:
        case None | int():
            return argument
        case Tile():
            return argument.start
        case View():
            return ["noise", argument.buffer.nbytes - argument.offset, ""]
        case Runtime.RATE:
            return ["raw", 0, _text(bytes(rate_buffer(0.01, 1)))]
        case Runtime.LOSS:
            return ["fill", 4, _text(b"\0")]
        case Runtime.TARGET:
            return ["fill", 4096, _text(b"\0\1")]
        case Runtime():
            return 1
        case Buffer():
            return _buffer(argument, name)
        case Mapping():
            struct = library().struct(ctype, argument)
            return ["raw", 0, _text(bytes(library().ffi.buffer(struct)))]
    raise TypeError(f"{name}: {argument!r}")


def _index_argument(given: Mapping[str, object], name: str, ctype: str) -> object:
    """Of an embedding: x are valid indices."""
    x, p = given["x"], given["p"]
    if name != "x":
        return _argument(given.get(name), name, ctype)
    assert isinstance(x, Buffer) and isinstance(p, Mapping)
    rows = p.get("gradient", p)["rows"]
    indices = np.arange(x.nbytes // 4, dtype=np.int32) * 3 % rows
    return ["fill", x.nbytes, _text(indices.astype(np.int32).tobytes())]


FILLS = {
    "multiplier": np.array([1518500250], np.int32),
    "shift": np.array([-9], np.int8),
    "step_mantissa": np.array([20000], np.uint16),
    "step_exponent": np.array([-24], np.int8),
    "scale": np.array([23000], np.uint16),
    "bias": np.array([37, -410, 112], np.int32),
    "sums": np.array([900, -1500, 310], np.int32),
}


def _buffer(buffer: Buffer, name: str) -> object:
    if name in FILLS:
        return ["fill", buffer.nbytes, _text(FILLS[name].tobytes())]
    if buffer.ctype == "tt_grad":
        return ["grad", buffer.nbytes, ""]
    return ["noise", buffer.nbytes, ""]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def measure(chosen: Sequence[Sample]) -> list[float]:
    """Cycles of each call on the emulated Pico."""
    kernels = sorted({s.call.kernel for s in chosen})
    cases = "\n".join(f"    case {i}: return (kernel)(any){k};" for i, k in enumerate(kernels))
    # weights are within +-127, and the fast kernels rely on it
    noise = _text(np.random.default_rng(0).integers(-127, 128, 509, np.int8).tobytes())
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "bench.c").write_text(BINDING % cases)
        sources = [work / "bench.c", *kernel_sources(TARGET)]
        runtime = mpy_module_dir() / "runtime.c"
        build_natmod(
            [*sources, runtime],
            [*include_dirs(), runtime.parent],
            TARGET,
            work / "bench.mpy",
            work / "objects",
            compact=compact_sources(TARGET),
            defines=["TT_GRADIENT_BITS=16"],
        )
        lines = [json.dumps([kernels.index(s.call.kernel), encoded(s)]) for s in chosen]
        (work / "calls.json").write_text("\n".join(lines) + "\n")
        script = SCRIPT.format(noise=noise)
        put = [work / "bench.mpy", work / "calls.json"]
        result = drive.run("pico", script, put=put, timeout=900)
    if result.returncode:
        sys.exit(result.stderr)
    said = [json.loads(line) for line in result.stdout.splitlines()]
    return [max(1.0, t * CLOCK_MHZ / times) for t, times in said]


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
    source = "emulated Pico, code and data in RAM, timer at 125 MHz; python tests/kernel_cycles.py"
    if not arguments.dry_run:
        text = json.dumps({"source": source, "kernels": kernels}, indent=2)
        table_path(TARGET).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
