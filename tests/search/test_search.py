"""The whole search on a model of two layers: the choice, the same everywhere, and resumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from support.searching import BUDGET, tiny_study
from support.zoo import ZOO
from tinytrain.compilation import compile_graph
from tinytrain.errors import UpdateError
from tinytrain.passes.update import LayerUpdate, input_channels, layers, parse_scheme
from tinytrain.search.cache import Cache
from tinytrain.search.choices import choices_of
from tinytrain.search.contribution import Bench
from tinytrain.search.cost import Budget, Costs, key_of
from tinytrain.search.output import result_json, scheme_toml, update_toml
from tinytrain.search.pool import Dask, Futures, Pool, Processes, Scores, Serial, Task
from tinytrain.search.run import Found, Request, search
from tinytrain.search.study import Study

REQUEST = Request(Budget(BUDGET), splits=4)


def silent(what: str, done: int, total: int) -> None:
    pass


def run(pool: Pool, cache: Cache | None = None, request: Request = REQUEST) -> Found:
    return search(tiny_study(), request, pool, cache or Cache(), silent)


@pytest.fixture(scope="module")
def found() -> Found:
    return run(Serial())


def test_the_choice_is_as_good_as_the_best_of_all_schemes(found: Found) -> None:
    """All schemes that the budget holds, simulated alike."""
    study = tiny_study()
    choices, costs = choices_of(study.graph), Costs(study.graph, study.options)
    schemes = []
    for picked in product(*([None, *updates] for updates in choices.values())):
        scheme = {n: u for n, u in zip(choices, picked, strict=True) if u}
        if scheme and REQUEST.budget.holds(costs.of(scheme)):
            schemes.append(scheme)
    everything = {n: u[-1] for n, u in choices.items()}
    assert everything not in schemes and len(schemes) > len(found.candidates)
    measured = Bench(study, Serial(), Cache(), silent).measure(schemes, REQUEST.splits, "")
    best = max(m.score for m in measured.values())
    assert found.best.measured == measured[key_of(found.best.scheme)]
    assert best.expected - found.best.measured.score.expected <= 0.02
    assert found.best.measured.score > found.before.score
    assert found.exact


def test_costs_are_those_of_the_build(found: Found, tmp_path: Path) -> None:
    study, path = tiny_study(), tmp_path / "update.toml"
    for candidate in found.candidates:
        path.write_text(scheme_toml(study.graph, candidate.scheme))
        made = compile_graph(study.graph, str(path))
        assert made.scheme == candidate.scheme
        assert candidate.cost.arena == made.arena.nbytes
        assert candidate.cost.state == made.program.state_bytes
        assert candidate.cost.ram <= REQUEST.budget.ram


def test_the_same_wherever_it_runs(found: Found) -> None:
    study = tiny_study()
    expected = update_toml(study, found, None), result_json(study, found)
    with ThreadPoolExecutor(2) as threads:
        for pool in (Processes(2), Futures(threads)):
            again = run(pool)
            assert (update_toml(study, again, None), result_json(study, again)) == expected


@pytest.mark.slow
def test_the_same_on_a_cluster_of_dask(found: Found) -> None:
    pytest.importorskip("distributed", reason="Dask is an extra: pip install tinytrain[dask]")
    pool = Dask(None, 2)
    try:
        again = run(pool)
    finally:
        pool.close()
    study = tiny_study()
    assert result_json(study, again) == result_json(study, found)


class Stopping:
    """Runs some tasks and is then interrupted; counts them."""

    def __init__(self, limit: int) -> None:
        self.limit, self.done = limit, 0

    def run(self, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        for result in Serial().run(study, tasks):
            if self.done == self.limit:
                raise KeyboardInterrupt
            self.done += 1
            yield result


def test_goes_on_after_an_interrupt(found: Found, tmp_path: Path) -> None:
    path = tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(7), Cache(path))
    with path.open("a") as file:
        file.write('{"key": "cut o')  # a write that did not end
    cache = Cache(path)
    assert cache.count == 7
    rest = Stopping(10_000)
    again = run(rest, cache)
    study = tiny_study()
    assert result_json(study, again) == result_json(study, found)
    assert rest.done > 0
    assert Cache(path).count == 7 + rest.done
    nothing = Stopping(0)
    assert result_json(study, run(nothing, Cache(path))) == result_json(study, found)
    assert nothing.done == 0


def test_the_cheap_mode_trains_no_tensor_alone() -> None:
    """What it simulates is the last layer, for a rate, and the schemes to choose from."""
    tasks = Stopping(10_000)
    result = run(tasks, request=Request(REQUEST.budget, REQUEST.splits, cheap=True))
    simulated = len(result.candidates) + 1  # the model as it is
    assert tasks.done <= REQUEST.splits * simulated + 1
    assert result.best.measured.score > result.before.score
    assert all(c.accuracy is None and c.gain >= 0 for c in result.contributions)


def test_an_impossible_budget_names_the_smallest_scheme() -> None:
    study = tiny_study()
    choices, costs = choices_of(study.graph), Costs(study.graph, study.options)
    least = min(c.ram for n, us in choices.items() for u in us if (c := costs.of({n: u})))
    with pytest.raises(UpdateError, match=f"needs {least:,}"):
        run(Serial(), request=Request(Budget(least - 1)))
    assert run(Serial(), request=Request(Budget(least))).best.cost.ram == least


def test_frozen_layers_stay_out() -> None:
    name = tiny_study().graph.nodes[0].name
    result = run(Serial(), request=Request(REQUEST.budget, 1, frozen=(name,)))
    assert all(name not in c.scheme for c in result.candidates)


@pytest.mark.parametrize("kind", ["mobilenet", "lenet"])
def test_schemes_survive_their_file(kind: str, tmp_path: Path) -> None:
    """Every number of channels, with and without bias and rate."""
    graph, path = ZOO[kind](0).graph(), tmp_path / "update.toml"
    for node in layers(graph):
        for channels in range(input_channels(node) + 1):
            for bias, rate in ((True, 1.0), (False, 0.3)):
                update = LayerUpdate(channels, bias and node.bias is not None, rate)
                if update.channels or update.bias:
                    scheme = {node.name: update}
                    path.write_text(scheme_toml(graph, scheme, {node.name: "two\nlines"}))
                    assert parse_scheme(graph, str(path)) == scheme
