"""The kernels once more, in numpy: the second implementation of docs/NUMERICS.md.

One module per C file, functions named and called like the kernels without their prefix: the same
arguments as `Library.call`, results written to the same arrays. Where the C relies on a sum that
fits 32 bits, these raise OverflowError if it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tinytrain.kernels.reference import (
    add,
    batch,
    bias,
    block,
    channels,
    conv2d,
    cross_entropy,
    depthwise_conv2d,
    embedding,
    gradient,
    mean,
    mean_squared_error,
    optimizer,
    pad,
    partial,
    pool2d,
    requantize,
    sigmoid_cross_entropy,
    softmax,
    update,
)

_FUNCTIONS: Final[tuple[Callable[..., Any], ...]] = (
    conv2d.conv2d_s8,
    conv2d.conv2d_s32,
    depthwise_conv2d.depthwise_conv2d_s8,
    depthwise_conv2d.depthwise_conv2d_s8_lead,
    add.add_s8,
    pool2d.average_pool2d_s8,
    pool2d.max_pool2d_s8,
    mean.mean_s8,
    pad.pad_s8,
    embedding.embedding_s8,
    block.crop_s8,
    block.border_s8,
    block.paste_s8,
    channels.take_channels_s8,
    channels.take_channels_grad,
    channels.merge_channels_s8,
    partial.conv2d_s8__partial,
    requantize.requantize_s8,
    softmax.softmax_s8,
    requantize.widen_s8,
    cross_entropy.softmax_cross_entropy,
    sigmoid_cross_entropy.sigmoid_cross_entropy,
    mean_squared_error.mean_squared_error,
    gradient.clip_bwd,
    gradient.grad_add,
    conv2d.conv2d_bwd_input,
    partial.conv2d_bwd_input__partial,
    depthwise_conv2d.depthwise_conv2d_bwd_input,
    pool2d.average_pool2d_bwd,
    pool2d.max_pool2d_bwd,
    mean.mean_bwd,
    pad.pad_bwd,
    conv2d.conv2d_bwd_weight,
    depthwise_conv2d.depthwise_conv2d_bwd_weight,
    bias.bias_bwd,
    embedding.embedding_bwd_weight,
    optimizer.conv2d_bwd_weight__optimizer,
    optimizer.depthwise_conv2d_bwd_weight__optimizer,
    optimizer.bias_bwd__optimizer,
    embedding.embedding_bwd_weight__optimizer,
    embedding.embedding_bwd_weight__batch,
    batch.conv2d_bwd_weight__batch,
    batch.depthwise_conv2d_bwd_weight__batch,
    batch.bias_bwd__batch,
    batch.weight_apply,
    batch.bias_apply,
    update.rate_set,
    optimizer.decay_set,
    optimizer.momentum_set,
    update.rate_begin,
    update.loss_bits,
)

KERNELS: Final[Mapping[str, Callable[..., Any]]] = {f"tt_{f.__name__}": f for f in _FUNCTIONS}
"""Every function of the header, by its name there."""
