"""Makes tiny_model importable, however pytest was started, and builds it once per target."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder with tinytrain.mpy and model.ttw of the hand-written model, by target."""
    import tiny_model

    @cache
    def build(target: str) -> Path:
        folder = tmp_path_factory.mktemp(f"tiny-{target}")
        tiny_model.build(folder, target)
        return folder

    return build
