"""Arena and state of the schemes that have a target: those of `make memory`."""

from __future__ import annotations

import pytest

from memory_table import TARGETS, Target, plan
from support.shared import path_of
from tinytrain.compilation import DEFAULTS

OUT_OF_REACH = {  # with 16 bits of weights or gradients; docs/MEMORY.md has the figures and why
    "scheme148": 304_000,
    "scheme148 master 8": 199_000,
    "scheme148 master 8 int8": 183_000,
}


def label(t: Target) -> str:
    master = f" master {t.options.optimizer.master}" if t.options.optimizer.master != 16 else ""
    gradients = " int8" if t.options.gradients == "int8" else ""
    patches = f" patches {t.options.patches}" if t.options.patches != DEFAULTS.patches else ""
    name = t.update if t.update != "none" else t.model
    return f"{name}{master}{gradients}{patches}"


@pytest.mark.parametrize("target", TARGETS, ids=label)
def test_no_more_than_the_target(target: Target) -> None:
    path_of(target.model)
    found = plan(target.model, target.update, target.options)
    assert found.arena + found.state <= OUT_OF_REACH.get(label(target), target.nbytes)


def test_there_is_a_way_to_each_target() -> None:
    reached = {(t.model, t.update) for t in TARGETS if label(t) not in OUT_OF_REACH}
    assert reached == {(t.model, t.update) for t in TARGETS}
