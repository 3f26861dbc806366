"""Update schemes: which biases, which layers' weights, which fraction of their input channels.

A scheme is written as `all`, `none`, `last:N`, `bias:N`, or a TOML file:

    biases = 20                 # the biases of the last 20 layers

    [layer.conv2d_3]            # a layer by its name in `tinytrain inspect`, or by "op:31"
    weight = 0.25               # true, false, or a fraction of the input channels
    channels = "largest"        # which: "first" (default), or those with the largest weights
    bias = true                 # default: false, or what `biases` says
    rate = 0.5                  # learning rate of this layer as a multiple of the Trainer's `lr`

Layers are the ops with weights, counted in execution order.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinytrain.errors import UpdateError
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D, Embedding

HELP = "expected all, none, last:N, bias:N or a .toml file"


@dataclass(frozen=True, slots=True)
class LayerUpdate:
    """What is trained of one layer: `channels` input channels of its weight, its bias.

    rate: its learning rate in units of the Trainer's. chosen: which channels, in ascending order;
    empty for the first ones.
    """

    channels: int = 0
    bias: bool = False
    rate: float = 1.0
    chosen: tuple[int, ...] = ()

    @property
    def first(self) -> bool:
        """Whether the channels are the first ones."""
        return self.inputs == tuple(range(self.channels))

    @property
    def inputs(self) -> tuple[int, ...]:
        """The input channels of which the weights are trained."""
        return self.chosen or tuple(range(self.channels))


Scheme = Mapping[str, LayerUpdate]
"""Node name to what is trained; layers that are frozen are absent."""


def layers(graph: Graph) -> tuple[Node, ...]:
    """The nodes with weights, in execution order."""
    return tuple(n for n in graph.nodes if n.weight is not None)


def input_channels(node: Node) -> int:
    """Input channels of a layer; of an embedding, which is trained as a whole, those of a row."""
    if isinstance(node.attrs, Embedding):
        return node.attrs.depth
    assert isinstance(node.attrs, Conv2D | DepthwiseConv2D)
    return node.attrs.window.input.c


def trained_columns(node: Node, update: LayerUpdate) -> tuple[int, ...]:
    """What is trained of the last axis of a weight: input channels [O,KH,KW,I], or the outputs of
    the input channels [1,KH,KW,C*M]."""
    if not isinstance(node.attrs, DepthwiseConv2D):
        return update.inputs
    m = node.attrs.multiplier
    return tuple(c * m + i for c in update.inputs for i in range(m))


def partial_layers(graph: Graph, scheme: Scheme) -> tuple[Node, ...]:
    """The layers whose weight is trained, but not all of it."""
    return tuple(
        n
        for n in layers(graph)
        if n.name in scheme and 0 < scheme[n.name].channels < input_channels(n)
    )


def largest_channels(graph: Graph, node: Node, n: int) -> tuple[int, ...]:
    """The n input channels with the largest sum of |w|, in real value; of equal ones the first."""
    assert node.weight is not None
    weight = graph.tensors[node.weight]
    assert weight.data is not None
    magnitude = np.abs(weight.data.astype(np.float64))
    if isinstance(node.attrs, DepthwiseConv2D):
        outputs = magnitude.sum(axis=(0, 1, 2)) * weight.quant.channels(weight.shape[3])
        sums = outputs.reshape(-1, node.attrs.multiplier).sum(axis=1)
    else:
        scales = weight.quant.channels(weight.shape[0]).reshape(-1, 1, 1, 1)
        sums = (magnitude * scales).sum(axis=(0, 1, 2))
    order = np.argsort(-sums, kind="stable")
    return tuple(sorted(int(i) for i in order[:n]))


def names_file(text: str) -> bool:
    """Whether a scheme given on the command line is in a file."""
    return text.endswith(".toml")


def parse_scheme(graph: Graph, text: str) -> Scheme:
    """Read a scheme as given on the command line; UpdateError says what is wrong."""
    kind, _, number = text.partition(":")
    if names_file(text):
        return _from_toml(graph, Path(text))
    if text in ("all", "none"):
        chosen = layers(graph) if text == "all" else ()
        return _clean({n.name: _everything(n) for n in chosen})
    if kind in ("last", "bias") and number.isascii() and number.isdecimal() and int(number) > 0:
        chosen = layers(graph)[-int(number) :]
        if len(chosen) < int(number):
            raise UpdateError(f"{text}: {graph.name} has only {len(chosen)} layers with weights")
        full = kind == "last"
        return _clean({n.name: _everything(n) if full else _bias_only(n) for n in chosen})
    raise UpdateError(f"unknown update scheme {text!r}: {HELP}")


def freeze(graph: Graph, scheme: Scheme, names: Sequence[str]) -> Scheme:
    """The scheme without these layers, given by name or as "op:N"."""
    frozen = layer_names(graph, "--freeze", names)
    rest = {name: update for name, update in scheme.items() if name not in frozen}
    if scheme and not rest:
        raise UpdateError(
            f"{graph.name}: nothing is left to train after --freeze {','.join(names)}; freeze "
            "fewer layers, or build with --update none"
        )
    return rest


def layer_names(graph: Graph, where: str, names: Sequence[str]) -> tuple[str, ...]:
    """Layers given by name or as "op:N", by name; UpdateError where there is no such layer."""
    return tuple(_find(graph, where, name).name for name in names)


def _everything(node: Node) -> LayerUpdate:
    return LayerUpdate(input_channels(node), node.bias is not None)


def _bias_only(node: Node) -> LayerUpdate:
    return LayerUpdate(0, node.bias is not None)


def _clean(scheme: dict[str, LayerUpdate]) -> Scheme:
    return {name: u for name, u in scheme.items() if u.channels or u.bias}


def _from_toml(graph: Graph, path: Path) -> Scheme:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UpdateError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UpdateError(f"{path}: not a TOML file: {error}") from error
    unknown = sorted(set(table) - {"biases", "layer"})
    if unknown:
        raise UpdateError(f"{path}: unknown key {unknown[0]!r}; known: biases, [layer.NAME]")
    biases = table.get("biases", 0)
    if not isinstance(biases, int) or isinstance(biases, bool) or biases < 0:
        raise UpdateError(f"{path}: biases must be a whole number, not {biases!r}")
    last = layers(graph)[-biases:] if biases else ()
    scheme = {n.name: _bias_only(n) for n in last}
    entries = table.get("layer", {})
    if not isinstance(entries, dict):
        raise UpdateError(f"{path}: `layer` must be tables such as [layer.conv2d_0]")
    named: set[str] = set()
    for name, entry in entries.items():
        node = _find(graph, path, name)
        if node.name in named:
            raise UpdateError(f"{path}: [layer.{name}]: {node.name} has an entry already")
        named.add(node.name)
        default = node.name in scheme and scheme[node.name].bias
        scheme[node.name] = _layer_entry(graph, node, f"{path}: [layer.{name}]", entry, default)
    found = _clean(scheme)
    if not found:
        raise UpdateError(f"{path}: trains nothing; to predict only, say none instead of a file")
    return found


def _find(graph: Graph, where: Path | str, name: str) -> Node:
    for node in layers(graph):
        if name == node.name or name == f"op:{node.index}":
            return node
    known = ", ".join(n.name for n in layers(graph))
    raise UpdateError(f"{where}: {graph.name} has no layer {name!r} with weights; it has {known}")


KEYS = {"weight", "channels", "bias", "rate"}


def _layer_entry(
    graph: Graph, node: Node, where: str, entry: Any, bias_default: bool
) -> LayerUpdate:
    if not isinstance(entry, dict) or set(entry) - KEYS:
        raise UpdateError(f"{where}: expected weight, channels, bias and rate = ..., got {entry!r}")
    weight, bias = entry.get("weight", False), entry.get("bias", bias_default)
    if not isinstance(bias, bool):
        raise UpdateError(f"{where}: bias must be true or false, not {bias!r}")
    if bias and node.bias is None:
        raise UpdateError(f"{where}: this layer has no bias")
    if not isinstance(weight, bool | int | float) or not 0 <= weight <= 1:
        raise UpdateError(f"{where}: weight must be true, false or between 0 and 1, not {weight!r}")
    if isinstance(node.attrs, Embedding) and weight not in (0, 1):
        raise UpdateError(f"{where}: an embedding is trained as a whole: weight = true or false")
    channels = int(input_channels(node) * weight)
    if weight and channels == 0:
        raise UpdateError(
            f"{where}: {weight} of {input_channels(node)} input channels is none; "
            f"take at least {1 / input_channels(node):.4f}"
        )
    which = entry.get("channels", "first")
    if which not in ("first", "largest"):
        raise UpdateError(f'{where}: channels must be "first" or "largest", not {which!r}')
    chosen: tuple[int, ...] = ()
    if which == "largest" and 0 < channels < input_channels(node):
        chosen = largest_channels(graph, node, channels)
    return LayerUpdate(channels, bias, _layer_rate(where, entry.get("rate", 1.0)), chosen)


def _layer_rate(where: str, rate: Any) -> float:
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 2**-16 <= rate <= 2**16:
        raise UpdateError(
            f"{where}: rate must be between 2^-16 and 2^16, not {rate!r}; to train nothing, leave "
            "weight and bias out"
        )
    return float(rate)
