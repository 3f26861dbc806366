"""MIT's published training of a head, step by step, against the integer one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tinytrain.compilation import compile_graph
from tinytrain.ir import Graph, Node, Port, Quantization, Tensor, verify
from tinytrain.ir.ops import Conv2D, Hwc, Window
from tinytrain.sim.trainer import Trainer

BESIDE = Path(__file__).resolve().parents[2].parent / "shared"
TRACE = Path(os.environ.get("TINYTRAIN_SHARED", BESIDE)) / "models" / "mit_head_sgd_trace.npz"

X_SCALE = 0.0604862  # the features are its multiples, -81 .. 69: int8 with zero point 0
W_SCALE = 0.2 / 127  # trained weights reach 0.188
B_SCALE = X_SCALE * W_SCALE
STEPS, FEATURES, CLASSES = 6, 160, 2


def head(w: np.ndarray, b: np.ndarray) -> Graph:
    """One fully connected layer."""
    one = Quantization((X_SCALE,), 0)
    per_class = [Quantization((s,) * CLASSES, 0, 0) for s in (W_SCALE, B_SCALE)]
    weight = np.rint(w / W_SCALE).astype(np.int8).reshape(CLASSES, 1, 1, FEATURES)
    bias = np.rint(b / B_SCALE).astype(np.int32)
    tensors = {
        "x": Tensor("x", (1, FEATURES), "int8", one),
        "w": Tensor("w", weight.shape, "int8", per_class[0], weight),
        "b": Tensor("b", (CLASSES,), "int32", per_class[1], bias),
        "y": Tensor("y", (1, CLASSES), "int8", Quantization((0.05,), 0)),
    }
    window = Window(Hwc(1, 1, FEATURES), Hwc(1, 1, CLASSES), (1, 1))
    node = Node("conv2d", "head", ("x", "w", "b"), "y", Conv2D(window), "op 0", 0)
    ports = Port("x", (1, FEATURES)), Port("y", (1, CLASSES))
    return verify(Graph("mit_head", tensors, (node,), *ports))


def fraction(real: np.ndarray, scale: float) -> np.ndarray:
    """What int8 leaves of a parameter, in units of 2^-8."""
    rest = real / scale - np.rint(real / scale)
    return np.clip(np.rint(rest * 256), -128, 127).astype(np.int8)


@pytest.mark.skipif(not TRACE.exists(), reason="shared/models is not there")
def test_six_steps_of_the_published_head() -> None:
    trace = np.load(TRACE)
    trainer = Trainer(compile_graph(head(trace["W0"], trace["b0"]), "all"))
    trainer.lr = float(trace["lr"])
    now = {name: array.reshape(CLASSES, -1) for name, array in trainer.parameters().items()}
    now["head/weight_fraction"][:] = fraction(trace["W0"], W_SCALE)
    now["head/bias_fraction"][:] = fraction(trace["b0"], B_SCALE)[:, None]
    w_off, b_off = W_SCALE / 512, B_SCALE / 512  # the start is rounded to 8 fraction bits
    for k in range(STEPS):
        x, label = np.rint(trace["feat"][k] / X_SCALE).astype(np.int8), int(trace["label"][k])
        real = x * X_SCALE
        np.testing.assert_allclose(real, trace["feat"][k], atol=1e-6)
        # the forward pass reads the integers: 160 independent errors, each uniform in +-1/2 LSB
        logits = now["head/weight"] * W_SCALE @ real + now["head/bias"][:, 0] * B_SCALE
        logit_off = 4 * W_SCALE / np.sqrt(12) * np.linalg.norm(real) + B_SCALE
        np.testing.assert_allclose(logits, trace["logits"][k], atol=logit_off)
        loss = trainer.step(x, label)
        p = trace["softmax"][k]
        # d loss / d (distance of the logits) is 1 - p of the label
        assert loss == pytest.approx(
            -np.log(p[label]), abs=(1 - p[label]) * 2 * logit_off + 2.0**-17, rel=1e-3
        )
        # d p / d (distance) is p (1 - p); then the update is rounded to 2^-8 LSB
        lr_p = float(trace["lr"]) * (p[0] * p[1] * 2 * logit_off + 5e-4 * (1 - p[label]))
        w_off += lr_p * np.abs(real).max() + W_SCALE / 256
        b_off += lr_p + B_SCALE / 256
        w = (now["head/weight"] + now["head/weight_fraction"] / 256) * W_SCALE
        b = (now["head/bias"] + now["head/bias_fraction"] / 256)[:, 0] * B_SCALE
        np.testing.assert_allclose(w, trace["W"][k], atol=w_off)
        np.testing.assert_allclose(b, trace["b"][k], atol=b_off)
    assert np.abs(w - trace["W"][-1]).max() < W_SCALE / 4
    moved = np.linalg.norm(trace["W"][-1] - trace["W0"])
    assert np.linalg.norm(w - trace["W"][-1]) < 0.002 * moved
