"""Builds the hand-written model once per target."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

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
