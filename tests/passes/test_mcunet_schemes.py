"""The published update schemes of MCUNet, as files of this project and as they were published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.shared import MODELS, path_of
from tinytrain.importers import load
from tinytrain.passes.update import layers, parse_scheme

EXAMPLES = Path(__file__).parents[2] / "examples" / "mcunet"
HEAD = 56


@pytest.mark.parametrize("kilobytes", [49, 99, 148])
@pytest.mark.parametrize("name", ["mcunet_5fps_128_c10", "mcunet_5fps_128_c2"])
def test_files_say_what_was_published(name: str, kilobytes: int) -> None:
    graph = load(path_of(name))
    published = json.loads((MODELS / "mcunet_5fps_128.json").read_text())["schemes"]
    expected = published[f"{kilobytes}kb"]
    scheme = parse_scheme(graph, str(EXAMPLES / f"scheme{kilobytes}.toml"))
    by_op = {n.index: scheme[n.name] for n in layers(graph) if n.name in scheme}
    head = by_op.pop(HEAD)
    assert (head.channels, head.bias) == (160, True)
    assert sorted(by_op) == sorted(expected["bias_tflite_ops"])
    assert all(u.bias for u in by_op.values())
    weights = {w["tflite_op"]: w["input_channels"] for w in expected["weights"] if w["ratio"]}
    assert {op: u.channels for op, u in by_op.items() if u.channels} == weights
    assert all(u.first for u in by_op.values())
    shapes = {n.index: graph.tensors[n.weight or ""].shape for n in layers(graph)}
    counted = sum(shapes[op][0] * u.channels for op, u in by_op.items())
    assert counted == expected["bytes"]["weights_int8"]
    assert (
        4 * sum(shapes[op][3 if shapes[op][0] == 1 else 0] for op in by_op)
        == (expected["bytes"]["biases_int32"])
    )
