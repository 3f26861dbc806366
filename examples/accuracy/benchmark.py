"""Runs the variants on the tasks: one job is one task, seed and variant."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import accuracy.tasks
from accuracy.episode import Episode, Task
from accuracy.learners import Float, Integer, Learner, learn, logistic_regression
from accuracy.models import cache_folder
from tinytrain.compilation import DEFAULTS, Options
from tinytrain.ir.graph import Graph
from tinytrain.ir.optimizer import Optimizer
from tinytrain.passes.update import layers


@dataclass(frozen=True, slots=True)
class Variant:
    """A row of the table. A new precision is one more row: Variant(..., options=Options(...)).

    kind: "float", "integer", "before" (nothing is learned) or "baseline".
    scheme: "all", "last" (the task's own choice), "bias" (with the head's weights) or "head".
    options: of the integer side's build.
    """

    name: str
    kind: str
    scheme: str = "all"
    options: Options = DEFAULTS


NEAREST8 = Options(optimizer=Optimizer(master=8, rounding="nearest"))
PRECISIONS = {
    "int8 gradients": Options(gradients="int8"),
    "12-bit weights": Options(optimizer=Optimizer(master=12)),
    "8-bit weights": Options(optimizer=Optimizer(master=8)),
    "8-bit weights, int8 gradients": Options(gradients="int8", optimizer=Optimizer(master=8)),
    "8-bit weights rounded to nearest": NEAREST8,
}

VARIANTS = (
    Variant("before", "before"),
    Variant("logistic regression, raw input", "baseline"),
    Variant("float32, all layers", "float"),
    Variant("ours, all layers (default)", "integer"),
    *(Variant(f"ours, {name}", "integer", "all", o) for name, o in PRECISIONS.items()),
    Variant("float32, last layers", "float", "last"),
    Variant("ours, last layers", "integer", "last"),
    Variant("float32, biases and head", "float", "bias"),
    Variant("ours, biases and head", "integer", "bias"),
    Variant("float32, head", "float", "head"),
    Variant("ours, head", "integer", "head"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """What one process does at a time. rate: instead of the task's own."""

    task: str
    seed: int
    variant: Variant
    rate: float | None = None
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Accuracy by test, the first being the one that counts; empty where there is none."""

    job: Job
    accuracy: Mapping[str, float]


def find_task(name: str) -> Task:
    """The task of that name."""
    return next(t for t in accuracy.tasks.TASKS if t.name == name)


def update_scheme(task: Task, graph: Graph, scheme: str) -> str:
    """A row's scheme in the words of `tinytrain build --update`."""
    match scheme:
        case "last":
            return task.last
        case "head":
            return "last:1"
        case "bias":
            return str(_biases_and_head(graph))
        case _:
            return scheme


def _biases_and_head(graph: Graph) -> Path:
    """A scheme file. Biases alone would learn nothing under a new head, whose weights are zero."""
    found = layers(graph)
    path = cache_folder() / f"biases_{len(found)}_{found[-1].name}.toml"
    if not path.exists():
        text = f"biases = {len(found)}\n[layer.{found[-1].name}]\nweight = true\n"
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.rename(path)
    return path


def make_learner(variant: Variant, episode: Episode, update: str) -> Learner:
    """Who learns in a variant."""
    if variant.kind == "integer":
        return Integer(episode.graph, update, variant.options)
    return Float(episode.graph, update)


def run(job: Job) -> Result:
    """One job from beginning to end."""
    task = find_task(job.task)
    episode = task.make(job.seed)
    if job.steps is not None:
        episode = replace(episode, stream=episode.stream[: job.steps])
    variant = job.variant
    if variant.kind == "baseline":
        return Result(job, logistic_regression(episode) if task.baseline else {})
    learner = make_learner(variant, episode, update_scheme(task, episode.graph, variant.scheme))
    if variant.kind != "before":
        learn(learner, episode, job.rate or task.rates[variant.scheme])
    return Result(job, {name: learner.accuracy(test) for name, test in episode.tests.items()})


def run_all(jobs: Sequence[Job], processes: int) -> Iterator[Result]:
    """All jobs, in the order in which they end."""
    # Threads of numpy and torch would only fight for the cores that the processes use.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        for future in as_completed([pool.submit(run, job) for job in jobs]):
            yield future.result()
