"""Mean squared error, in fixed point."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, view
from tinytrain.kernels.reference.arithmetic import Array, Params, ints, requantize
from tinytrain.kernels.reference.gradient import put
from tinytrain.kernels.reference.wide import scaled, total


def mean_squared_error(
    p: Params,
    sums: Array,
    multiplier: Array,
    shift: Array,
    as_input: int,
    target: Array,
    d_output: Bytes,
    loss: Array,
) -> None:
    """d_output = output - target; loss = the sum of its squares, scaled."""
    n, channel = p["size"], np.arange(p["size"]) % p["channels"]
    factors = (view(multiplier, np.int32, (p["channels"],)), view(shift, np.int8, (p["channels"],)))
    y = requantize(view(sums, np.int32, (n,)), *(f[channel] for f in factors))
    t = p["input" if as_input else "output"]
    centred = ints(view(target, np.int8, (n,))) - t["zero"]
    wanted = requantize(centred, t["multiplier"], t["shift"])
    if max(int(np.abs(y).max()), int(np.abs(wanted).max())) > 2**29:
        raise OverflowError("an output or a target leaves 2^29")
    error = y - wanted
    put(d_output, error, p["limit"], p["exponent"])
    squares = [_square(abs(e)) for e in error.tolist()]
    view(loss, np.int32, (1,))[0] = scaled(total(squares), p["loss_factor"], p["loss_shift"])


def _square(error: int) -> int:
    """By the first 16 bits of the root."""
    down = max(0, error.bit_length() - 16)
    return (error >> down) ** 2 << 2 * down
