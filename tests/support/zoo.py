"""Small models of the kinds that people train, with random sizes, scales and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from support.nets import Act, Model, Net


def _head(net: Net, x: Act, classes: int, **how: Any) -> Act:
    """Logits of a size at which softmax is neither flat nor saturated."""
    zero = int(net.rng.integers(-9, 9))
    return net.dense(x, classes, gain=1.5 / x.rms, scale=0.05, zero=zero, **how)


def lenet(seed: int) -> Model:
    """Convolutions, max pools, dense layers, softmax; no padding, RELU."""
    net = Net(seed)
    size, c = net.rng.integers(12, 16, 2), net.rng.integers(2, 6, 2)
    x = net.input(1, int(size[0]), int(size[1]), 1, zero=-128, scale=1 / 255)
    y = net.conv(x, int(c[0]), (3, 3), padding="VALID", activation="RELU")
    y = net.max_pool(y)
    y = net.conv(y, int(c[1]), (3, 2), padding="VALID", activation="RELU")
    y = net.max_pool(y, (2, 2), (2, 1))
    y = net.dense(net.flatten(y), 12, activation="RELU")
    return net.model(x, net.softmax(_head(net, y, 5)))


def residual(seed: int) -> Model:
    """Two residual blocks, the second with a strided 1x1 shortcut; global mean, logits."""
    net = Net(seed)
    c = int(net.rng.integers(3, 7))
    x = net.input(1, 9, 8, 2)
    a = net.conv(x, c, activation="RELU")
    y = net.conv(a, c, activation="RELU")
    y = net.conv(y, c)
    b = net.add(a, y, "RELU")
    y = net.conv(b, c + 2, stride=(2, 2), activation="RELU")
    y = net.conv(y, c + 2)
    shortcut = net.conv(b, c + 2, (1, 1), (2, 2))
    y = net.add(y, shortcut, "RELU")
    y = net.mean(y, scale=y.scale * 0.5)
    return net.model(x, _head(net, y, 4))


def branches(seed: int) -> Model:
    """Two branches with different pools, joined twice; one sum is of a tensor with itself."""
    net = Net(seed)
    x = net.input(1, 8, 10, 3, zero=5)
    a = net.conv(x, 4, (3, 5), activation="RELU6")
    left = net.average_pool(net.conv(a, 5, (1, 1)), (3, 3), (2, 2), "SAME")
    right = net.max_pool(net.conv(a, 5, (3, 3), activation="RELU"), (2, 2), (2, 2), "SAME")
    y = net.add(left, right)
    y = net.add(y, y, "RELU")
    y = net.add(y, net.conv(y, 5, (3, 3)))
    y = net.average_pool(y, (4, 5), (1, 1))
    return net.model(x, _head(net, net.reshape(y, 1, 5), 3))


def mobilenet(seed: int) -> Model:
    """Depthwise-separable blocks with explicit padding, an inverted residual, a 1x1 classifier."""
    net = Net(seed)
    c = int(net.rng.integers(2, 5)) * 2
    x = net.input(1, 12, 12, 3, zero=-1, scale=1 / 127)
    y = net.conv(net.pad(x, (1, 1), (1, 1)), c, (3, 3), (2, 2), "VALID", activation="RELU6")
    y = net.depthwise(y, activation="RELU6")
    a = net.conv(y, c, (1, 1))
    y = net.conv(a, 3 * c, (1, 1), activation="RELU6")
    y = net.depthwise(y, activation="RELU6")
    a = net.add(a, net.conv(y, c, (1, 1)))
    y = net.depthwise(net.pad(a, (0, 1), (0, 1)), (3, 3), (2, 2), "VALID", multiplier=2)
    y = net.elementwise("RELU", y, y.scale * 0.7, -128)
    y = net.average_pool(y, (3, 3), (1, 1))
    y = net.conv(y, 6, (1, 1), gain=1.5 / y.rms, scale=0.05, zero=3)
    return net.model(x, net.softmax(net.reshape(y, 1, 6)))


def autoencoder(seed: int) -> Model:
    """Dense layers through a bottleneck; per channel and per tensor, with and without bias."""
    net = Net(seed)
    x = net.input(1, 24, zero=89, scale=0.1)
    y = net.dense(x, 16, activation="RELU", per_channel=True)
    y = net.dense(y, 4, activation="RELU", bias=False)
    y = net.dense(y, 16, activation="RELU")
    y = net.elementwise("QUANTIZE", y, y.scale * 1.3, -90)
    return net.model(x, net.dense(y, 24, gain=1.5 / y.rms, per_channel=True))


def keywords(seed: int) -> Model:
    """A long, narrow map with an odd kernel, a standing PAD before a pool, a head through RELU6."""
    net = Net(seed)
    x = net.input(1, 14, 5, 1, zero=40, scale=0.03)
    y = net.depthwise(x, (5, 3), (2, 2), multiplier=4, activation="RELU", biases="normal")
    y = net.max_pool(net.pad(y, (1, 0), (0, 1)), (3, 2), (1, 2))
    y = net.conv(y, 6, (3, 1), activation="RELU")
    y = net.dense(net.flatten(y), 10)
    return net.model(x, net.dense(y, 4, activation="RELU6", scale=6 / 255, zero=-128))


def characters(seed: int, times: int = 1) -> Model:
    """Indices (`times` as many), two tables, whose rows go through a convolution and a head."""
    net = Net(seed)
    n, depth = int(net.rng.integers(4, 9)) * times, int(net.rng.integers(3, 8))
    x = net.index_input(1, n)
    a = net.embedding(x, 7, depth, 0.012, int(net.rng.integers(-60, 60)))
    b = net.embedding(x, 5 + int(net.rng.integers(1, 9)), depth, 0.009)
    y = net.reshape(net.add(a, b, "RELU"), 1, 1, n, depth)
    y = net.conv(y, 6, (1, 3), activation="RELU")
    return net.model(x, _head(net, net.flatten(y), 5))


def tangle(seed: int) -> Model:
    """Random ops on random earlier tensors; what nobody reads is added to the end where it fits."""
    net = Net(seed)
    rng = net.rng
    x = net.input(1, *map(int, rng.integers(5, 9, 2)), int(rng.integers(1, 5)))
    made, unread = [net.conv(x, int(rng.integers(2, 6)), activation="RELU")], []
    for _ in range(int(rng.integers(4, 9))):
        source = made[-1] if rng.random() < 0.6 else made[int(rng.integers(len(made)))]
        y = _random_op(net, source, made)
        unread = [*(u for u in unread if u is not source), y]
        made.append(y)
    y = made[-1]
    for other in unread:
        if other is not y and other.shape == y.shape:
            y = net.add(other, y)
    y = net.average_pool(y, (y.shape[1], y.shape[2]), (1, 1))
    return net.model(x, _head(net, net.reshape(y, 1, y.shape[3]), 4))


def _random_op(net: Net, x: Act, made: list[Act]) -> Act:
    rng = net.rng
    kernel = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    activation = str(rng.choice(["NONE", "RELU", "RELU6"]))
    equal = [a for a in made if a.shape == x.shape]
    match int(rng.integers(8)):
        case 0:
            return net.conv(x, int(rng.integers(2, 6)), kernel, activation=activation)
        case 1:
            return net.conv(x, x.shape[3], kernel, activation=activation, bias=False)
        case 2:
            return net.depthwise(x, kernel, activation=activation)
        case 3 if min(x.shape[1:3]) > 3:
            return net.average_pool(x, (2, 2), (2, 2), str(rng.choice(["SAME", "VALID"])))
        case 4 if min(x.shape[1:3]) > 3:
            return net.max_pool(x, (3, 2), (2, 1), "SAME")
        case 5:
            return net.elementwise("QUANTIZE", x, x.scale * 0.8, int(rng.integers(-30, 30)))
        case 6 if max(x.shape[1:3]) < 9:
            return net.pad(x, (1, 0), (0, 1))
        case _:
            return net.add(x, equal[int(rng.integers(len(equal)))], activation)


ZOO: Mapping[str, Callable[[int], Model]] = {
    f.__name__: f
    for f in (lenet, residual, branches, mobilenet, autoencoder, keywords, characters, tangle)
}
