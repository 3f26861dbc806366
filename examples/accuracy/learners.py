"""Who learns: the integer simulator, torch, and a baseline."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from accuracy.episode import Episode, Examples, Int8
from accuracy.floating import GraphNet
from tinytrain.compilation import DEFAULTS, Options, compile_graph
from tinytrain.ir.graph import Graph
from tinytrain.sim.trainer import Trainer


class Learner(Protocol):
    """Takes steps and can be asked how well it does."""

    def step(self, x: Int8, y: int, rate: float) -> float:
        """Learn one example; the loss."""

    def accuracy(self, test: Examples) -> float:
        """Share of the examples that are classified right."""


class Integer:
    """The simulator: what a board computes, bit for bit."""

    def __init__(self, graph: Graph, update: str, options: Options = DEFAULTS) -> None:
        self.trainer = Trainer(compile_graph(graph, update, options))

    def step(self, x: Int8, y: int, rate: float) -> float:
        self.trainer.lr = rate
        return self.trainer.step(x, y)

    def accuracy(self, test: Examples) -> float:
        guesses = [self.trainer.classify(x) for x in test.x]
        return float(np.mean(guesses == test.y))


class Float:
    """SGD in torch's float32, batch 1, from the same dequantized parameters."""

    def __init__(self, graph: Graph, update: str) -> None:
        torch.set_num_threads(1)
        self.net = GraphNet(graph, update)
        self.trained = [p for p in self.net.parameters() if p.requires_grad]

    def step(self, x: Int8, y: int, rate: float) -> float:
        logits = self.net(torch.from_numpy(x)[None])
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([y]))
        gradients = torch.autograd.grad(loss, self.trained, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(self.trained, gradients, strict=True):
                if gradient is not None:
                    parameter -= rate * gradient
        return loss.item()

    def accuracy(self, test: Examples) -> float:
        with torch.no_grad():
            parts = torch.split(torch.from_numpy(test.x), 500)
            guesses = torch.cat([self.net(part).argmax(1) for part in parts]).numpy()
        return float(np.mean(guesses == test.y))


def learn(learner: Learner, episode: Episode, rate: float) -> None:
    """All steps of an episode."""
    for x, y, step_rate in episode.steps(rate):
        learner.step(x, y, step_rate)


def logistic_regression(episode: Episode) -> dict[str, float]:
    """Accuracy of logistic regression on the raw inputs, each scaled to unit variance or not,
    whichever does better on the test: a generous baseline."""
    best: dict[str, float] = {}
    flat = episode.shots.x.reshape(len(episode.shots), -1) / 128
    for steps in ((), (StandardScaler(),)):
        model = make_pipeline(*steps, LogisticRegression(max_iter=2000)).fit(flat, episode.shots.y)
        for name, test in episode.tests.items():
            found = model.score(test.x.reshape(len(test), -1) / 128, test.y)
            best[name] = max(best.get(name, 0.0), float(found))
    return best
