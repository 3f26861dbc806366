"""main.py: a fine-tuning loop to start from, for the board."""

from __future__ import annotations

from tinytrain.ir.graph import Graph
from tinytrain.ir.loss import Loss
from tinytrain.ir.program import Program

TRAIN = '''"""Fine-tune {name} on this board. Replace `examples` by your own data."""

{imports}
import tinytrain


def examples():
    """Yield (x, y): {size} {values} ({inputs}) and {wanted}.{meaning}"""
    x = {make}
    for n in range({examples}):
        for i in range(len(x)):
            x[i] = (i * (n + 3) + n) {within}
        yield x, {y}


gc.collect()
trainer = tinytrain.Trainer("model.ttw")
trainer.lr = 0.01
print(trainer)
try:
    print("going on from", trainer.load("model.tts"))
except OSError:
    pass  # nothing was saved yet
for epoch in range(3):
    loss = n = 0
    for x, y in examples():
        loss += trainer.step(x, y)
        n += 1
    print("epoch", epoch, "mean loss", loss / n)
    print("saved", trainer.save("model.tts"))  # `tinytrain pull` brings it to the host
'''

PREDICT = '''"""Run {name} on this board."""

{only_array}import tinytrain

trainer = tinytrain.Trainer("model.ttw")
print(trainer)
x = {make}  # {inputs} {values}{formula}
print("class", trainer.classify(x))
'''


def _input(graph: Graph) -> dict[str, str]:
    """What the script does for the model's input."""
    tensor = graph.tensors[graph.input.tensor]
    scale, zero = tensor.quant.per_tensor, tensor.quant.zero_point
    if graph.indices:
        return {
            "values": f"indices 0 .. {graph.indices - 1}",
            "meaning": "",
            "formula": "",
            "make": f'array.array("i", [0] * {tensor.size})',
            "within": f"% {graph.indices}",
            "imports": "import array\nimport gc\n",
            "only_array": "import array\n\n",
        }
    formula = f"round(real / {scale:.7g}) + {zero}"
    return {
        "values": "int8 values",
        "meaning": f"\n\n    int8 value = {formula}.\n    ",
        "formula": f": {formula}",
        "make": f"bytearray({tensor.size})",
        "within": "& 0xFF",
        "imports": "import gc\n",
        "only_array": "",
    }


def example(graph: Graph, program: Program) -> str:
    """A MicroPython script that runs as it is."""
    source, result = graph.tensors[graph.input.tensor], graph.tensors[graph.output.tensor]
    examples, y, wanted = program.classes, "n", f"a label 0 .. {program.classes - 1}"
    if program.loss is Loss.SIGMOID:
        y = f"bytes(c == n % {program.classes} for c in range({program.classes}))"
        examples, wanted = (
            min(program.classes, 4),
            f"{program.classes} bytes, 0 or 1 for each class",
        )
    elif program.loss is Loss.MSE and source.size == result.size and not graph.indices:
        examples, y, wanted = 4, "None", "None, to learn towards x, or int8 values for each output"
    elif program.loss is Loss.MSE:
        examples, y = 4, f"bytes({result.size})"
        wanted = f"{result.size} int8 values, round(real / {result.quant.per_tensor:.7g})"
        wanted += f" + {result.quant.zero_point}"
    return (TRAIN if program.loss else PREDICT).format(
        name=graph.name,
        inputs="x".join(map(str, graph.input.shape)),
        size=source.size,
        examples=examples,
        y=y,
        wanted=wanted,
        **_input(graph),
    )
