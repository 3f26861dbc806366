"""What a Trainer tells of itself."""

from __future__ import annotations

from tinytrain.codegen.pixels import pixels_of
from tinytrain.compilation import Compiled


def describe(compiled: Compiled, steps: int) -> dict[str, object]:
    """The dict that Trainer.info() returns, the same as on the board."""
    program, graph = compiled.program, compiled.graph
    if graph.indices:
        takes: dict[str, object] = {"indices": graph.indices}
    else:
        pixels = pixels_of(graph)
        takes = {"pixels": (pixels.low, pixels.high)}
    return {
        "name": graph.name,
        "loss": program.loss.value if program.loss else "none",
        "classes": program.classes,
        "steps": steps,
        **takes,
        "arena": compiled.arena.nbytes,
        "state": program.state_bytes,
        "weights": int(program.weights.size),
        "hash": f"{compiled.source.hash:016x}",
    }
