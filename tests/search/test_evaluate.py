"""Simulated fine-tuning: what the compiled Trainer does, on splits that are fair."""

from __future__ import annotations

import numpy as np
import pytest

import tinytrain
from oracle.autograd import gradients as oracle_gradients
from support.searching import tiny_model, tiny_study
from tinytrain.compilation import Options
from tinytrain.errors import DataError
from tinytrain.passes.update import parse_scheme
from tinytrain.search.choices import choices_of
from tinytrain.search.evaluate import evaluate
from tinytrain.search.fisher import fisher_gains
from tinytrain.search.study import DECAY, Settings, Study


def test_scores_are_those_of_the_compiled_trainer() -> None:
    study = tiny_study()
    made = tiny_model().compiled("last:1")
    found = evaluate(study, parse_scheme(study.graph, "last:1"), 1)
    split = study.split(1)
    trainer = tinytrain.Trainer(made)
    for rate, score in zip(study.settings.rates, found, strict=True):
        trainer.reset()
        for step, i in enumerate(split.steps):
            done = step / len(split.steps)
            factor = [1.0, *(f for share, f in DECAY if done >= share)][-1]
            trainer.lr = rate * factor
            trainer.step(study.x[i], int(study.y[i]))
        right = [trainer.classify(study.x[i]) == study.y[i] for i in split.tested]
        assert score.quality == np.mean(right)
        probability = [
            trainer.dequantize(trainer.predict(study.x[i])).astype(np.float64) for i in split.tested
        ]
        given = np.exp(probability)[:, 0] / np.exp(probability).sum(2)
        assert score.expected == pytest.approx(
            np.mean(given[np.arange(len(given)), study.y[split.tested]])
        )


def test_frozen_activations_need_not_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    study = tiny_study()
    scheme = parse_scheme(study.graph, "last:1")
    kept = evaluate(study, scheme, 0)
    monkeypatch.setattr("tinytrain.search.evaluate.PREPARED_LIMIT", 0)
    assert evaluate(study, scheme, 0) == kept


def test_splits_divide_each_class() -> None:
    study = tiny_study(Settings(epochs=2, validation=0.25, seed=4))
    first, again, other = study.split(0), study.split(0), study.split(1)
    np.testing.assert_array_equal(first.steps, again.steps)
    assert not np.array_equal(first.tested, other.tested)
    assert not set(first.steps) & set(first.tested)
    tested = np.concatenate([study.split(number).tested for number in range(study.folds)])
    np.testing.assert_array_equal(np.sort(tested), np.arange(len(study.x)))
    for label in np.unique(study.y):
        share = np.sum(study.y[first.tested] == label) / np.sum(study.y == label)
        assert abs(share - 1 / study.folds) < 0.15
    counts = np.bincount(first.steps, minlength=len(study.x))
    assert set(counts) == {0, 2}  # not at all, or once in each epoch


def test_too_few_examples_are_refused() -> None:
    study = tiny_study()
    few = Study(study.graph, study.options, study.x[:1], study.y[:1], study.settings)
    with pytest.raises(DataError, match="1 examples"):
        few.split(0)


@pytest.mark.parametrize("loss", ["sigmoid", "mse"])
def test_other_losses(loss: str) -> None:
    plain = tiny_study()
    options = Options(loss=loss)
    bits = np.eye(3, dtype=np.int8)[plain.y]
    y = bits if loss == "sigmoid" else (bits * 60 - 30).astype(np.int8)
    study = Study(plain.graph, options, plain.x, y, plain.settings)
    before = evaluate(study, {}, 0)[0]
    after = max(evaluate(study, parse_scheme(study.graph, "all"), 0))
    assert after > before
    assert (0 <= after.quality <= 1) if loss == "sigmoid" else after.quality < 0


def test_fisher_information_is_that_of_the_float_model() -> None:
    """Squared gradients of the last layer, which is measured in the model as it is."""
    study = tiny_study()
    name = study.graph.nodes[-1].name
    updates = choices_of(study.graph)[name]
    parts = [(name, u) for u in updates]
    found = fisher_gains(study, parts, name, {}, 0.1, lambda done, total: None)
    sums: dict[str, np.ndarray] = {}
    for x, y in zip(study.x, study.y, strict=True):
        _, gradients = oracle_gradients(tiny_model().compiled("last:1"), x, int(y))
        for key, gradient in gradients.items():
            sums[key] = sums.get(key, 0) + np.asarray(gradient) ** 2 / len(study.x)
    for update in updates:
        expected = sums[f"{name}/bias"].sum()
        if update.channels:
            expected += sums[f"{name}/weight"][..., : update.channels].sum()
        assert found[name, update] == pytest.approx(expected, rel=0.05)
    assert found[name, updates[-1]] > found[name, updates[0]]
