"""Whatever bytes a file is made of: a graph or an ImportModelError comes out, and soon."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinytrain.errors import ImportModelError
from tinytrain.importers import load

LONGEST_SECONDS = 10.0


@pytest.fixture(scope="module")
def model(new_net) -> bytes:
    """One of nearly every op."""
    net = new_net()
    source = net.act(1, 6, 6, 2, dtype="float32")
    x = net.op("QUANTIZE", [source], net.act(1, 6, 6, 2))
    pads = net.const([[0, 0], [1, 1], [1, 1], [0, 0]])
    padded = net.op("PAD", [x, pads], net.act(1, 8, 8, 2))
    x = net.conv(padded, 2, 3, 3, 2, out=(1, 6, 6, 2), padding="VALID")
    x = net.op("ADD", [x, net.op("RELU6", [x], net.act(1, 6, 6, 2))], net.act(1, 6, 6, 2))
    options = {"padding": "SAME", "stride_h": 2, "stride_w": 2}
    weights = net.weights(1, 3, 3, 4, axis=3)
    x = net.op(
        "DEPTHWISE_CONV_2D", [x, weights], net.act(1, 3, 3, 4), depth_multiplier=2, **options
    )
    pool = options | {"filter_height": 2, "filter_width": 2, "stride_h": 1, "stride_w": 1}
    x = net.op("MAX_POOL_2D", [x], net.act(1, 3, 3, 4), **pool)
    x = net.op("TRANSPOSE", [x, net.const([0, 3, 1, 2])], net.act(1, 4, 3, 3))
    x = net.op("MEAN", [x, net.const([3])], net.act(1, 4, 3))
    size = net.op("SHAPE", [x], net.writer.tensor("size", [3], "int32"))
    cut = [net.const([n]) for n in (0, 1, 1)]
    one = net.op(
        "STRIDED_SLICE", [size, *cut], net.writer.tensor("one", [], "int32"), shrink_axis_mask=1
    )
    wanted = net.writer.tensor("wanted", [2], "int32")
    net.op("PACK", [one, net.const(-1)], wanted, values_count=2, axis=0)
    x = net.op("RESHAPE", [x, wanted], net.act(1, 12))
    x = net.dense(x, 3, 12)
    x = net.op("SOFTMAX", [x], net.act(1, 3, scale=1 / 256, zero_point=-128))
    return net.bytes(source, net.op("DEQUANTIZE", [x], net.act(1, 3, dtype="float32")))


def import_or_refuse(path, data: bytes) -> None:
    path.write_bytes(data)
    start = time.monotonic()
    with suppress(ImportModelError):
        load(path)
    assert time.monotonic() - start < LONGEST_SECONDS


def test_the_whole_file_is_imported(tmp_path, model):
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    assert len(load(path).nodes) == 8


@pytest.mark.parametrize("twentieths", range(20))
def test_truncation(tmp_path, model, twentieths):
    path = tmp_path / "model.tflite"
    path.write_bytes(model[: len(model) * twentieths // 20])
    with pytest.raises(ImportModelError, match=r"model\.tflite"):
        load(path)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_flipped_bits(tmp_path, model, data):
    damaged = bytearray(model)
    bits = st.tuples(st.integers(8, len(model) - 1), st.integers(0, 7))
    for at, bit in data.draw(st.lists(bits, min_size=1, max_size=6)):
        damaged[at] ^= 1 << bit
    import_or_refuse(tmp_path / "model.tflite", bytes(damaged))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_replaced_words(tmp_path, model, data):
    """Lengths, offsets and shapes that are extreme rather than nearly right."""
    damaged = bytearray(model)
    words = st.sampled_from([0, 1, 2, 255, 1 << 16, 1 << 24, (1 << 31) - 1, (1 << 32) - 1])
    for _ in range(data.draw(st.integers(1, 3))):
        at = 4 * data.draw(st.integers(2, len(model) // 4 - 1))
        damaged[at : at + 4] = data.draw(words).to_bytes(4, "little")
    import_or_refuse(tmp_path / "model.tflite", bytes(damaged))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=600))
def test_noise(tmp_path, body):
    import_or_refuse(tmp_path / "model.tflite", body[:4].ljust(4, b"\x20") + b"TFL3" + body[4:])
