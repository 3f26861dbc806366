"""tinytrain.pyi: what the module on the board offers, for editors; written for one model."""

from __future__ import annotations

from tinytrain.codegen.pixels import pixels_of
from tinytrain.ir.graph import Graph
from tinytrain.ir.loss import Loss
from tinytrain.ir.program import Program
from tinytrain.plan.latent import find_latent

TEMPLATE = '''"""The native module of {name}: {inputs} {kind} -> {outputs} int8."""

from collections.abc import Awaitable, Iterable, Iterator
from typing import Protocol, Self

class Buffer(Protocol):
    """Anything with the buffer protocol: bytes, bytearray, array.array, memoryview."""

{device}class Trainer:
    """One instance of the model.

    input: {takes}; {learns}.
    """

    name: str
    lr: float
    """Learning rate, 0.01 at first."""
{attributes}    state: memoryview
    """The trained parameters: can be read and written, not resized."""
    input_shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    output_shape: tuple[int, ...]
    output_scale: float
    output_zero_point: int
    classes: int
    latent_size: int
    """{latent}"""
    ram: int
    """Bytes of arena and state."""

    def __init__(self, weights: str | Buffer) -> None:
        """weights: path of model.ttw (a plain name is looked for in /rom too), or a buffer with its
        content (a memoryview of flash needs no RAM)."""
    def step(self, x: Buffer, {y}, *, latent: bool = False) -> float:
        """Forward, backward and update for one example; returns the loss ({loss}).

        x: {x}, or if `latent` what encode() made of them. y: {wanted}.
        """
{trains}{methods}{checkpoints}    def predict(
        self, x: Buffer, out: Buffer | None = None, *, latent: bool = False
    ) -> Buffer:
        """The model's int8 output; with `out` nothing is allocated."""
    def classify(self, x: Buffer, *, latent: bool = False) -> int:
        """Index of the largest output."""
    def encode(self, x: Buffer, out: Buffer | None = None, /) -> Buffer:
        """What the frozen layers make of x, latent_size int8. All methods take it in place of x
        with latent=True: the same result, and those layers are not run again. ValueError if there
        is no latent."""
    def quantize(self, src: Buffer, out: Buffer) -> Buffer:
        """{quantize}
    def info(self) -> dict[str, object]:
        """name, loss, classes, steps (so far), {about}, arena, state and
        weights (bytes), hash (of the build)."""
    def reset(self) -> None:
        """Forget all training."""
    def deinit(self) -> None:
        """Free the memory."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
'''


TRAINS = '''    def slices(
        self, x: Buffer, {y}, budget_us: int = 2000, *, latent: bool = False
    ) -> Iterator[float | None]:
        """step() in slices of about budget_us, with 0 of one kernel call each: yields None after
        each, after the last one the loss.

        x is copied at once, y has to stay. What uses the Trainer in between (step, predict, save)
        gives the step up, and the next slice raises RuntimeError; so does who drops the iterator.
        Parameters that were updated by then stay so, and the step does not count.
        """
    def astep(
        self, x: Buffer, {y}, budget_us: int = 2000, *, latent: bool = False
    ) -> Awaitable[float]:
        """loss = await trainer.astep(x, y): the same, asyncio's other tasks run between slices."""
    def evaluate(
        self, examples: Iterable[tuple[Buffer, {kind}]], *, latent: bool = False
    ) -> float:
        """{score} of (x, y) pairs; nothing is learned."""
'''
SCORES = {
    Loss.SOFTMAX: "The fraction that classify() gets right,",
    Loss.SIGMOID: "The fraction of labels that are right, an output above 0 meaning 1,",
    Loss.MSE: "The mean loss",
}
MOMENTUM = '''    momentum: float
    """v = momentum * v + lr * gradient; w -= v. At least 0, below 1; 0 at first."""
'''
DECAY = '''    weight_decay: float
    """weight_decay * w is added to the gradient of each trained weight; 0 at first."""
'''
DEVICE = '''class BlockDevice(Protocol):
    """Such as rp2.Flash(start=..., len=...) or esp32.Partition; each half keeps a checkpoint."""

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0, /) -> object: ...
    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0, /) -> object: ...
    def ioctl(self, operation: int, argument: int, /) -> object: ...

'''
BATCH = '''    def accumulate(self, x: Buffer, {y}, *, latent: bool = False) -> float:
        """As step, but the gradient is added up for apply(); returns the loss."""
    def apply(self) -> None:
        """Update with the mean gradient of what was accumulated, if anything was."""
'''


CHECKPOINTS = '''    def save(self, where: str | BlockDevice) -> tuple[str | int, int]:
        """Store the state as the newest checkpoint, safe against power cuts; which slot (path, or 0
        and 1) that is, and its sequence number. A path's former content goes to `path~`."""
    def load(self, where: str | BlockDevice) -> tuple[str | int, int]:
        """Take the newest valid checkpoint; which slot, and its sequence number. OSError if there
        is none, ValueError if what there is cannot be used; the state is as it was then."""
'''


QUANTIZE = '''The model's int8 input, in `out`, for {size} pixels or real values; allocates nothing.

        uint8: 0 .. 255 stands for the real values {low} .. {high}, saturated.
        float32: round(src / input_scale) + input_zero_point, saturated.
        """'''


def _input(graph: Graph) -> dict[str, str]:
    """What the stub says of the input."""
    tensor, inputs = graph.tensors[graph.input.tensor], "x".join(map(str, graph.input.shape))
    if graph.indices:
        last = graph.indices - 1
        return {
            "kind": "indices",
            "takes": f"{inputs} indices 0 .. {last}",
            "x": f"{tensor.size} int32 (array('i'), or their bytes), 0 .. {last} each",
            "quantize": 'ValueError: the input is indices."""',
            "about": "indices (what they have to be below)",
        }
    quant, pixels = tensor.quant, pixels_of(graph)
    return {
        "kind": "int8",
        "takes": f"int8 {inputs}, scale {quant.per_tensor!r}, zero point {quant.zero_point}",
        "x": f"{tensor.size} int8",
        "quantize": QUANTIZE.format(size=tensor.size, low=pixels.low, high=pixels.high),
        "about": "pixels (real values of 0 and 255)",
    }


def stub(graph: Graph, program: Program) -> str:
    """The stub file of a model."""
    optimizer = program.optimizer
    source, result = graph.tensors[graph.input.tensor], graph.tensors[graph.output.tensor]
    learns, y, wanted = "it only predicts", "y: int", "nothing: it was built to predict only"
    match program.loss:
        case Loss.SOFTMAX:
            learns = f"labels 0 .. {program.classes - 1}"
            wanted = f"the label, 0 .. {program.classes - 1}"
        case Loss.SIGMOID:
            learns = f"{program.classes} labels, 0 or 1 each"
            y, wanted = "y: Buffer", f"{program.classes} bytes, 0 or 1"
        case Loss.MSE:
            learns, y = "learns towards targets", "y: Buffer"
            wanted = f"{result.size} int8, quantized as the output"
            if source.size == result.size and not graph.indices:
                y, wanted = "y: Buffer | None = None", f"{wanted}; without it x is the target"
    trains = ""
    if program.loss:
        kind = y.removeprefix("y: ").removesuffix(" = None")
        trains = TRAINS.format(y=y, kind=kind, score=SCORES[program.loss])
    latent = find_latent(program)
    return TEMPLATE.format(
        name=graph.name,
        inputs="x".join(map(str, graph.input.shape)),
        outputs="x".join(map(str, graph.output.shape)),
        attributes=(MOMENTUM if optimizer.momentum else "") + (DECAY if optimizer.decays else ""),
        trains=trains,
        methods=BATCH.format(y=y) if optimizer.batch else "",
        latent=f"Bytes of a latent: {latent.tensor}." if latent else "0: there is no latent.",
        device=DEVICE if program.loss else "",
        checkpoints=CHECKPOINTS if program.loss else "",
        loss=program.loss.value if program.loss else "none",
        learns=learns,
        y=y,
        wanted=wanted,
        **_input(graph),
    )
