"""The report of a build: what its files say agrees, and the page is one in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinytrain.build import Build, build
from tinytrain.plan.picture import COLOURS

MODEL = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return build(MODEL, "rpi_pico", "all", tmp_path_factory.mktemp("report") / "build")


def test_figures_add_up(built: Build) -> None:
    v = json.loads((built.folder / "report.json").read_text())
    sizes = {name: (built.folder / name).stat().st_size for name in ("tinytrain.mpy", "model.ttw")}
    assert v["flash_bytes"] == sum(sizes.values()) < v["board_flash_bytes"]
    own = v["arena_bytes"] + v["state_bytes"] + v["module_bytes"] + v["script_bytes"]
    assert v["ram_bytes"] == own + v["weights_bytes"]
    assert 100 < v["stack_bytes"] < v["board_stack_bytes"]
    for what in ("forward", "backward"):
        assert sum(row[f"macs_{what}"] for row in v["layers"]) == v[f"macs_{what}"]
    assert sum(row["cycles_forward"] for row in v["layers"]) == pytest.approx(
        v["cycles_predict"], rel=1e-3
    )
    assert max(row["offset"] + row["bytes"] for row in v["memory"]) == v["arena_bytes"]
    assert v["lower_bound_bytes"] == built.compiled.arena.least


def test_text_and_page_have_the_same_figures(built: Build) -> None:
    v = json.loads((built.folder / "report.json").read_text())
    text, page = ((built.folder / f"report.{kind}").read_text() for kind in ("txt", "html"))
    for key, value in v.items():
        if isinstance(value, int) and not isinstance(value, bool) and key not in HIDDEN and value:
            assert f"{value:,}" in text, key
    for line in filter(None, text.splitlines()):
        assert line.replace("'", "&#x27;") in page


HIDDEN = ("classes", "clock_hz", "module_file_bytes")


class Links(HTMLParser):
    """What a page would load, and the tags that were left open."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object"):
            self.found.append(tag)
        self.found += [v or "" for k, v in attrs if k in ("src", "href", "data", "srcset")]


def test_the_page_needs_nothing_else(built: Build) -> None:
    page = (built.folder / "report.html").read_text()
    links = Links()
    links.feed(page)
    assert links.found == ["data:,"]  # no icon
    assert "url(" not in page and "@import" not in page


def chromium(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("chromium")
    if program is None:
        reason = "chromium is not installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    flags += ["--enable-logging=stderr", "--window-size=1300,1400"]
    return subprocess.run(
        [program, *flags, *words], capture_output=True, text=True, check=True, timeout=120
    )


def test_a_browser_shows_the_page(built: Build, tmp_path: Path) -> None:
    """No error on the console, and a picture with bars of every kind and a marked peak."""
    shot, address = tmp_path / "shot.png", (built.folder / "report.html").as_uri()
    result = chromium(f"--user-data-dir={tmp_path / 'a'}", f"--screenshot={shot}", address)
    assert "CONSOLE" not in result.stderr
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert pixels.shape == (1400, 1300, 3)
    for colour in (*COLOURS.values(), "#cb181d"):
        wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        # bars are drawn at three quarters of their strength on white
        drawn = wanted if colour == "#cb181d" else (0.75 * wanted + 0.25 * 255).round()
        close = (np.abs(pixels - drawn) <= 3).all(axis=2).sum()
        assert close > 100, colour


def test_the_browser_reads_all_of_it(built: Build, tmp_path: Path) -> None:
    address = (built.folder / "report.html").as_uri()
    dom = chromium(f"--user-data-dir={tmp_path}", "--dump-dom", address).stdout
    v = json.loads((built.folder / "report.json").read_text())
    assert len(re.findall(r'<rect class="bar"', dom)) == len(v["memory"])
    assert dom.count('id="peak"') == 1
    for row in v["layers"]:
        assert f"<td>{row['layer']}</td>" in dom
