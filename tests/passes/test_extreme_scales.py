"""Scales at the ends of float32 are refused by op, not with a traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.zoo import ZOO
from tinytrain.compilation import compile_graph
from tinytrain.errors import BuildError
from tinytrain.ir import Quantization


@pytest.mark.parametrize("scale", [1e-38, 1e-30])
def test_an_output_scale_far_below_the_sums_is_refused(scale: float) -> None:
    graph = ZOO["residual"](1).graph()
    first = graph.nodes[0]
    tensors = dict(graph.tensors)
    for name, size in ((first.inputs[0], 1e38), (first.output, scale)):
        zero = tensors[name].quant.zero_point
        tensors[name] = replace(tensors[name], quant=Quantization((size,), zero))
    with pytest.raises(BuildError, match="op 0"):
        compile_graph(replace(graph, tensors=tensors), "none")
