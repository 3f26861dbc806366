"""What can be trained of each layer, from nothing to everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import Embedding
from tinytrain.passes.update import LayerUpdate, Scheme, input_channels, layers

FRACTIONS = (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))
"""Of the input channels of a weight."""

Choices = Mapping[str, Sequence[LayerUpdate]]
"""By layer in execution order; each choice trains what the one before it does, and more."""


def choices_of(graph: Graph, frozen: Sequence[str] = ()) -> Choices:
    """Bias alone, then also fractions of the weight; layers named in `frozen` have none."""
    return {n.name: _of_layer(n) for n in layers(graph) if n.name not in frozen}


def _of_layer(node: Node) -> tuple[LayerUpdate, ...]:
    bias = node.bias is not None
    if isinstance(node.attrs, Embedding):
        return (LayerUpdate(input_channels(node)),)
    counts = {max(1, int(input_channels(node) * f)) for f in FRACTIONS}
    weights = [LayerUpdate(n, bias) for n in sorted(counts)]
    return (LayerUpdate(0, True), *weights) if bias else tuple(weights)


def describe(graph: Graph, name: str, update: LayerUpdate) -> str:
    """Such as "conv2d_3: bias", "conv2d_3: weight 6/24 and bias"."""
    node = next(n for n in layers(graph) if n.name == name)
    parts = []
    if update.channels:
        whole = update.channels == input_channels(node)
        parts.append("weight" + ("" if whole else f" {update.channels}/{input_channels(node)}"))
    if update.bias:
        parts.append("bias")
    return f"{name}: {' and '.join(parts)}"


def usual_schemes(graph: Graph, choices: Choices) -> Mapping[str, Scheme]:
    """What one would try by hand, by name: last:N, bias:N, and bias:N with the weight of the last
    layer."""
    named: dict[str, Scheme] = {}
    names = [n.name for n in layers(graph)]
    for count in range(1, len(names) + 1):
        chosen = [choices[n] for n in names[-count:] if n in choices]
        keys = [n for n in names[-count:] if n in choices]
        everything = {k: c[-1] for k, c in zip(keys, chosen, strict=True)}
        biases = {k: c[0] for k, c in zip(keys, chosen, strict=True) if not c[0].channels}
        named[f"last:{count}"] = everything
        named[f"bias:{count}"] = biases
        if keys and keys[-1] == names[-1]:
            named[f"bias:{count} and the last weight"] = biases | {keys[-1]: chosen[-1][-1]}
    found: dict[str, Scheme] = {}
    for name, scheme in named.items():
        if scheme and scheme not in found.values():
            found[name] = scheme
    return found
