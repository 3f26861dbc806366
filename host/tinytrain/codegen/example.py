"""main.py: a fine-tuning loop to start from, for the board."""

from __future__ import annotations

from tinytrain.ir.graph import Graph

TRAIN = '''"""Fine-tune {name} on this board. Replace `examples` by your own data."""

import gc

import tinytrain


def examples():
    """Yield (x, y): {size} int8 values ({inputs}) and a label 0 .. {last}.

    int8 value = round(real / {scale:.7g}) + {zero}.
    """
    x = bytearray({size})
    for y in range({classes}):
        for i in range(len(x)):
            x[i] = (i * (y + 3) + y) & 0xFF
        yield x, y


gc.collect()
trainer = tinytrain.Trainer("model.ttw")
trainer.lr = 0.01
print(trainer)
for epoch in range(3):
    loss = n = 0
    for x, y in examples():
        loss += trainer.step(x, y)
        n += 1
    print("epoch", epoch, "mean loss", loss / n)
'''

PREDICT = '''"""Run {name} on this board."""

import tinytrain

trainer = tinytrain.Trainer("model.ttw")
print(trainer)
x = bytearray({size})  # {inputs} int8: round(real / {scale:.7g}) + {zero}
print("class", trainer.classify(x))
'''


def example(graph: Graph, classes: int) -> str:
    """A MicroPython script that runs as it is."""
    source = graph.tensors[graph.input.tensor]
    return (TRAIN if classes else PREDICT).format(
        name=graph.name,
        inputs="x".join(map(str, graph.input.shape)),
        size=source.size,
        classes=classes,
        last=classes - 1,
        scale=source.quant.per_tensor,
        zero=source.quant.zero_point,
    )
