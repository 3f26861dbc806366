"""The keyboard's host side is a package of `examples`; its text comes from Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PACKAGES = ("fortunes", "fortunes-min", "miscfiles")


@pytest.fixture(autouse=True, scope="module")
def examples() -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES / "keyboard" / "board"))
        patch.syspath_prepend(str(EXAMPLES))
        yield EXAMPLES


@pytest.fixture
def english() -> None:
    """Skip a test if the text is not installed; where CI=true, fail it."""
    query = ["dpkg-query", "-W", *PACKAGES]
    if shutil.which("dpkg-query") and not subprocess.run(query, capture_output=True).returncode:
        return
    reason = f"text is missing: tools/apt-install.sh {' '.join(PACKAGES)}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
