"""What a Trainer tells of itself."""

from __future__ import annotations

from tinytrain.codegen.pixels import pixels_of
from tinytrain.compilation import Compiled


def describe(compiled: Compiled, steps: int) -> dict[str, object]:
    """The dict that Trainer.info() returns, the same as on the board."""
    program, pixels = compiled.program, pixels_of(compiled.graph)
    return {
        "name": compiled.graph.name,
        "loss": program.loss.value if program.loss else "none",
        "classes": program.classes,
        "steps": steps,
        "pixels": (pixels.low, pixels.high),
        "arena": compiled.arena.nbytes,
        "state": program.state_bytes,
        "weights": int(program.weights.size),
        "hash": f"{compiled.source.hash:016x}",
    }
