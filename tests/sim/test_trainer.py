"""The Trainer on the host: every method and attribute, and every argument that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytrain
from oracle.autograd import gradients as oracle_gradients
from oracle.autograd import with_parameters
from oracle.compare import worst
from support.nets import Net
from support.shared import golden, path_of
from support.trainers import trainer as make
from support.training import examples_of_classes
from tinytrain.compilation import compile_graph
from tinytrain.errors import DataError, TinyTrainError
from tinytrain.samples import load_data

SHAPE = (1, 12, 12, 3)  # of "mobilenet"
CLASSES = 6


@pytest.fixture
def trainer() -> tinytrain.Trainer:
    return make("mobilenet")


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, SHAPE).astype(np.int8)


# ---- attributes


def test_attributes(trainer: tinytrain.Trainer) -> None:
    graph, program = trainer.compiled.graph, trainer.compiled.program
    assert trainer.input_shape == SHAPE and trainer.output_shape == (1, CLASSES)
    assert trainer.input_scale == pytest.approx(1 / 127) and trainer.input_zero_point == -1
    assert trainer.output_scale == 1 / 256 and trainer.output_zero_point == -128
    assert trainer.classes == CLASSES
    assert trainer.ram == trainer.compiled.arena.nbytes + program.state_bytes
    assert trainer.state.nbytes == program.state_bytes
    assert trainer.lr == pytest.approx(0.01)
    text = repr(trainer)
    assert trainer.name == graph.name == "model"
    assert all(part in text for part in ("model", str(trainer.ram), str(SHAPE)))
    assert "\n" not in text


def test_state_is_a_view(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    state = trainer.state
    saved = state.copy()
    trainer.step(x, 0)
    assert not np.array_equal(state, saved)
    assert int(state[:4].view(np.uint32)[0]) == 1
    after = [trainer.step(x, 1), trainer.state.copy()]
    # what is put back is continued from, the rounding of updates included
    state[:] = saved
    trainer.step(x, 0)
    assert trainer.step(x, 1) == after[0]
    np.testing.assert_array_equal(trainer.state, after[1])


def test_parameters_are_views(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    parameters = trainer.parameters()
    assert list(parameters)[:4] == [
        "conv2d_1/weight",
        "conv2d_1/weight_fraction",
        "conv2d_1/bias",
        "conv2d_1/bias_fraction",
    ]
    before = trainer.predict(x).copy()
    last = [k for k in parameters if k.endswith("/bias")][-1]
    parameters[last][3] += 10**6
    assert trainer.classify(x) == 3
    trainer.reset()
    np.testing.assert_array_equal(trainer.predict(x), before)


# ---- methods


def test_predict(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    y = trainer.predict(x)
    assert y.shape == (1, CLASSES) and y.dtype == np.int8
    for same in (x[0], x.reshape(-1), x.tolist()):
        if isinstance(same, list):
            same = np.array(same, np.int8)
        np.testing.assert_array_equal(trainer.predict(same), y)
    out = np.zeros(CLASSES, np.int8)
    assert trainer.predict(x, out) is out
    np.testing.assert_array_equal(out, y[0])
    kept = trainer.predict(x)
    trainer.predict(np.zeros(SHAPE, np.int8))
    np.testing.assert_array_equal(kept, y)  # a copy, not the arena
    assert trainer.classify(x) == int(np.argmax(y))


def test_input_may_be_strided_or_read_only(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    y = trainer.predict(x)
    strided = np.repeat(x, 2, axis=3)[..., ::2]
    assert not strided.flags.c_contiguous
    np.testing.assert_array_equal(trainer.predict(strided), y)
    frozen = np.frombuffer(x.tobytes(), np.int8)
    np.testing.assert_array_equal(trainer.predict(frozen), y)


def test_out_that_is_not_contiguous(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    out = np.zeros((3, 2), np.int8).T
    filled = trainer.predict(x, out)
    np.testing.assert_array_equal(filled.reshape(-1), trainer.predict(x)[0])


def test_step_returns_the_loss_before_it(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    losses = [trainer.step(x, 2) for _ in range(20)]
    assert all(isinstance(loss, float) for loss in losses)
    assert losses[-1] < losses[0]
    y = trainer.dequantize(trainer.predict(x))
    assert y[0, 2] == pytest.approx(np.exp(-trainer.step(x, 2)), abs=0.03)


def test_lr(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    for value in (0, 1, 0.1, np.float32(0.25), np.float64(1e-30), 3.4e38):
        trainer.lr = value
        assert trainer.lr == float(np.float32(value))
    trainer.lr = 0
    before = trainer.state[4:].copy()
    trainer.step(x, 0)
    np.testing.assert_array_equal(trainer.state[4:], before)


def test_lr_is_read_at_every_step(x: np.ndarray) -> None:
    a, b = make("mobilenet"), make("mobilenet")
    a.lr = b.lr = 0.05
    a.step(x, 0)
    b.step(x, 0)
    b.lr = 0.01
    a.step(x, 1)
    b.step(x, 1)
    assert not np.array_equal(a.state, b.state)


def test_trainers_do_not_share_memory(x: np.ndarray) -> None:
    a, b = make("mobilenet"), make("mobilenet")
    before = b.state.copy()
    a.step(x, 0)
    np.testing.assert_array_equal(b.state, before)


def test_reset(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    before, y = trainer.state.copy(), trainer.predict(x)
    for i in range(5):
        trainer.step(x, i)
    trainer.reset()
    np.testing.assert_array_equal(trainer.state, before)
    np.testing.assert_array_equal(trainer.predict(x), y)


def test_gradients(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    """At the trained state, and without touching it."""
    for i in range(10):
        trainer.step(x, i % CLASSES)
    before = trainer.state.copy()
    ours = trainer.gradients(x, 4)
    np.testing.assert_array_equal(trainer.state, before)
    trained = compile_graph(with_parameters(trainer.compiled.graph, trainer.parameters()), "all")
    _, theirs = oracle_gradients(trained, x, 4)
    assert worst(ours, theirs) == []


def test_learns_through_the_api() -> None:
    from support.zoo import ZOO

    trainer = make("keywords", 4)
    xs, ys = examples_of_classes(ZOO["keywords"](4), trainer.classes, 200, noise=20)
    for x, y in zip(xs, ys, strict=True):
        trainer.step(x, y)
    assert np.mean([trainer.classify(x) == y for x, y in zip(xs, ys, strict=True)]) > 0.95


def test_quantize(trainer: tinytrain.Trainer) -> None:
    scale = trainer.input_scale
    real = np.array([0.0, scale, -scale, 0.49 * scale, 0.51 * scale, 1e9, -1e9])
    np.testing.assert_array_equal(trainer.quantize(real), [-1, 0, -2, -1, 0, 127, -128])
    assert trainer.quantize(real).dtype == np.int8
    back = trainer.dequantize(np.array([[-128, -127, 127]], np.int8))
    np.testing.assert_allclose(back, [[0, 1 / 256, 255 / 256]])
    assert back.dtype == np.float32


def test_context_manager(x: np.ndarray) -> None:
    with make("mobilenet") as trainer:
        trainer.step(x, 0)
    for call in (
        lambda: trainer.step(x, 0),
        lambda: trainer.predict(x),
        lambda: trainer.classify(x),
        lambda: trainer.gradients(x, 0),
        lambda: trainer.reset(),
        lambda: trainer.state,
        lambda: trainer.parameters(),
        lambda: trainer.__enter__(),
        lambda: trainer.lr,
        lambda: setattr(trainer, "lr", 0.5),
        lambda: trainer.momentum,
        lambda: trainer.weight_decay,
    ):
        with pytest.raises(DataError, match="closed"):
            call()
    trainer.deinit()  # twice is no error
    assert repr(trainer) == "<Trainer model (closed)>"


# ---- what is refused


def test_data_with_channels_first_is_refused(tmp_path: Path) -> None:
    trainer, y = make("mobilenet"), np.arange(2)
    h, w, c = trainer.input_shape[1:]
    for shape in ((2, h, w, c), (2, h * w * c), (2, 1, h, w, c)):
        np.savez(tmp_path / "x.npz", x=np.zeros(shape, np.int8), y=y)
        assert load_data(tmp_path / "x.npz", trainer)["x_test"].shape == (2, h * w * c)
    for shape in ((2, c, h, w), (2, h * w, c), (2, h, w), (2,)):
        np.savez(tmp_path / "x.npz", x=np.zeros(shape, np.int8), y=y)
        with pytest.raises(DataError, match="channels last; transpose them"):
            load_data(tmp_path / "x.npz", trainer)


BAD_INPUTS: list[tuple[Any, str]] = [
    (np.zeros(SHAPE, np.float32), "must be int8, not float32; real values go through quantize"),
    (np.zeros(SHAPE, np.uint8), "must be int8, not uint8"),
    (np.zeros(SHAPE, np.int64), "must be int8, not int64"),
    ([1, 2, 3], "must be int8"),
    (b"123", "must be int8"),
    (None, "must be int8"),
    ("image.png", "must be int8"),
    (np.zeros((1, 12, 12, 1), np.int8), r"must have shape \(1, 12, 12, 3\), not \(1, 12, 12, 1\)"),
    (np.zeros((3, 12, 12), np.int8), r"must have shape .* not \(3, 12, 12\)"),
    (np.zeros((2, *SHAPE[1:]), np.int8), "must have shape"),
    (np.zeros(0, np.int8), "must have shape"),
    (np.int8(3), "must have shape"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_INPUTS)
@pytest.mark.parametrize("method", ["predict", "classify", "step", "gradients"])
def test_refused_input(method: str, bad: Any, message: str) -> None:
    trainer = make("mobilenet")
    before = trainer.state.copy()
    label = (0,) if method in ("step", "gradients") else ()
    with pytest.raises(DataError, match=message):
        getattr(trainer, method)(bad, *label)
    np.testing.assert_array_equal(trainer.state, before)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (-1, "label -1: expected 0 .. 5"),
        (CLASSES, "label 6: expected 0 .. 5"),
        (2**40, "expected 0 .. 5"),
        (1.0, "must be a whole number, not float"),
        (True, "must be a whole number, not bool"),
        (np.bool_(True), "must be a whole number"),
        ("3", "must be a whole number, not str"),
        (None, "must be a whole number, not NoneType"),
        (np.array([1]), "must be a whole number, not ndarray"),
    ],
)
@pytest.mark.parametrize("method", ["step", "gradients"])
def test_refused_label(method: str, label: Any, message: str, x: np.ndarray) -> None:
    trainer = make("mobilenet")
    before = trainer.state.copy()
    with pytest.raises(DataError, match=message):
        getattr(trainer, method)(x, label)
    np.testing.assert_array_equal(trainer.state, before)


@pytest.mark.parametrize("label", [np.int64(3), np.uint8(3), np.int8(3)])
def test_labels_of_numpy(trainer: tinytrain.Trainer, x: np.ndarray, label: Any) -> None:
    assert trainer.step(x, label) > 0


@pytest.mark.parametrize(
    ("lr", "message"),
    [
        (-0.1, "finite and not negative, not -0.1"),
        (float("nan"), "finite and not negative"),
        (float("inf"), "finite and not negative"),
        (1e39, "finite and not negative"),
        ("0.1", "must be a number, not str"),
        (True, "must be a number, not bool"),
        (None, "must be a number, not NoneType"),
        (np.array([0.1]), "must be a number, not ndarray"),
    ],
)
def test_refused_lr(trainer: tinytrain.Trainer, lr: Any, message: str) -> None:
    trainer.lr = 0.5
    with pytest.raises(DataError, match=message):
        trainer.lr = lr
    assert trainer.lr == 0.5


@pytest.mark.parametrize(
    "out",
    [
        np.zeros(CLASSES, np.uint8),
        np.zeros(CLASSES + 1, np.int8),
        np.zeros(CLASSES - 1, np.int8),
        np.zeros(CLASSES, np.float32),
        bytearray(CLASSES),
        [0] * CLASSES,
        np.frombuffer(bytes(CLASSES), np.int8),
    ],
)
def test_refused_out(trainer: tinytrain.Trainer, x: np.ndarray, out: Any) -> None:
    with pytest.raises(DataError, match="out must be"):
        trainer.predict(x, out)


def test_model_that_only_predicts() -> None:
    trainer = make("residual", 0, "none")
    x = np.zeros(trainer.input_shape, np.int8)
    assert trainer.classes == 0 and trainer.state.size == 0 and trainer.parameters() == {}
    assert trainer.predict(x).shape == trainer.output_shape
    with pytest.raises(DataError, match=r"only predicts.*--update"):
        trainer.step(x, 0)
    with pytest.raises(DataError, match="only predicts"):
        trainer.gradients(x, 0)
    trainer.reset()


# ---- simulate()


def test_simulate(tmp_path: Path) -> None:
    from support.zoo import ZOO

    path = tmp_path / "small.tflite"
    path.write_bytes(ZOO["keywords"](4).data)
    trainer = tinytrain.simulate(path, "last:1", lr=0.5)
    assert trainer.lr == 0.5 and "small" in repr(trainer)
    assert {key.split("/")[0] for key in trainer.parameters()} == {"dense_2"}
    assert isinstance(trainer, tinytrain.Trainer)
    assert tinytrain.simulate(str(path), "last:1").lr == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "update", "lr"),
    [
        ("absent.tflite", "all", 0.1),
        ("model.onnx", "all", 0.1),
        ("model.tflite", "some", 0.1),
        ("model.tflite", "all", -1),
    ],
)
def test_simulate_refuses(tmp_path: Path, name: str, update: str, lr: float) -> None:
    from support.zoo import ZOO

    (tmp_path / "model.tflite").write_bytes(ZOO["keywords"](4).data)
    with pytest.raises(TinyTrainError):
        tinytrain.simulate(tmp_path / name, update, lr=lr)


# ---- models that are not int8 at their ends: the Trainer's ports are int8 all the same


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_other_ends(dtype: str) -> None:
    net = Net(1)
    how = {"scale": 0.02, "zero_point": 125} if dtype == "uint8" else {}
    first = net.writer.tensor("in", (1, 6, 6, 2), dtype, **how)
    x = net.act((1, 6, 6, 2), 0.02, -3, 1.5)
    net.writer.op("QUANTIZE", [first], [x.index])
    y = net.dense(net.flatten(net.conv(x, 3, activation="RELU")), 4)
    how = {"scale": y.scale, "zero_point": y.zero + 128} if dtype == "uint8" else {}
    last = net.writer.tensor("out", (1, 4), dtype, **how)
    net.writer.op("QUANTIZE" if dtype == "uint8" else "DEQUANTIZE", [y.index], [last])
    from support import tflm
    from support.nets import Model

    model = Model(net.writer.bytes([first], [last]), (1, 6, 6, 2))
    trainer = tinytrain.Trainer(model.compiled("last:1"))
    int8 = model.noise(2)
    if dtype == "uint8":
        given = (int8.astype(np.int64) + 128).astype(np.uint8)
    else:
        given = (int8.astype(np.float32) + 3) * np.float32(0.02)
        np.testing.assert_array_equal(trainer.quantize(given), int8)
    (expected,) = tflm.outputs(model.data, given[None])
    ours = trainer.predict(int8)
    if dtype == "uint8":
        np.testing.assert_array_equal(ours.astype(np.int64) + 128, expected)
    else:
        np.testing.assert_array_equal(trainer.dequantize(ours), expected)
    assert trainer.step(int8, 2) > 0


def test_real_float_model() -> None:
    """Golden outputs of a model with float ends, through quantize() and dequantize()."""
    name = "tinyengine_mcunet_vww_int8"
    trainer = tinytrain.simulate(path_of(name), "last:1")
    xs, ys = golden(name)
    for x, y in zip(xs, ys, strict=True):
        ours = trainer.dequantize(trainer.predict(trainer.quantize(x).reshape(trainer.input_shape)))
        np.testing.assert_array_equal(ours.reshape(-1), y.reshape(-1))
