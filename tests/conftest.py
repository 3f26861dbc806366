"""Fixtures for tests that run on the emulated boards of tests/bed."""

from __future__ import annotations

import os
from collections.abc import Callable

import drive
import pytest

TARGETS = tuple(drive.targets())

Runner = Callable[..., drive.Result]


def need_target(name: str) -> None:
    """Skip the test if a board has not been set up; where CI=true, fail it."""
    if drive.targets()[name].ready:
        return
    reason = f"board {name} is not set up: run 'tests/bed/bed.sh setup {name}'"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def run_on() -> Runner:
    """drive.run for boards that are there: run_on("m0", "print(1)", put=[...]) -> drive.Result."""

    def run(target: str, *args: object, **kwargs: object) -> drive.Result:
        need_target(target)
        return drive.run(target, *args, **kwargs)  # type: ignore[arg-type]

    return run


@pytest.fixture(params=TARGETS)
def board(request: pytest.FixtureRequest) -> str:
    """The name of each board in turn. Narrow it with parametrize("board", [...], indirect=True)."""
    name: str = request.param
    need_target(name)
    return name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses a board is marked so: 'pytest -m "not board"' is the quick round."""
    for item in items:
        if {"board", "run_on"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.board)
