"""The build option `gradients`: what it changes, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from oracle.compare import worst
from support.nets import Model
from support.zoo import ZOO
from tinytrain.compilation import Options, compile_graph
from tinytrain.errors import UpdateError
from tinytrain.ir.program import KernelCall
from tinytrain.sim.trainer import Trainer


def trainer(model: Model, gradients: str, update: str = "all") -> Trainer:
    return Trainer(compile_graph(model.graph(), update, Options(gradients=gradients)))


@pytest.mark.parametrize("name", ["branches", "mobilenet"])
def test_int8_takes_less_memory_and_points_the_same_way(name: str) -> None:
    model = ZOO[name](1)
    fine, coarse = (trainer(model, kind) for kind in ("int16", "int8"))
    assert coarse.ram < fine.ram
    assert coarse.state.size == fine.state.size
    x = model.noise()
    assert not worst(coarse.gradients(x, 1), fine.gradients(x, 1), cosine=0.98, ratio=0.1)
    np.testing.assert_array_equal(coarse.predict(x), fine.predict(x))
    assert coarse.step(x, 1) == fine.step(x, 1)  # the first loss is that of the same forward pass
    assert coarse.state.tobytes() != fine.state.tobytes()


def test_builds_have_different_hashes() -> None:
    model = ZOO["lenet"](0)
    hashes = {trainer(model, kind).compiled.source.hash for kind in ("int16", "int8")}
    assert len(hashes) == 2


def test_unknown_types_are_refused() -> None:
    with pytest.raises(UpdateError, match="gradients 'int4': expected int16 or int8"):
        trainer(ZOO["lenet"](0), "int4")


def test_headroom_fills_what_the_type_leaves() -> None:
    graph = ZOO["mobilenet"](1).graph()

    def headrooms(kind: str) -> set[int]:
        calls = compile_graph(graph, "all", Options(gradients=kind)).program.step
        return {headroom(c) for c in calls if c.kernel.endswith("conv2d_bwd_input")}

    def headroom(call: KernelCall) -> int:
        p = call.args["p"]
        assert isinstance(p, dict)
        return int(p["headroom"])

    assert headrooms("int16") == {0}
    assert headrooms("int8") == {8}
