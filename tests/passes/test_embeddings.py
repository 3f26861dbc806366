"""Tables of rows: which rows a step moves and by how much, with every option of the optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinytrain
from support.nets import Model, Net
from tinytrain.compilation import Compiled, Options, compile_graph
from tinytrain.errors import UpdateError
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.passes.update import freeze, layers, parse_scheme

ROWS, DEPTH, COUNT, SCALE, ZERO = 6, 4, 5, 0.02, -20
TABLE = "embedding_1/weight"


def model() -> Model:
    net = Net(2)
    x = net.index_input(1, COUNT)
    y = net.embedding(x, ROWS, DEPTH, SCALE, ZERO)
    return net.model(x, net.dense(net.flatten(y), 3, gain=1.5 / y.rms, scale=0.05))


def made(optimizer: Optimizer = PLAIN, gradients: str = "int16", update: str = "all") -> Compiled:
    frozen = ("dense_1",) if update == "all" else ()
    options = Options(optimizer=optimizer, gradients=gradients, freeze=frozen)
    return compile_graph(model().graph(), update, options)


def table(trainer: tinytrain.Trainer) -> np.ndarray:
    """The rows in real values, with what is below the integer."""
    p, bits = trainer.parameters(), trainer.compiled.program.optimizer.fraction_bits
    value = p[TABLE].astype(np.float64) - ZERO
    if bits == 8:
        value += p[f"{TABLE}_fraction"] / 256
    elif bits == 4:
        packed = p[f"{TABLE}_fraction"]
        nibbles = np.stack([packed & 15, packed >> 4], -1).reshape(-1)[: ROWS * DEPTH]
        value += ((nibbles ^ 8).astype(int) - 8).reshape(ROWS, DEPTH) / 16
    return value * SCALE


EXAMPLES = [([1, 4, 1, 1, 0], 2), ([4, 4, 4, 4, 4], 0), ([0, 1, 5, 0, 4], 1), ([5, 5, 1, 0, 0], 2)]


@pytest.mark.parametrize("gradients", ["int16", "int8"])
@pytest.mark.parametrize(
    "optimizer",
    [
        PLAIN,
        Optimizer(master=12),
        Optimizer(master=8),
        Optimizer(master=12, rounding="nearest"),
        Optimizer(momentum=True),
        Optimizer(momentum=True, master=12),
        Optimizer(weight_decay=True),
        Optimizer(momentum=True, weight_decay=True, batch=True),
    ],
    ids=str,
)
def test_steps_are_those_of_float64(optimizer: Optimizer, gradients: str) -> None:
    """v = momentum * v + lr * gradient; w = w - v, for all rows; w is what the Trainer has."""
    trainer = tinytrain.Trainer(made(optimizer, gradients))
    trainer.lr, momentum = 0.0625, 0.75 if optimizer.momentum else 0.0
    if optimizer.momentum:
        trainer.momentum = momentum
    if optimizer.decays:
        trainer.weight_decay = 0.125  # rows do not decay
    unit = 2.0**-optimizer.fraction_bits
    most = 1.6 if optimizer.momentum else 1.01  # units: of a rounding, or of two
    velocity = np.zeros((ROWS, DEPTH))
    for step in range(24):
        x, y = EXAMPLES[step % 4]
        before, gradient = table(trainer), trainer.gradients(np.array(x), y)[TABLE]
        assert not gradient[[2, 3]].any()
        velocity = momentum * velocity + trainer.lr * gradient
        if optimizer.momentum:
            stored = trainer.parameters()[f"{TABLE}_velocity"] / 2.0**11 * SCALE
            velocity = momentum * stored + trainer.lr * gradient
        trainer.step(np.array(x, np.int32), y)
        moved = before - table(trainer)
        assert np.abs(moved - velocity).max() <= most * unit * SCALE + 1e-3 * np.abs(velocity).max()


def test_rows_that_nobody_names_stay_as_they_are() -> None:
    trainer = tinytrain.Trainer(made())
    trainer.lr, before = 1.0, {k: v.copy() for k, v in trainer.parameters().items()}
    trainer.step([3, 1, 3, 3, 1], 0)
    for name, value in trainer.parameters().items():
        same = (value == before[name]).all(axis=1)
        assert same[[0, 2, 4, 5]].all()
        assert not same[[1, 3]].any() or "fraction" not in name


def test_a_row_that_was_pushed_goes_on_with_momentum() -> None:
    trainer = tinytrain.Trainer(made(Optimizer(momentum=True)))
    trainer.lr, trainer.momentum = 1.0, 0.5
    start = table(trainer)[0]
    trainer.step([0] * COUNT, 1)
    pushed = table(trainer)[0]
    trainer.lr = 0.0
    trainer.step([5] * COUNT, 1)
    after = table(trainer)[0]
    np.testing.assert_allclose(after - pushed, (pushed - start) / 2, atol=2 * SCALE / 256)
    assert np.abs(pushed - start).max() > 10 * SCALE / 256


@pytest.mark.parametrize("gradients", ["int16", "int8"])
@pytest.mark.parametrize("master", [8, 12, 16])
def test_a_batch_moves_rows_by_the_mean(master: int, gradients: str) -> None:
    trainer = tinytrain.Trainer(made(Optimizer(batch=True, master=master), gradients))
    trainer.lr, before = 2.0, table(trainer)
    total = np.zeros((ROWS, DEPTH))
    for x, y in EXAMPLES:
        total += trainer.gradients(x, y)[TABLE]
        trainer.accumulate(x, y)
    np.testing.assert_array_equal(table(trainer), before)
    trainer.apply()
    ideal = trainer.lr * total / len(EXAMPLES)
    unit = 2.0 ** (8 - master) * SCALE
    # sums are in units of the first gradient's, which has 15 or 7 bits
    rest = (1e-3 if gradients == "int16" else 1e-2) * np.abs(ideal).max()
    assert np.abs(before - table(trainer) - ideal).max() <= 1.01 * unit + rest


def test_rows_saturate() -> None:
    trainer = tinytrain.Trainer(made())
    trainer.lr = 1e6
    for x, y in EXAMPLES * 3:
        trainer.step(x, y)
    chosen = trainer.parameters()[TABLE][[0, 1, 4, 5]]
    assert np.abs(chosen.astype(int)).max() == 127 and chosen.min() >= -127


def test_schemes_name_the_table(tmp_path: Any) -> None:
    graph = model().graph()
    assert [n.name for n in layers(graph)] == ["embedding_1", "dense_1"]
    assert set(parse_scheme(graph, "last:1")) == {"dense_1"}
    assert set(parse_scheme(graph, "last:2")) == {"embedding_1", "dense_1"}
    assert set(parse_scheme(graph, "bias:2")) == {"dense_1"}  # a table has no bias
    assert set(freeze(graph, parse_scheme(graph, "all"), ("op:0",))) == {"dense_1"}
    scheme = tmp_path / "scheme.toml"
    scheme.write_text("[layer.embedding_1]\nweight = true\nrate = 0.5\n")
    (update,) = parse_scheme(graph, str(scheme)).values()
    assert (update.channels, update.bias, update.rate) == (DEPTH, False, 0.5)
    for text, message in (
        ("weight = 0.5", "trained as a whole: weight = true or false"),
        ("weight = true\nbias = true", "has no bias"),
    ):
        scheme.write_text(f"[layer.embedding_1]\n{text}\n")
        with pytest.raises(UpdateError, match=message):
            parse_scheme(graph, str(scheme))


def test_a_frozen_table_has_no_state() -> None:
    compiled = made(update="last:1")
    assert {f.layer for f in compiled.program.state} == {"dense_1"}
    assert not any("embedding_bwd" in call.kernel for call in compiled.program.step)
