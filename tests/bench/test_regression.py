"""Nothing becomes slower unnoticed: counts beside those that are kept, and the page of them.

Faster by more than that is to be kept as well, so that what the next change is compared with is
what the last commit does.
"""

from __future__ import annotations

import pytest

from bench.baseline import COUNTS, kept, moved
from bench.models import totals
from bench.publish import PAGE, with_tables
from bench.run import count
from bench.shapes import shapes
from bench.whole import count as count_model
from bench.whole import subjects

MEANT = "make bench ARGS=--keep, if that is meant"


@pytest.mark.parametrize("board", ["pico", "m4f", "rv32", "esp32"], indirect=True)
def test_shapes_cost_what_they_did(board):
    assert not moved(count(board, shapes()), kept(COUNTS)["shapes"][board]), MEANT


@pytest.mark.parametrize(
    ("board", "model"), [("pico", "kws"), ("m7sp", "mcunet")], indirect=["board"]
)
def test_models_cost_what_they_did(board, model):
    subject = next(s for s in subjects() if s.name == model)
    found = totals(*count_model(subject.compiled(), board))
    assert not moved(found, kept(COUNTS)["models"][board][model]), MEANT


def test_page_has_the_figures_that_are_kept():
    page = PAGE.read_text()
    assert page == with_tables(page), "python -m bench.publish writes them"
