"""This machine's bit-equality suites under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FILES = ("test_kernels.py", "test_packed.py")
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
ROOT = Path(__file__).parents[2]


def runtime_libraries() -> list[str]:
    """Python itself is not instrumented, so the sanitizers have to be there before it starts."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs gcc")
    paths = []
    for name in ("libasan.so", "libubsan.so"):
        command = [compiler, f"-print-file-name={name}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if not Path(path).is_absolute():
            pytest.skip(f"gcc has no {name}")
        paths.append(path)
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_kernels_do_nothing_undefined(file: str) -> None:
    environment = os.environ | {
        "LD_PRELOAD": " ".join(runtime_libraries()),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        "PYTHONMALLOC": "malloc",
        "TINYTRAIN_TEST_FLAGS": FLAGS,
    }
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"tests/kernels/{file}"]
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
