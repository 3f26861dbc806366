"""What the keyboard learns from four people's text, against counting 4-grams and float32.

make keyboard                          # docs/keyboard.json and .svg, the table in KEYBOARD.md
make keyboard ARGS='--persona perl'    # one of them, on the terminal only
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from keyboard import text  # noqa: E402
from keyboard.floats import Floats  # noqa: E402
from keyboard.ngram import Ngram  # noqa: E402
from keyboard.publish import publish, table  # noqa: E402
from keyboard.rehearsal import (  # noqa: E402
    ALL,
    ALONE,
    Integers,
    Model,
    keys_saved,
    practise,
)

STOPS = (3_000, 20_000)
WEIGHTS = (3, 10, 30, 100)  # of the own text's counts
WORDS = 3_000  # held-out characters on which saved keys are counted
DOCS = HERE.parents[1] / "docs"

Figures = dict[str, Any]


@cache
def counted() -> Ngram:
    """4-grams of the general text."""
    model = Ngram()
    model.add(text.general()[0])
    return model


def of_ngrams(name: str) -> Figures:
    """Bits by characters typed, with the weight that is best for the text tested; keys saved."""
    typed, test = text.persona(name)
    found: Figures = {"bits": {"0": counted().bits(test)}, "general": {"0": general(counted())}}
    found["by weight"] = {}
    found["weight"], found["saved"] = {}, {"0": keys_saved(counted(), test[:WORDS])}
    for stop in STOPS:
        models = []
        for weight in WEIGHTS:
            model = copy.deepcopy(counted())
            model.add(typed[:stop], weight)
            models.append((model.bits(test), weight, model))
        bits, weight, model = min(models, key=lambda found: found[:2])
        found["bits"][str(stop)], found["weight"][str(stop)] = bits, weight
        found["by weight"][str(stop)] = {str(weight): bits for bits, weight, _ in models}
        found["general"][str(stop)] = general(model)
        found["saved"][str(stop)] = keys_saved(model, test[:WORDS])
    return found


def general(model: Model | Ngram) -> float:
    """Bits per character of general text that nobody trained on."""
    return model.bits(text.general()[1])


def of_network(name: str, model: Integers | Floats, kinds: tuple[int, ...]) -> Figures:
    """Bits by characters typed; keys saved by the integers."""
    typed, test = text.persona(name)
    found: Figures = {"bits": {}, "general": {}, "saved": {}}

    def look(stop: int) -> None:
        found["bits"][str(stop)] = model.bits(test)
        found["general"][str(stop)] = general(model)
        if isinstance(model, Integers) and kinds == ALL:
            found["saved"][str(stop)] = keys_saved(model, test[:WORDS])

    look(0)
    found["steps"] = practise(model, typed, STOPS, look, kinds)
    return found


def persona(name: str) -> Figures:
    """All figures for what one person types."""
    typed, test = text.persona(name)
    return {
        "typed": len(typed),
        "held out": len(test),
        "4-gram": of_ngrams(name),
        "network": of_network(name, Integers.pretrained(), ALL),
        "without general text": of_network(name, Integers.pretrained(), ALONE),
        "float": of_network(name, Floats(), ALL),
    }


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--persona", action="append", help="only this file of fortune(6)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=DOCS, help="folder (default: docs)")
    chosen = parser.parse_args()
    start, names = time.monotonic(), chosen.persona or text.PERSONAS
    Integers.pretrained()  # compiled once, before the processes need it
    with ProcessPoolExecutor(chosen.jobs) as pool:
        results = dict(zip(names, pool.map(persona, names), strict=True))
    print(table(results))
    if not chosen.persona:
        publish(results, chosen.output)
    print(f"{json.dumps(results) if chosen.persona else ''}\n{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
