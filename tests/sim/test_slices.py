"""Steps in slices, evaluate, quantize and info of the Trainer on the host."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import tinytrain
from support.trainers import compiled
from support.trainers import trainer as make
from tinytrain.codegen.pixels import pixels_of
from tinytrain.errors import DataError
from tinytrain.ir.tensor import Quantization
from tinytrain.sim.arguments import quantize_real

CLASSES = 6


def samples(trainer: tinytrain.Trainer, count: int) -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(5)
    return [
        (rng.integers(-128, 128, trainer.input_shape).astype(np.int8), i % trainer.classes)
        for i in range(count)
    ]


@pytest.mark.parametrize("kind", ["mobilenet", "residual", "branches", "keywords"])
def test_slices_are_a_step(kind: str) -> None:
    """Loss and state, however a step is cut: the least budget yields after every piece."""
    whole, cut = make(kind), make(kind)
    for number, (x, y) in enumerate(samples(whole, 4)):
        loss = whole.step(x, y)
        *before, last = cut.slices(x, y, budget_us=(1, 20, 2000, 10**9)[number])
        assert last == loss and set(before) <= {None}
        assert np.array_equal(cut.state, whole.state)
        if number == 0:
            assert len(before) > len(whole.compiled.program.step)


def test_without_a_budget_slices_are_calls() -> None:
    whole, cut = make("mobilenet"), make("mobilenet")
    ((x, y),) = samples(whole, 1)
    losses = list(cut.slices(x, y, budget_us=0))
    assert len(losses) == len(cut.compiled.program.step)
    assert losses[-1] == whole.step(x, y) and np.array_equal(cut.state, whole.state)


def test_awaited_steps_let_others_run() -> None:
    whole, cut = make("mobilenet"), make("mobilenet")
    ((x, y),) = samples(whole, 1)
    turns = []

    async def other() -> None:
        for i in range(3):
            turns.append(i)
            await asyncio.sleep(0)

    async def both() -> float:
        task = asyncio.create_task(other())
        loss = await cut.astep(x, y, budget_us=1)
        assert turns == [0, 1, 2]
        await task
        return loss

    assert asyncio.run(both()) == whole.step(x, y)
    assert np.array_equal(cut.state, whole.state)


def test_a_step_is_given_up_by_what_comes_next(tmp_path: Path) -> None:
    trainer = make("mobilenet")
    ((x, y),) = samples(trainer, 1)
    for use in (
        lambda: trainer.predict(x),
        lambda: trainer.step(x, y),
        lambda: trainer.slices(x, y),
        trainer.reset,
        lambda: trainer.save(tmp_path / "x.tts"),
        lambda: trainer.load(tmp_path / "x.tts"),
    ):
        slices = trainer.slices(x, y, budget_us=1)
        next(slices)
        use()
        with pytest.raises(DataError, match="given up: the Trainer was used"):
            next(slices)
    slices = trainer.slices(x, y, budget_us=1)
    trainer.deinit()
    with pytest.raises(DataError, match="closed"):
        next(slices)


def test_a_dropped_step_does_not_count() -> None:
    """What was updated stays, but the next step is the one with the same number."""
    trainer = make("mobilenet")
    ((x, y),) = samples(trainer, 1)
    slices = trainer.slices(x, y, budget_us=1)
    for _ in range(3):
        next(slices)
    untouched = make("mobilenet")
    assert np.array_equal(trainer.state, untouched.state)  # still on its way forward
    assert trainer.step(x, y) == untouched.step(x, y)
    assert np.array_equal(trainer.state, untouched.state)
    assert trainer.info()["steps"] == 1


def test_settings_belong_to_the_next_step() -> None:
    whole, cut = make("mobilenet"), make("mobilenet")
    ((x, y),) = samples(whole, 1)
    loss = whole.step(x, y)
    slices = cut.slices(x, y, budget_us=1)
    next(slices)
    cut.lr = 3.0
    assert list(slices)[-1] == loss and np.array_equal(cut.state, whole.state)


@pytest.mark.parametrize("budget", [-1, True, 1.5, "2"])
def test_budgets(budget: object) -> None:
    trainer = make("mobilenet")
    ((x, y),) = samples(trainer, 1)
    with pytest.raises(DataError, match="budget_us must be"):
        trainer.slices(x, y, budget_us=budget)  # type: ignore[arg-type]


def test_evaluate_counts_what_classify_gets_right() -> None:
    trainer = make("mobilenet")
    examples = samples(trainer, 12)
    before = trainer.state.copy()
    right = sum(trainer.classify(x) == y for x, y in examples)
    assert trainer.evaluate(iter(examples)) == right / 12
    assert np.array_equal(trainer.state, before)
    with pytest.raises(DataError, match="no examples"):
        trainer.evaluate([])
    with pytest.raises(DataError, match="label 6"):
        trainer.evaluate([(examples[0][0], CLASSES)])


def test_real_values_are_quantized_as_tflm_does() -> None:
    """The quotient in float32, then to the nearest integer, halves away from zero."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**32, 50_000, np.uint32)
    values = bits.view(np.float32)
    near = rng.uniform(-3, 3, 50_000).astype(np.float32)
    for scale in (np.float32(1 / 255), np.float32(0.0078125), np.float32(0.1)):
        x = np.concatenate([values[np.isfinite(values)], near, np.arange(-60, 60) * scale / 2])
        x = x.astype(np.float32)
        with np.errstate(over="ignore"):
            quotient = x / scale
        expected = [
            int(abs(Fraction(float(q))) + Fraction(1, 2)) * (1 if q > 0 else -1)
            for q in np.clip(quotient, -1000, 1000)
        ]
        assert (
            quantize_real(x, float(scale), -3).tolist()
            == np.clip(np.array(expected) - 3, -128, 127).tolist()
        )


@pytest.mark.parametrize(
    ("scale", "zero", "ends"),
    [
        (1 / 255, -128, (0, 1)),
        (2 / 255, -1, (-1, 1)),
        (2 / 255, 0, (-1, 1)),
        (1 / 127.5, 0, (-1, 1)),
        (1.0, -128, (0, 255)),
        (0.02, -20, (0, 1)),
        (1e-9, 0, (0, 1)),
    ],
)
def test_pixels(scale: float, zero: int, ends: tuple[int, int]) -> None:
    """Where the input's range is that of an image a pixel is shifted, else it means pixel / 255."""
    _, model = compiled("mobilenet", 0, "all")
    graph = model.graph
    tensor = graph.tensors[graph.input.tensor]
    tensor = replace(tensor, quant=Quantization((float(np.float32(scale)),), zero))
    pixels = pixels_of(replace(graph, tensors={**graph.tensors, tensor.name: tensor}))
    assert (pixels.low, pixels.high) == ends
    every = np.arange(256)
    got = np.clip((every * pixels.multiplier + (1 << 15) >> 16) + pixels.zero, -128, 127)
    if ends == (0, 1) and zero != -128:
        expected = np.clip(np.floor(every / 255 / np.float32(scale) + 0.5) + zero, -128, 127)
        assert np.abs(got - expected).max() <= (scale < 1e-3)
    else:
        assert got.tolist() == (every - 128).tolist()


def test_quantize_into_a_buffer() -> None:
    trainer = make("mobilenet")
    image = np.arange(trainer.compiled.program.input.nbytes, dtype=np.uint8)
    out = np.zeros(trainer.input_shape, np.int8)
    assert trainer.quantize(image, out) is out
    assert np.array_equal(out.reshape(-1), image.astype(np.int16) - 128)
    with pytest.raises(DataError, match="out must be"):
        trainer.quantize(image, out[:, :-1])


def test_info() -> None:
    trainer = make("mobilenet")
    info = trainer.info()
    assert info["arena"] + info["state"] == trainer.ram  # type: ignore[operator]
    assert (info["loss"], info["classes"], info["steps"]) == ("softmax", CLASSES, 0)
    assert int(str(info["hash"]), 16) == trainer.compiled.source.hash
