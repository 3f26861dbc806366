"""Update schemes: what is read, what is refused, and what the backward pass is pruned to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.nets import Model, Net
from support.zoo import ZOO
from tinytrain.compilation import compile_graph
from tinytrain.errors import UpdateError
from tinytrain.ir import Graph, Port
from tinytrain.ir.program import Buffer, Program, Region
from tinytrain.passes.lower import lower
from tinytrain.passes.update import LayerUpdate, layers, parse_scheme

WriteToml = Callable[[str], str]


@pytest.fixture
def toml(tmp_path: Path) -> WriteToml:
    def write(text: str) -> str:
        path = tmp_path / "scheme.toml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Layers conv2d_1 .. 3 and dense_1; conv2d_2 has no bias."""
    net = Net()
    x = net.input(1, 6, 6, 2)
    y = net.conv(x, 4, activation="RELU")
    y = net.conv(y, 4, activation="RELU", bias=False)
    y = net.conv(y, 4, (1, 1))
    return net.model(x, net.dense(net.flatten(y), 3)).graph()


def test_words(graph: Graph) -> None:
    names = [n.name for n in layers(graph)]
    assert names == ["conv2d_1", "conv2d_2", "conv2d_3", "dense_1"]
    assert parse_scheme(graph, "none") == {}
    everything = {
        "conv2d_1": LayerUpdate(2, True),
        "conv2d_2": LayerUpdate(4, False),
        "conv2d_3": LayerUpdate(4, True),
        "dense_1": LayerUpdate(144, True),
    }
    assert parse_scheme(graph, "all") == parse_scheme(graph, "last:4") == everything
    assert parse_scheme(graph, "last:1") == {"dense_1": everything["dense_1"]}
    # a layer without a bias is counted, though it has nothing to train
    biases = {"conv2d_3": LayerUpdate(0, True), "dense_1": LayerUpdate(0, True)}
    assert parse_scheme(graph, "bias:3") == parse_scheme(graph, "bias:2") == biases


def test_toml(graph: Graph, toml: WriteToml) -> None:
    text = """
        biases = 2
        [layer.conv2d_1]
        weight = 0.5
        [layer."op:2"]
        weight = true
        bias = false
        [layer.conv2d_2]
        weight = 0.8
    """
    assert parse_scheme(graph, toml(text)) == {
        "conv2d_1": LayerUpdate(1, False),
        "conv2d_2": LayerUpdate(3, False),  # 0.8 * 4, rounded down
        "conv2d_3": LayerUpdate(4, False),
        "dense_1": LayerUpdate(0, True),
    }
    with pytest.raises(UpdateError, match="trains nothing"):
        parse_scheme(graph, toml(""))
    assert len(parse_scheme(graph, toml("biases = 100"))) == 3


def test_biases_and_a_layer_without_one(graph: Graph, toml: WriteToml) -> None:
    """`biases` means the biases that there are."""
    scheme = parse_scheme(graph, toml("biases = 4\n[layer.conv2d_2]\nweight = true"))
    assert scheme["conv2d_2"] == LayerUpdate(4, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("some", "unknown update scheme 'some': expected all, none, last:N, bias:N or a .toml"),
        ("last:0", "unknown update scheme"),
        ("last:-1", "unknown update scheme"),
        ("last:x", "unknown update scheme"),
        ("bias", "unknown update scheme"),
        ("", "unknown update scheme"),
        ("last:5", "has only 4 layers with weights"),
        ("bias:5", "has only 4 layers with weights"),
        ("absent.toml", "absent.toml: cannot be read .No such file"),
    ],
)
def test_refused_words(graph: Graph, text: str, message: str) -> None:
    with pytest.raises(UpdateError, match=message):
        parse_scheme(graph, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("biases = ", "not a TOML file"),
        ("bias = 3", "unknown key 'bias'; known: biases"),
        ("biases = 1.5", "must be a whole number, not 1.5"),
        ("biases = true", "must be a whole number, not True"),
        ("biases = -1", "must be a whole number, not -1"),
        ("layer = 3", "must be tables such as"),
        ("[layer.conv2d_9]\nweight = true", "no layer 'conv2d_9' .* it has conv2d_1, conv2d_2"),
        ("[layer.'op:17']\nweight = true", "no layer 'op:17'"),
        ("[layer.conv2d_1]\nweight = 1\n[layer.'op:0']\nbias = true", "an entry already"),
        ("[layer]\nconv2d_1 = 3", "expected weight, channels, bias and rate = ..., got 3"),
        ("[layer.conv2d_1]\nweights = 1", "expected weight, channels, bias and rate = "),
        ("[layer.conv2d_1]\nbias = 1", "bias must be true or false, not 1"),
        ("[layer.conv2d_2]\nbias = true", "this layer has no bias"),
        ("[layer.conv2d_1]\nweight = 1.5", "between 0 and 1, not 1.5"),
        ("[layer.conv2d_1]\nweight = -0.5", "between 0 and 1, not -0.5"),
        ("[layer.conv2d_1]\nweight = nan", "between 0 and 1, not nan"),
        ("[layer.conv2d_1]\nweight = 'all'", "between 0 and 1, not 'all'"),
        ("[layer.conv2d_1]\nweight = 0.4", "0.4 of 2 input channels is none; take at least 0.5"),
    ],
)
def test_refused_files(graph: Graph, toml: WriteToml, text: str, message: str) -> None:
    with pytest.raises(UpdateError, match=message):
        parse_scheme(graph, toml(text))


def test_not_text(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "scheme.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UpdateError, match="not a TOML file"):
        parse_scheme(graph, str(path))


# ---- what a scheme is pruned to


def program(graph: Graph, update: str) -> Program:
    return lower(graph, parse_scheme(graph, update))


def backward(graph: Graph, update: str) -> list[str]:
    """Kernels of the backward pass with their layers, without the loss."""
    calls = [(c.kernel.removeprefix("tt_"), c.node) for c in program(graph, update).step]
    start = next(i for i, (kernel, _) in enumerate(calls) if kernel == "softmax_cross_entropy")
    return [f"{kernel} {node}" for kernel, node in calls[start + 1 :]]


def clips(graph: Graph, update: str) -> list[str]:
    """Layers whose clip mask the forward pass of a step writes."""
    calls = program(graph, update).step
    return [c.node for c in calls if isinstance(c.args.get("clip"), Buffer) and "y" in c.args]


def test_none_has_no_step(graph: Graph) -> None:
    found = program(graph, "none")
    assert found.step == () and found.state == () and found.state_bytes == 0
    assert found.classes == 0


def test_last_layer_alone(graph: Graph) -> None:
    """No gradient passes the head, and no mask is kept."""
    assert backward(graph, "last:1") == ["conv2d_bwd_weight dense_1", "bias_bwd dense_1"]
    assert clips(graph, "last:1") == []
    assert backward(graph, "bias:1") == ["bias_bwd dense_1"]


def test_two_layers(graph: Graph) -> None:
    assert backward(graph, "last:2") == [
        "conv2d_bwd_input dense_1",
        "conv2d_bwd_weight dense_1",
        "bias_bwd dense_1",
        "clip_bwd conv2d_3",
        "conv2d_bwd_weight conv2d_3",
        "bias_bwd conv2d_3",
    ]
    assert clips(graph, "last:2") == ["conv2d_3"]


def test_frozen_layers_pass_gradients_on(graph: Graph, toml: WriteToml) -> None:
    """Only the first layer is trained: gradients go through all others, nothing is updated there,
    and the first layer sends none to the input."""
    assert backward(graph, toml("[layer.conv2d_1]\nweight = true")) == [
        "conv2d_bwd_input dense_1",
        "clip_bwd conv2d_3",
        "conv2d_bwd_input conv2d_3",
        "clip_bwd conv2d_2",
        "conv2d_bwd_input conv2d_2",
        "clip_bwd conv2d_1",
        "conv2d_bwd_weight conv2d_1",
    ]


def test_untouched_branch_gets_no_gradient() -> None:
    """Only one of two branches has a trained layer."""
    net = Net()
    x = net.input(1, 5, 5, 2)
    frozen = net.conv(x, 3)
    trained = net.conv(x, 3)
    y = net.add(frozen, trained)
    model = net.model(x, net.dense(net.flatten(y), 3))
    graph = model.graph()
    scheme = {"conv2d_2": LayerUpdate(2, True)}
    calls = [c.kernel for c in lower(graph, scheme).step if c.node == "conv2d_1"]
    assert calls == ["tt_conv2d_s8"]


def saved(graph: Graph, update: str) -> set[str]:
    """Forward activations that the backward pass reads."""
    calls = program(graph, update).step
    start = next(i for i, c in enumerate(calls) if c.kernel == "tt_softmax_cross_entropy")
    written = {c.args["y"].name for c in calls[:start]} | {"t1"}
    reads = {b.name for c in calls[start + 1 :] for b in c.buffers() if b.region is Region.ARENA}
    return written & reads


def test_only_needed_activations_are_kept(graph: Graph, toml: WriteToml) -> None:
    """Weight gradients need the layer's input; biases and passing on need none."""
    assert saved(graph, "bias:4") == set()
    assert len(saved(graph, "last:1")) == 1
    assert len(saved(graph, "all")) == 4
    assert len(saved(graph, toml("biases = 4\n[layer.conv2d_2]\nweight = true"))) == 1


def test_pool_alone_needs_its_input() -> None:
    net = Net()
    x = net.input(1, 6, 6, 2)
    y = net.max_pool(net.conv(x, 4))
    y = net.average_pool(y, (3, 3), (1, 1))
    graph = net.model(x, net.dense(net.reshape(y, 1, 4), 3)).graph()
    assert len(saved(graph, "bias:2")) == 1  # the maximum must be found again


def test_weight_is_updated_after_its_use() -> None:
    """The gradient of a layer's input needs the weight as the forward pass saw it."""
    for kind in ZOO:
        calls = compile_graph(ZOO[kind](0).graph(), "all").program.step
        order = {(c.kernel, c.node): i for i, c in enumerate(calls)}
        for (kernel, node), tick in order.items():
            if kernel.endswith("_bwd_input"):
                assert tick < order[kernel.replace("_input", "_weight"), node]


def test_gradients_are_fewer_macs() -> None:
    model = ZOO["mobilenet"](0)
    macs = [
        sum(c.macs for c in program(model.graph(), u).step) for u in ("last:1", "last:3", "all")
    ]
    assert macs == sorted(set(macs))


# ---- what cannot be trained


def refused(model: Model, update: str, message: str) -> None:
    graph = model.graph()
    with pytest.raises(UpdateError, match=message):
        lower(graph, parse_scheme(graph, update))


def test_output_that_is_no_vector_of_scores() -> None:
    net = Net()
    x = net.input(1, 4, 4, 2)
    model = net.model(x, net.conv(x, 3))
    refused(model, "all", "no vector of 2 to 4096 class scores.*--update none")
    assert lower(model.graph(), {}).classes == 0


def test_softmax_inside() -> None:
    """There is no rule to differentiate through; after it training is possible."""
    net = Net()
    x = net.input(1, 8)
    model = net.model(x, net.dense(net.softmax(net.dense(x, 6)), 3))
    refused(model, "all", "no gradient rule for softmax; train only layers after it")
    assert program(model.graph(), "last:1").step


def test_layer_that_does_not_matter(graph: Graph) -> None:
    """Importers drop such layers; here the output is moved before the last two."""
    early = replace(graph, output=Port(graph.nodes[1].output, (1, 144)))
    with pytest.raises(UpdateError, match="layer conv2d_3 does not influence the output"):
        program(early, "last:2")
