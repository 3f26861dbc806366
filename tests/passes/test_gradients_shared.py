"""Every parameter gradient of the real models against float64 autograd."""

from __future__ import annotations

import numpy as np
import pytest

from support import tflm
from support.shared import NAMES, golden, path_of, to_int8
from support.training import compare
from tinytrain.compilation import compile_model

SLOW = {"mcunet_5fps_128_c10", "tinyengine_mcunet_vww_int8"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in NAMES
        if name != "tflm_hello_world_int8"  # one output: the loss is 0 whatever the weights are
    ],
)
def test_every_parameter(name: str) -> None:
    compiled = compile_model(path_of(name), "all")
    file = golden(name)[0][-1:]
    x = to_int8(compiled.graph, file[0])
    reference = tflm.activations(path_of(name).read_bytes(), file)
    # the label that the model does not expect: the loss is not saturated at 0
    label = int(np.argmin(golden(name)[1][-1]))
    compare(compiled, x, label, reference).check()


def test_one_class_has_nothing_to_learn() -> None:
    compiled = compile_model(path_of("tflm_hello_world_int8"), "all")
    compared = compare(compiled, np.array([5], np.int8), 0)
    assert compared.loss == compared.oracle_loss == 0
    assert all(c.cosine == 1 for c in compared.parameters)  # zero on both sides
