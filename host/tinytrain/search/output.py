"""The chosen scheme as update.toml, and everything that was found as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinytrain.ir.graph import Graph, Node
from tinytrain.passes.update import LayerUpdate, Scheme, input_channels, layers
from tinytrain.search.choices import describe
from tinytrain.search.contribution import Measured
from tinytrain.search.run import Candidate, Contribution, Found
from tinytrain.search.study import Study

WIDTH = 96


def scheme_toml(graph: Graph, scheme: Scheme, notes: Mapping[str, str] | None = None) -> str:
    """A scheme as text that `parse_scheme` reads back. notes: comments by layer."""
    blocks = []
    for node in layers(graph):
        if update := scheme.get(node.name):
            lines = [f"# {line}" for line in (notes or {}).get(node.name, "").splitlines()]
            lines.append(f"[layer.{_key(node.name)}]")
            lines.append(f"weight = {_weight(node, update)}")
            lines += [] if update.first else ['channels = "largest"']
            lines.append(f"bias = {str(update.bias).lower()}")
            lines += [f"rate = {update.rate!r}"] if update.rate != 1.0 else []
            blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _key(name: str) -> str:
    """A name as a key of TOML; bare where that is allowed."""
    bare = name.isascii() and all(c.isalnum() or c in "_-" for c in name)
    return name if name and bare else json.dumps(name)


def _weight(node: Node, update: LayerUpdate) -> str:
    """The shortest number that means so many channels."""
    total = input_channels(node)
    if update.channels in (0, total):
        return "true" if update.channels else "false"
    for digits in range(1, 12):
        for value in (update.channels / total, (update.channels + 0.25) / total):
            text = f"{value:.{digits}f}"
            if int(total * float(text)) == update.channels:
                return text
    raise AssertionError(f"{update.channels} of {total} channels")


def update_toml(study: Study, found: Found, seconds: float | None) -> str:
    """The chosen scheme with what is known of it."""
    best, gains = found.best, {(c.layer, c.update): c for c in found.contributions}
    notes = {}
    for name, update in best.scheme.items():
        what = describe(study.graph, name, update).partition(": ")[2]
        one = gains.get((name, update))
        notes[name] = f"{what}: {_gain(study, one)} alone" if one else what
    return _heading(study, found, seconds) + "\n" + scheme_toml(study.graph, best.scheme, notes)


def _heading(study: Study, found: Found, seconds: float | None) -> str:
    best, settings = found.best, study.settings
    cost, request = best.cost, found.request
    time = "" if seconds is None else f", about {seconds:.3g} s on the board"
    ram = f"arena {cost.arena:,} + state {cost.state:,} = {cost.ram:,}"
    how = f"{request.splits} splits of {len(study.x)} examples, {settings.epochs} epochs"
    after = f"{_quality(study, best.measured)} with lr = {best.measured.rate}, falling to a tenth"
    others = found.candidates[1:6]
    lines = [
        f"What is trained of {study.graph.name}, for `tinytrain build --update`.",
        "Written by `tinytrain plan`.",
        "",
        f"RAM: {ram} bytes of {request.budget.ram:,} allowed",
        f"Step: {cost.macs:,} multiply-accumulates{time}",
        f"Simulated on {how}, seed {settings.seed}:",
        f"  before {_quality(study, found.before)}, after {after}",
        f"Chosen as the best of {len(found.candidates)} schemes ({best.name}); next:",
        *(f"  {_quality(study, c.measured)}, {c.cost.ram:,} bytes: {c.name}" for c in others),
    ]
    kind = "Fisher information" if request.cheap else "what training it alone gained"
    lines += ["", f"Below: {kind}."]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _gain(study: Study, one: Contribution) -> str:
    if one.accuracy is None:
        return f"{one.gain:.4g}"
    if study.options.loss == "mse":
        return f"mse {-one.gain:+.4g}"
    return f"{100 * one.accuracy:+.1f} points of accuracy, {100 * one.gain:+.1f} of probability"


def _quality(study: Study, measured: Measured) -> str:
    value = measured.score.quality
    return f"mse {-value:.4g}" if study.options.loss == "mse" else f"{value:.1%}"


def result_json(study: Study, found: Found) -> dict[str, Any]:
    """Everything that was found."""
    settings, request = study.settings, found.request
    return {
        "model": study.graph.name,
        "study": study.key(),
        "examples": len(study.x),
        "settings": {
            "rates": list(settings.rates),
            "epochs": settings.epochs,
            "validation": settings.validation,
            "seed": settings.seed,
            "splits": request.splits,
            "cheap": request.cheap,
        },
        "ram": request.budget.ram,
        "cycles": request.budget.cycles,
        "exact": found.exact,
        "before": _measured(found.before),
        "beside": _layers(found.base),
        "contributions": [
            {
                "layer": c.layer,
                "channels": c.update.channels,
                "bias": c.update.bias,
                "gain": c.gain,
                "accuracy": c.accuracy,
                "ram": c.cost.ram,
            }
            for c in found.contributions
        ],
        "schemes": [_candidate(c) for c in found.candidates],
    }


def _candidate(c: Candidate) -> dict[str, Any]:
    cost = {name: getattr(c.cost, name) for name in ("arena", "state", "ram", "macs", "cycles")}
    return {
        "name": c.name,
        **_measured(c.measured),
        **cost,
        "contributions": c.gain,
        "layers": _layers(c.scheme),
    }


def _measured(m: Measured) -> dict[str, Any]:
    return {
        "quality": m.score.quality,
        "deviation": m.deviation,
        "expected": m.score.expected,
        "lr": m.rate,
    }


def _layers(scheme: Scheme) -> dict[str, Any]:
    return {n: {"channels": u.channels, "bias": u.bias} for n, u in sorted(scheme.items())}


def write(path: Path, text: str) -> None:
    """The whole file or nothing."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
