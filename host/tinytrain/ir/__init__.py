"""The intermediate representation: a graph of int8 tensors with scale and zero point."""

from tinytrain.ir.graph import Graph, Node, Port
from tinytrain.ir.tensor import Quantization, Tensor
from tinytrain.ir.verify import verify

__all__ = ["Graph", "Node", "Port", "Quantization", "Tensor", "verify"]
