"""The commands that users type, run as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TIMEOUT = 300  # seconds


def tinytrain(
    *words: object, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """What `tinytrain WORDS` gives; env: added to the environment."""
    command = [sys.executable, "-m", "tinytrain.cli", *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | env,
        timeout=TIMEOUT,
    )


def mpremote(port: str, *words: object) -> str:
    """What the stock mpremote prints; fails with its complaint if it does."""
    command = [sys.executable, "-m", "mpremote", "connect", port, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
