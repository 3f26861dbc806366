"""The generated C: clean under strict warnings, the same every time, readable."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.nets import Model, Net
from support.shared import NAMES, loss_for, path_of
from support.zoo import ZOO
from tinytrain.codegen.c_source import Source, generate
from tinytrain.codegen.weights_file import HEADER, weights_file
from tinytrain.compilation import Compiled, Options, compile_graph, compile_model
from tinytrain.kernels.header import declarations
from tinytrain.resources import c_kernels_dir, mpy_module_dir

GOLDEN = Path(__file__).parent / "golden"
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Werror",
]

CompileC = Callable[[Source], None]


def tiny() -> Model:
    """One op of each kind that matters to the reader: padding, a sum, a pool, a head."""
    net = Net(0)
    x = net.input(1, 4, 4, 1)
    a = net.conv(x, 2, activation="RELU")
    y = net.add(a, net.conv(a, 2, (1, 1)))
    y = net.average_pool(y, (4, 4), (1, 1))
    return net.model(x, net.dense(net.reshape(y, 1, 2), 2))


@pytest.fixture
def compile_c(tmp_path: Path) -> CompileC:
    """Compile a model's C with every warning an error."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")

    def run(source: Source) -> None:
        (tmp_path / "model.h").write_text(source.header)
        (tmp_path / "model.c").write_text(source.body)
        folders = (tmp_path, mpy_module_dir(), c_kernels_dir() / "include")
        includes = [f"-I{folder}" for folder in folders]
        command = [compiler, "-std=c99", "-O1", *WARNINGS, *includes, "-c", "model.c"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return run


@pytest.mark.parametrize("update", ["all", "bias:2", "none"])
@pytest.mark.parametrize("kind", ZOO)
def test_no_warnings(kind: str, update: str, compile_c: CompileC) -> None:
    compile_c(ZOO[kind](0).compiled(update).source)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_real_models_without_warnings(name: str, compile_c: CompileC) -> None:
    compile_c(compile_model(path_of(name), "all", Options(loss_for(name))).source)


def hostile() -> Model:
    """Tensor names that end comments, begin new ones, continue lines or are no ASCII."""
    net = Net(0)
    names = iter(["in", "a*/b/*c", "line\nfeed", 'quote"\\', "trigraph??/", "ünï", "end\\"])
    plain = net.writer.tensor

    def tensor(name: str, *args: object, **how: object) -> int:
        if name.startswith("t"):
            name = next(names, name)
        return plain(name, *args, **how)

    net.writer = _Renaming(net.writer, tensor)  # type: ignore[assignment]
    x = net.input(1, 4, 4, 1)
    y = net.conv(x, 2)
    y = net.elementwise("QUANTIZE", y, y.scale * 0.9, 3)
    y = net.conv(net.max_pool(y), 2)
    return net.model(x, net.dense(net.flatten(y), 2))


class _Renaming:
    """A writer whose `tensor` is another one."""

    def __init__(self, writer: object, tensor: Callable[..., int]) -> None:
        self.writer, self.tensor = writer, tensor

    def __getattr__(self, name: str) -> object:
        return getattr(self.writer, name)


def test_hostile_names(compile_c: CompileC) -> None:
    graph = replace(hostile().graph(), name='x"; #error */ /* \\ \n ü')
    compiled = compile_graph(graph, "all")
    assert any("*/" in name for name in graph.tensors)
    compile_c(compiled.source)
    comments = re.findall(r"/\*(.*?)\*/", compiled.source.body)
    assert all(re.fullmatch(r"[\w .:;,>#/-]*", text, re.ASCII) for text in comments)
    assert compiled.source.body.count("/*") == len(comments) == compiled.source.body.count("*/")
    (name,) = re.findall(r"#define TT_MODEL_NAME (.*)", compiled.source.header)
    assert re.fullmatch(r'"[\w.\-]*"', name)


def test_text_is_the_same_in_another_process() -> None:
    """No order of hashes, no time, no path in it."""
    script = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "from support.zoo import ZOO\n"
        "for kind in ('residual', 'mobilenet'):\n"
        "    s = ZOO[kind](0).compiled('all').source\n"
        "    print(s.header, s.body, sep='')\n"
    )
    tests = str(Path(__file__).parents[1])
    texts = {
        subprocess.run(
            [sys.executable, "-c", script, tests],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    }
    expected = "".join(
        s.header + s.body + "\n"
        for s in (ZOO[kind](0).compiled("all").source for kind in ("residual", "mobilenet"))
    )
    assert texts == {expected}
    assert str(Path.home()) not in expected and "/tmp" not in expected
    assert not re.search(r"20\d\d-\d\d|\d\d:\d\d", expected)


def test_golden_text() -> None:
    """To be read: golden/tiny.c. TINYTRAIN_UPDATE_GOLDEN=1 writes it anew after a wanted change."""
    source = tiny().compiled("last:2").source
    for name, text in (("tiny.h", source.header), ("tiny.c", source.body)):
        if os.environ.get("TINYTRAIN_UPDATE_GOLDEN"):
            (GOLDEN / name).write_text(text)
        assert text == (GOLDEN / name).read_text()


def test_lines_are_short() -> None:
    for kind in ZOO:
        body = ZOO[kind](0).compiled("all").source.body
        assert max(len(line) for line in body.splitlines()) <= 100


# ---- the hash that tells builds apart


def test_hash_is_that_of_the_build() -> None:
    def value(model: Model, update: str = "all") -> int:
        return model.compiled(update).source.hash

    base = value(tiny())
    assert value(tiny()) == base
    assert value(tiny(), "last:2") != base
    assert value(tiny(), "none") != base
    assert len({value(ZOO["lenet"](seed)) for seed in range(4)}) == 4


def test_hash_changes_with_one_weight_and_with_the_name() -> None:
    graph = tiny().graph()
    base = compile_graph(graph, "all").source.hash
    assert compile_graph(replace(graph, name="other"), "all").source.hash != base
    weight = graph.nodes[0].weight
    assert weight is not None
    tensor = graph.tensors[weight]
    data = tensor.data.copy()
    data.flat[0] ^= 1
    tensors = dict(graph.tensors) | {weight: replace(tensor, data=data)}
    assert compile_graph(replace(graph, tensors=tensors), "all").source.hash != base


def test_hash_stands_in_the_header() -> None:
    source = tiny().compiled("all").source
    low, high = (
        int(re.search(rf"TT_MODEL_HASH_{part} 0x(\w+)u", source.header)[1], 16)
        for part in ("LOW", "HIGH")
    )
    assert source.hash == low | high << 32


# ---- macros


def macros(compiled: Compiled) -> dict[str, str]:
    return dict(re.findall(r"#define (\w+) (.*)", compiled.source.header))


def test_macros_say_what_was_planned() -> None:
    compiled = tiny().compiled("all")
    found, program, arena = macros(compiled), compiled.program, compiled.arena
    assert int(found["TT_ARENA_BYTES"]) == arena.nbytes
    assert int(found["TT_STATE_BYTES"]) == program.state_bytes
    assert int(found["TT_WEIGHTS_BYTES"]) == program.weights.size
    assert int(found["TT_INPUT_OFFSET"]) == arena.offsets[program.input.name]
    assert int(found["TT_OUTPUT_OFFSET"]) == arena.offsets[program.output.name]
    assert (found["TT_INPUT_BYTES"], found["TT_OUTPUT_BYTES"]) == ("16", "2")
    assert (found["TT_INPUT_SHAPE"], found["TT_OUTPUT_SHAPE"]) == ("1, 4, 4, 1", "1, 2")
    assert found["TT_CLASSES"] == "2" and found["TT_INPUT_ZERO"] == "-3"
    assert int(found["TT_MODEL_ABI"]) == declarations().constants["TT_ABI"]
    bits = np.array([int(found["TT_INPUT_SCALE_BITS"][:-1], 16)], np.uint32)
    scale = compiled.graph.tensors[compiled.graph.input.tensor].quant.per_tensor
    assert float(bits.view(np.float32)[0]) == scale


def test_prediction_alone_has_no_step() -> None:
    compiled = tiny().compiled("none")
    assert "tt_model_step" not in compiled.source.body
    assert macros(compiled)["TT_CLASSES"] == macros(compiled)["TT_STATE_BYTES"] == "0"


def test_only_constants_are_static() -> None:
    """No initialized data and no bss: a native module has neither."""
    for kind in ZOO:
        for line in ZOO[kind](0).compiled("all").source.body.splitlines():
            if line.startswith("static"):
                assert line.startswith(("static const ", "static void "))


# ---- model.ttw


def test_weights_file() -> None:
    import zlib

    compiled = tiny().compiled("all")
    data = weights_file(compiled.program, compiled.source.hash)
    magic, abi, low, high, size, crc, *rest = HEADER.unpack(data[: HEADER.size])
    payload = data[HEADER.size :]
    assert HEADER.size == 32 and magic == b"TTW1" and rest == [0, 0]
    assert abi == declarations().constants["TT_ABI"]
    assert low | high << 32 == compiled.source.hash
    assert size == len(payload) == compiled.program.weights.size
    assert crc == zlib.crc32(payload)
    assert payload == compiled.program.weights.tobytes()


def test_arguments_must_be_those_of_the_kernel() -> None:
    """A kernel that changed its parameters is an error of the generator, not wrong code."""
    from tinytrain.errors import BuildError

    compiled = tiny().compiled("none")
    call = compiled.program.predict[0]
    for args, message in (
        ({k: v for k, v in call.args.items() if k != "bias"}, "parameter bias is missing"),
        (dict(call.args) | {"extra": 1}, "has no parameter extra"),
    ):
        program = replace(compiled.program, predict=(replace(call, args=args),))
        with pytest.raises(BuildError, match=message):
            generate(compiled.graph, program, compiled.arena)


# ---- the layout of constants


def test_constants_are_aligned_and_within() -> None:
    for kind in ZOO:
        program = ZOO[kind](0).compiled("all").program
        for call in (*program.predict, *program.step):
            for b in call.buffers():
                if b.offset >= 0:
                    limit = {"weights": program.weights.size, "state": program.state_bytes}
                    assert b.offset % 4 == 0
                    assert b.offset + b.nbytes <= limit[b.region.value]
