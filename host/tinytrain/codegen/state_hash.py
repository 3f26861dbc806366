"""The state hash: 64 bits that say whose trained parameters a checkpoint holds.

It covers what the model computes and how its state is laid out, not names, code or the arena: the
same model with the same update scheme takes its checkpoints on every board, before and after a
rebuild with another version of tinytrain.
"""

from __future__ import annotations

import hashlib

from tinytrain.ir.graph import Graph
from tinytrain.ir.program import Program


def state_hash(graph: Graph, program: Program) -> int:
    """Over ops, quantization and parameters in execution order, then the arrays of the state."""
    numbers: dict[str, int] = {}  # names come from files and may change with them
    digest = hashlib.sha256()
    for node in graph.nodes:
        for name in (*node.inputs, node.output):
            if name in numbers:
                continue
            numbers[name] = len(numbers)
            tensor = graph.tensors[name]
            digest.update(repr((tensor.shape, tensor.dtype, tensor.quant)).encode())
            if tensor.data is not None:
                digest.update(tensor.data.astype(tensor.data.dtype.newbyteorder("<")).tobytes())
        tensors = [numbers[name] for name in (*node.inputs, node.output)]
        digest.update(repr((node.op, node.attrs, tensors)).encode())
    position = {node.name: i for i, node in enumerate(graph.nodes)}
    for f in program.state:
        entry = (position[f.layer], f.kind, f.dtype, f.shape, f.offset, f.axis, f.columns)
        digest.update(repr(entry).encode())
    digest.update(repr(program.state_bytes).encode())
    return int.from_bytes(digest.digest()[:8], "little")
