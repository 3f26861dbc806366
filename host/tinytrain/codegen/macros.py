"""The macros of model.h: sizes, offsets and quantization, as mpy_module/tt_model.h lists them."""

from __future__ import annotations

import struct

from tinytrain.codegen.pixels import pixels_of
from tinytrain.errors import BuildError
from tinytrain.ir.graph import Graph, Port, plain_name
from tinytrain.ir.program import Buffer, Program, Region, Runtime
from tinytrain.kernels.header import declarations
from tinytrain.plan.arena import Arena
from tinytrain.plan.latent import find_latent


def model_macros(graph: Graph, program: Program, arena: Arena) -> dict[str, str]:
    """By name, without the hashes."""
    macros = {
        "TT_MODEL_NAME": f'"{plain_name(program.name)}"',
        "TT_MODEL_ABI": str(declarations().constants["TT_ABI"]),
        "TT_WEIGHTS_BYTES": str(program.weights.size),
        "TT_STATE_BYTES": str(program.state_bytes),
        "TT_ARENA_BYTES": str(arena.nbytes),
        "TT_LOSS": f"TT_LOSS_{program.loss.name if program.loss else 'NONE'}",
        "TT_LOSS_BITS": str(program.loss_bits),
        "TT_CLASSES": str(program.classes),
        "TT_MODEL_GRADIENT_BITS": str(program.gradients.bits),
        "TT_MOMENTUM": str(int(program.optimizer.momentum and bool(program.step))),
        "TT_DECAY": str(int(program.optimizer.decays and bool(program.step))),
        "TT_BATCH": str(int(bool(program.apply))),
    }
    macros |= {"TT_INDICES": str(graph.indices)} if graph.indices else _pixel_macros(graph)
    if program.step:
        loss = [Runtime.LOSS in c.args.values() for c in program.step].index(True)
        macros |= {"TT_STEP_CALLS": str(len(program.step)), "TT_LOSS_CALLS": str(loss + 1)}
    if latent := find_latent(program):
        macros |= {
            "TT_LATENT_BYTES": str(latent.nbytes),
            "TT_LATENT_OFFSET": str(arena.offsets[latent.predict.name]),
            "TT_LATENT_STEP_OFFSET": str(arena.offsets[latent.step.name]),
            "TT_LATENT_CALLS": str(latent.step_calls),
        }
    for prefix, port, buffer in (
        ("TT_INPUT", graph.input, program.input),
        ("TT_OUTPUT", graph.output, program.output),
    ):
        macros |= _port_macros(graph, prefix, port, buffer, arena)
    return macros


def _pixel_macros(graph: Graph) -> dict[str, str]:
    pixels = pixels_of(graph)
    return {
        "TT_PIXEL_MULTIPLIER": str(pixels.multiplier),
        "TT_PIXEL_ZERO": str(pixels.zero),
        "TT_PIXEL_LOW": str(pixels.low),
        "TT_PIXEL_HIGH": str(pixels.high),
    }


def _port_macros(
    graph: Graph, prefix: str, port: Port, buffer: Buffer, arena: Arena
) -> dict[str, str]:
    if buffer.region is not Region.ARENA:
        raise BuildError(f"{graph.name}: {port.tensor} is a constant; the model computes nothing")
    quant = graph.tensors[port.tensor].quant
    (bits,) = struct.unpack("<I", struct.pack("<f", quant.per_tensor))
    return {
        f"{prefix}_OFFSET": str(arena.offsets[buffer.name]),
        f"{prefix}_BYTES": str(buffer.nbytes),
        f"{prefix}_SHAPE": ", ".join(map(str, port.shape)),
        f"{prefix}_SCALE_BITS": f"0x{bits:08x}u",
        f"{prefix}_ZERO": str(quant.zero_point),
    }
