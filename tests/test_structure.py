"""What keeps the folders honest: imports point to earlier layers only, and the tables agree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tinytrain.ir.ops import OPS
from tinytrain.kernels.header import declarations
from tinytrain.passes.autodiff import RULES
from tinytrain.passes.lower_backward import INPUT_RULES
from tinytrain.passes.lower_forward import FORWARD

PACKAGE = Path(__file__).parents[1] / "host" / "tinytrain"

# each layer may import from those before it (and from itself)
LAYERS = (
    {"errors", "resources"},
    {"ir"},
    {"kernels"},
    {"importers", "exporters", "inspection", "passes"},
    {"plan"},
    {"codegen", "patching"},
    {"compilation"},
    {"sim", "backend"},
    {"advice", "samples"},
    {"build"},
    {"transfer", "search"},
    {"commands"},
    {"cli", "__init__"},
)
# siblings of one layer that never import each other
APART = ({"sim", "backend"}, {"importers", "passes"}, {"exporters", "passes"})


def layer_of(part: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """The parts of tinytrain that a module imports at its top level."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("tinytrain.")}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_point_to_earlier_layers(path):
    part = part_of(path)
    for other in imported_parts(path):
        assert layer_of(other) <= layer_of(part), f"{path.name} imports tinytrain.{other}"
        assert not any({part, other} <= pair and part != other for pair in APART)


def test_every_op_has_its_rows():
    assert set(FORWARD) == set(OPS)
    assert set(RULES) | {"softmax"} == set(OPS)  # softmax is part of the loss
    assert set(INPUT_RULES) <= set(RULES)


def test_every_kernel_of_a_table_is_declared():
    declared = declarations().functions
    for lowering in FORWARD.values():
        assert lowering.kernel in declared


def test_every_source_is_typed_and_short_enough():
    for path in PACKAGE.rglob("*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 350, f"{path.name} has {len(lines)} lines: does one idea fill it?"
