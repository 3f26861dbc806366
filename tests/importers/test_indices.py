"""Models whose input are indices: what is imported, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytrain.errors import ImportModelError
from tinytrain.ir.ops import Embedding

SCALED = {"scale": 0.05, "zero_point": -3}


def indices(net, *shape: int, dtype: str = "int32") -> int:
    return net.writer.tensor("indices", shape, dtype)


def table(net, rows: int = 7, depth: int = 4, **how: Any) -> int:
    values = np.arange(rows * depth).reshape(rows, depth) - 10
    return net.const(values, how.pop("dtype", "int8"), **(SCALED | how))


@pytest.mark.parametrize("code", ["GATHER", "EMBEDDING_LOOKUP"])
@pytest.mark.parametrize("shape", [(1, 5), (5,), (1, 5, 1)])
def test_lookup(net, load_bytes, code, shape):
    source, rows = indices(net, *shape), table(net)
    out = net.act(*shape, 4)
    if code == "GATHER":
        net.op(code, [rows, source], out, axis=0)
    else:
        net.op(code, [source, rows], out)
    graph = load_bytes(net.bytes(source, out))
    (node,) = graph.nodes
    assert (node.op, node.name, node.attrs) == ("embedding", "embedding_1", Embedding(7, 4, 5))
    assert (graph.indices, graph.input.model_dtype, graph.input.shape) == (7, "int32", shape)
    weight = graph.tensors[node.weight]
    assert weight.shape == (7, 4) and node.bias is None
    assert weight.quant == graph.tensors[node.output].quant


def test_several_tables(net, load_bytes):
    """The smallest one says which indices there are; a table that is read twice trains apart."""
    source, rows = indices(net, 1, 3), table(net, 9)
    parts = [
        net.op("GATHER", [r, source], net.act(1, 3, 4), axis=a)
        for r, a in ((rows, 0), (table(net, 6), -2), (rows, 0))
    ]
    out = net.op("ADD", parts[:2], net.act(1, 3, 4))
    out = net.op("ADD", [out, parts[2]], net.act(1, 3, 4))
    graph = load_bytes(net.bytes(source, out))
    assert [n.op for n in graph.nodes] == ["embedding"] * 3 + ["add"] * 2
    assert graph.indices == 6
    assert any("share weights, but train them apart" in note for note in graph.notes)


CASES: dict[str, tuple[Any, str]] = {}


def case(what: str) -> Any:
    def register(build: Any) -> Any:
        CASES[build.__name__] = build, what
        return build

    return register


def gather(net, rows: int, source: int, out: int | None = None, **options: Any) -> tuple[int, int]:
    out = net.act(1, 5, 4) if out is None else out
    return source, net.op("GATHER", [rows, source], out, **({"axis": 0} | options))


@case("op 0 GATHER: axis 1 and batch_dims 0")
def other_axis(net):
    return gather(net, table(net), indices(net, 1, 5), axis=1)


@case("op 0 GATHER: axis 0 and batch_dims 1")
def batch_dims(net):
    return gather(net, table(net), indices(net, 1, 5), batch_dims=1)


@case("op 0 GATHER: a table of shape [7, 2, 2]")
def table_of_maps(net):
    rows = net.const(np.zeros((7, 2, 2)), "int8", **SCALED)
    return gather(net, rows, indices(net, 1, 5), net.act(1, 5, 2, 2))


@case("op 0 GATHER: a float32 table")
def float_table(net):
    rows = net.const(np.zeros((7, 4)), "float32")
    return gather(net, rows, indices(net, 1, 5), net.act(1, 5, 4, dtype="float32"))


@case("int16 activations (16x8 quantization) are not supported")
def int16_table(net):
    return gather(net, net.const(np.zeros((7, 4)), "int16", **SCALED), indices(net, 1, 5))


@case("7 scales, expected one positive scale")
def scale_of_each_row(net):
    rows = table(net, scale=np.linspace(0.1, 0.2, 7), zero_point=0)
    return gather(net, rows, indices(net, 1, 5))


@case("table and output are scaled differently")
def another_scale(net):
    return gather(net, table(net, scale=0.04), indices(net, 1, 5))


@case("output shape is not [1, 5, 4]")
def wrong_shape(net):
    return gather(net, table(net), indices(net, 1, 5), net.act(5, 4))


@case("op 0 GATHER: a table computed at run time")
def gather_of_activations(net):
    source = net.act(1, 4)
    return source, net.op("GATHER", [source, net.const([0, 0])], net.act(2, 4), axis=0)


@case("the indices are not the model's input")
def constant_indices(net):
    source = indices(net, 1, 2)
    gather(net, table(net), source, net.act(1, 2, 4))
    return source, net.op("GATHER", [table(net), net.const([[1, 2]])], net.act(1, 2, 4), axis=0)


@case("the indices are not the model's input, or that is not int32")
def int8_indices(net):
    source = net.act(1, 5)
    return gather(net, table(net), source)


@case("an input of indices has to be int32")
def int64_indices(net):
    return gather(net, table(net), indices(net, 1, 5, dtype="int64"))


@case("op 0 CAST: the op is not supported")
def cast(net):
    source = net.act(1, 5, dtype="float32")
    net.op("CAST", [source], indices(net, 1, 5))
    return gather(net, table(net), source)


@case("int32 indices where an int8 activation is needed")
def other_reader(net):
    source = indices(net, 1, 5)
    return source, net.op("RESHAPE", [source], net.act(5))


@case("int32 indices where an int8 activation is needed")
def also_other_reader(net):
    source = indices(net, 1, 5)
    rows = net.op("GATHER", [table(net), source], net.act(1, 5, 4), axis=0)
    return source, net.op("ADD", [rows, source], net.act(1, 5, 4))


@case("input shape [2, 5]")
def batch(net):
    return gather(net, table(net), indices(net, 2, 5), net.act(2, 5, 4))


@case("a scalar index")
def scalar(net):
    return gather(net, table(net), indices(net), net.act(4))


@pytest.mark.parametrize("name", CASES)
def test_refusal(net, load_bytes, name):
    build, what = CASES[name]
    model = net.bytes(*build(net))
    with pytest.raises(ImportModelError) as caught:
        load_bytes(model)
    message = str(caught.value)
    assert what in message and "model.tflite: " in message
    assert len(message.split("; ", 1)[1]) > 10  # what would help
