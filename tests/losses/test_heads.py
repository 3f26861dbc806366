"""Fresh heads, frozen layers, biases alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tinytrain
from tinytrain.compilation import Options, compile_graph, compile_model
from tinytrain.errors import UpdateError
from tinytrain.importers import load
from tinytrain.ir import Graph, Node, Port, Quantization, Tensor, verify
from tinytrain.ir.ops import Hwc, Softmax
from tinytrain.passes.replace_head import replace_head
from tinytrain.passes.update import LayerUpdate, freeze, parse_scheme
from tinytrain.sim.trainer import Trainer

from .graphs import chain, dense, oracle

BESIDE = Path(__file__).resolve().parents[2].parent / "shared"
MODELS = Path(os.environ.get("TINYTRAIN_SHARED", BESIDE)) / "models"
FASHION = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"


@pytest.mark.parametrize("classes", [1, 2, 3, 40])
@pytest.mark.parametrize("softmax", [False, True])
def test_what_a_fresh_head_is(classes: int, softmax: bool) -> None:
    old = dense(12, 20, 7, softmax=softmax)
    new = replace_head(old, classes)
    assert [n.name for n in new.nodes] == [n.name for n in old.nodes]
    head = new.nodes[1]
    weight, bias, y = (new.tensors[t] for t in (*head.inputs[1:], head.output))
    assert weight.data is not None and bias.data is not None
    assert weight.shape == (classes, 1, 1, 20) and not bias.data.any()
    assert (weight.quant.per_tensor if classes == 1 else weight.quant.scale[0]) > 0
    assert new.output.shape == new.tensors[new.output.tensor].shape == (1, classes)
    assert new.nodes[0] is old.nodes[0] and "w1" not in new.tensors
    # room to grow: int8 reaches at least six deviations, the logits at least +-16
    assert np.abs(weight.data).max() < 127 / 6 * 3.5
    assert classes < 3 or weight.data.any()
    assert 127 * y.quant.per_tensor >= 15.999
    if softmax:
        assert (new.nodes[2].op, new.nodes[2].attrs.depth) == ("softmax", classes)
        assert new.tensors["p"].quant == old.tensors["p"].quant


def test_the_start_is_always_the_same() -> None:
    a, b, c = (replace_head(dense(64, 10), 4, seed) for seed in (1, 1, 2))
    weights = [g.tensors[g.nodes[0].inputs[1]].data for g in (a, b, c)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).mean() > 0.8
    # fixed for all versions of numpy
    assert weights[0] is not None
    np.testing.assert_array_equal(weights[0].reshape(-1)[:8], START)


START = [22, 34, -39, 32, -29, -5, -6, -30]


def test_starting_weights_are_bell_shaped() -> None:
    graph = replace_head(dense(400, 4), 50)
    tensor = graph.tensors[graph.nodes[0].inputs[1]]
    assert tensor.data is not None
    w = tensor.data.astype(float)
    assert abs(w.mean()) < 0.05 * w.std()
    assert np.mean(np.abs(w) < w.std()) == pytest.approx(0.67, abs=0.04)


def clusters(inputs: int, classes: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    centres = rng.integers(-60, 61, (classes, inputs))
    y = np.arange(n) % classes
    return np.clip(centres[y] + rng.normal(0, 25, (n, inputs)), -128, 127).astype(np.int8), y


@pytest.mark.parametrize("softmax", [False, True])
def test_new_classes_are_learned_from_few_examples(softmax: bool) -> None:
    trainer = Trainer(
        compile_graph(dense(16, 40, 7, softmax=softmax), "last:1", Options(classes=5))
    )
    xs, ys = clusters(16, 5, 200)
    trainer.lr = 0.02
    first = [trainer.step(x, y) for x, y in zip(xs[:50], ys[:50], strict=True)]
    assert first[0] == pytest.approx(np.log(5), abs=1)  # nothing is known at the start
    for _ in range(5):
        for x, y in zip(xs[:50], ys[:50], strict=True):
            trainer.step(x, y)
    right = [trainer.classify(x) == y for x, y in zip(xs[50:], ys[50:], strict=True)]
    assert np.mean(right) > 0.9
    assert np.abs(trainer.parameters()["layer1/weight"]).max() < 127


def test_logits_of_a_fresh_head_enter_the_loss_unrounded() -> None:
    compiled = compile_graph(dense(12, 20, 7, softmax=True), "all", Options(classes=3))
    assert "tt_conv2d_s32" in [call.kernel for call in compiled.program.step]
    trainer = Trainer(compiled)
    x = np.arange(-60, 60, 10).astype(np.int8)
    value, theirs = oracle(compiled, x, 2, dict(trainer.parameters()))
    ours = trainer.gradients(x, 2)
    for key, d in ours.items():
        a, b = d.reshape(-1), theirs[key].reshape(-1)
        assert a @ b >= 0.9999 * np.linalg.norm(a) * np.linalg.norm(b)
    assert trainer.step(x, 2) == pytest.approx(value, rel=0.01)


def test_1x1_convolution_behind_a_pool() -> None:
    path = MODELS / "tflm_person_detect_int8.tflite"
    if not path.exists():
        pytest.skip("shared/models is not there")
    graph = replace_head(load(path), 4)
    assert graph.output.shape == (1, 4)
    assert [n.op for n in graph.nodes[-2:]] == ["conv2d", "softmax"]
    assert compile_graph(graph, "last:1").program.classes == 4


def test_through_simulate() -> None:
    x = np.full(784, 20, np.int8)
    with tinytrain.simulate(FASHION, "last:1", classes=3, lr=0.001) as trainer:
        assert (trainer.classes, trainer.output_shape) == (3, (1, 3))
        losses = [trainer.step(x, 2) for _ in range(5)]
        assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("graph", "classes", "message"),
    [
        (dense(8, 4), 0, r"--classes 0: expected 1 \.\. 4096"),
        (dense(8, 4), 5000, r"--classes 5000: expected"),
        (chain([Hwc(6, 6, 3), Hwc(6, 6, 4)], kernel=3), 3, "one output pixel, but op 0.*has 6x6"),
    ],
)
def test_heads_that_cannot_be_replaced(graph, classes, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UpdateError, match=message):
        replace_head(graph, classes)


def ending(*softmaxes: Softmax) -> Graph:
    """Four scores, and softmaxes one behind the other."""
    graph = dense(8, 4)
    tensors, nodes, last = dict(graph.tensors), list(graph.nodes), graph.output.tensor
    for i, attrs in enumerate(softmaxes):
        tensors[f"p{i}"] = Tensor(f"p{i}", (1, 4), "int8", Quantization((1 / 256,), -128))
        nodes.append(Node("softmax", f"softmax{i}", (last,), f"p{i}", attrs, f"op {i + 9}", i + 9))
        last = f"p{i}"
    return verify(replace(graph, tensors=tensors, nodes=tuple(nodes), output=Port(last, (1, 4))))


@pytest.mark.parametrize(
    "softmaxes",
    [
        (Softmax(4, 1),),
        (Softmax(2, 2),),
        (Softmax(1, 4, beta=0.5),),
        (Softmax(1, 4), Softmax(1, 4)),
    ],
)
def test_only_one_softmax_over_all_classes_belongs_to_the_loss(softmaxes) -> None:  # type: ignore[no-untyped-def]
    compile_graph(ending(Softmax(1, 4)), "all")
    graph = ending(*softmaxes)
    name = f"op {len(softmaxes) + 8}"
    with pytest.raises(UpdateError, match=f"{name}: the loss contains one softmax over all"):
        compile_graph(graph, "all")
    compile_graph(graph, "none")


@pytest.mark.parametrize("options", [Options(), Options(classes=1)])
@pytest.mark.parametrize("softmax", [False, True])
def test_a_single_score_is_nothing_to_learn_a_label_from(options: Options, softmax: bool) -> None:
    graph = dense(8, 1 if options.classes is None else 4, softmax=softmax)
    with pytest.raises(UpdateError, match=r"2 to 4096 class|all of 2 to 4096"):
        compile_graph(graph, "all", options)
    compile_graph(graph, "all", replace(options, loss="sigmoid"))


def test_freeze() -> None:
    graph = dense(8, 8, 8, 4)
    scheme = freeze(graph, parse_scheme(graph, "all"), ["layer1", "op:0"])
    assert scheme == {"layer2": LayerUpdate(8, True)}
    assert freeze(graph, {}, ["layer1"]) == {}
    with pytest.raises(UpdateError, match="has no layer 'layer9' with weights; it has layer0, "):
        freeze(graph, parse_scheme(graph, "all"), ["layer9"])
    with pytest.raises(UpdateError, match="nothing is left to train after --freeze layer2"):
        freeze(graph, parse_scheme(graph, "last:1"), ["layer2"])


def test_frozen_layers_do_not_move_and_gradients_pass_through_them() -> None:
    compiled = compile_graph(dense(8, 8, 8, 4), "all", Options(freeze=("layer1",)))
    trainer = Trainer(compiled)
    assert {f.layer for f in compiled.program.state} == {"layer0", "layer2"}
    x = np.arange(-80, 80, 20).astype(np.int8)
    _, theirs = oracle(compiled, x, 1)
    for key, d in trainer.gradients(x, 1).items():
        a, b = d.reshape(-1), theirs[key].reshape(-1)
        assert a @ b >= 0.9999 * np.linalg.norm(a) * np.linalg.norm(b) and a.any()


def test_a_fresh_head_can_be_trained_or_frozen_by_its_name() -> None:
    name = compile_model(FASHION, "last:1").program.state[0].layer
    compiled = compile_model(FASHION, "all", Options(classes=4, freeze=(name,)))
    assert name not in {f.layer for f in compiled.program.state}


def test_biases_alone_of_any_layer(tmp_path: Path) -> None:
    path = tmp_path / "scheme.toml"
    path.write_text('[layer.layer0]\nbias = true\n[layer."op:2"]\nbias = true\n')
    trainer = Trainer(compile_graph(dense(8, 8, 8, 4), str(path)))
    assert set(trainer.parameters()) == {
        f"layer{i}/{kind}" for i in (0, 2) for kind in ("bias", "bias_fraction")
    }
    x = np.arange(-80, 80, 20).astype(np.int8)
    _, theirs = oracle(trainer.compiled, x, 1)
    for key, d in trainer.gradients(x, 1).items():
        a, b = d.reshape(-1), theirs[key].reshape(-1)
        assert a @ b >= 0.9999 * np.linalg.norm(a) * np.linalg.norm(b)
    trainer.lr = 0.1
    losses = [trainer.step(x, 1) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
