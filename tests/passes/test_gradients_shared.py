"""Every parameter gradient of the real models against float64 autograd."""

from __future__ import annotations

import numpy as np
import pytest

from support import tflm
from support.shared import NAMES, ONE_OUTPUT, golden, path_of, to_int8
from support.training import compare
from tinytrain.compilation import compile_model
from tinytrain.errors import UpdateError

SLOW = {"mcunet_5fps_128_c10", "tinyengine_mcunet_vww_int8"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in NAMES
        if name != ONE_OUTPUT
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


def test_one_output_has_no_label_to_learn() -> None:
    with pytest.raises(UpdateError, match=r"no vector of 2 to 4096 class scores.*--loss sigmoid"):
        compile_model(path_of(ONE_OUTPUT), "all")
