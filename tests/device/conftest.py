"""The hand-written model, built once per target, and boards that are served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import drive
import pytest
import tiny_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder with tinytrain.mpy and model.ttw of the hand-written model, by target."""

    @cache
    def build(target: str) -> Path:
        folder = tmp_path_factory.mktemp(f"tiny-{target}")
        tiny_model.build(folder, target)
        return folder

    return build


@pytest.fixture
def port(board: str) -> Iterator[str]:
    """Of the board, which ends with the test."""
    with drive.serve(board) as port:
        yield port
