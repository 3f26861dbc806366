"""Where simulations run: here, in processes, on any executor, or on a cluster of Dask.

All of them give the same results; only the order in which these arrive differs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from tinytrain.errors import BuildError
from tinytrain.search.cost import Key
from tinytrain.search.evaluate import Score, evaluate
from tinytrain.search.study import Study

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Task:
    """Simulate this scheme on the split of that number."""

    scheme: Key
    split: int


Scores = tuple[Score, ...]


class Pool(Protocol):
    """Runs tasks on a study."""

    def run(self, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        """The results of all tasks, in any order."""


def work(study: Study, task: Task) -> Scores:
    """One task."""
    return evaluate(study, dict(task.scheme), task.split)


class Serial:
    """In this process, one after the other."""

    def run(self, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        """See Pool."""
        for task in tasks:
            yield task, work(study, task)


class Futures:
    """On any executor of concurrent.futures whose workers can import tinytrain."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def run(self, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        """See Pool; what has not begun is cancelled when the caller stops early."""
        yield from _gather(self.executor, [(work, (study, task), task) for task in tasks])


class Processes:
    """In processes of this machine, each of which gets the study once."""

    def __init__(self, jobs: int) -> None:
        """jobs: how many processes."""
        self.jobs = jobs

    def run(self, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        """See Pool. When the caller stops early, what has begun is stopped as well."""
        if not tasks:
            return
        before = {name: os.environ.get(name) for name in THREADS}
        os.environ.update(dict.fromkeys(THREADS, "1"))  # threads would fight for the cores
        context = multiprocessing.get_context("spawn")
        others = set(multiprocessing.active_children())
        jobs = min(self.jobs, len(tasks))
        executor = ProcessPoolExecutor(jobs, context, _begin, (study,))
        try:
            yield from _gather(executor, [(_work_here, (task,), task) for task in tasks])
        except BrokenProcessPool as error:
            raise BuildError(
                "a process of the search died, perhaps for want of memory; use fewer --jobs"
            ) from error
        except BaseException:
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


_study: list[Study] = []


def _begin(study: Study) -> None:
    """Of a worker process. Ctrl-C reaches all processes; the first one ends the others, and if it
    is killed, they end by themselves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _study[:] = [study]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the main thread waits for work that nobody will send


def _work_here(task: Task) -> Scores:
    return work(_study[0], task)


class Dask:
    """On a cluster of Dask; its workers need tinytrain and a C compiler."""

    def __init__(self, address: str | None, jobs: int) -> None:
        """address: of a scheduler, such as tcp://host:8786; None: a local cluster of `jobs`."""
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise BuildError(
                "Dask is not installed: pip install tinytrain[dask], or leave --executor out"
            ) from error
        self._distributed = distributed
        try:
            if address is None:
                self._client = distributed.Client(
                    n_workers=jobs, threads_per_worker=1, dashboard_address=None
                )
            else:
                self._client = distributed.Client(address, timeout="20s")
        except (OSError, ValueError, TimeoutError) as error:
            raise BuildError(f"no scheduler of Dask at {address}: {error}") from error

    def run(self, study: Study, tasks: Sequence[Task]) -> Iterator[tuple[Task, Scores]]:
        """See Pool."""
        there = self._client.scatter(study, broadcast=True, hash=False)
        futures = {self._client.submit(work, there, task, pure=False): task for task in tasks}
        try:
            for future in self._distributed.as_completed(futures):
                yield futures[future], future.result()
        finally:
            self._client.cancel([f for f in futures if not f.done()])

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self._client.close()


def _gather(
    executor: Executor, calls: Sequence[tuple[Callable[..., Scores], tuple[Any, ...], Task]]
) -> Iterator[tuple[Task, Scores]]:
    futures = {executor.submit(function, *args): task for function, args, task in calls}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()
