"""`tinytrain plan`: what a scheme takes, and why; or, with --data, which scheme is best."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinytrain.commands import search
from tinytrain.commands.model_options import add_options, options_of
from tinytrain.commands.terminal import Commands, console, size


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    add = commands.add_parser(
        "plan",
        help="show what a scheme takes of a board's memory, or find the best for given data",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add.add_argument("model", type=Path, metavar="MODEL", help="full-int8 .tflite file")
    add_options(add)
    add.add_argument("--ram", type=size, metavar="SIZE",
                     help="what arena and state may take, such as 96K")  # fmt: skip
    add.add_argument("--explain", action="store_true",
                     help="say what is in memory at the peak, and what would lower it")  # fmt: skip
    search.add_options(add)
    add.set_defaults(run=_plan)


def _plan(arguments: argparse.Namespace) -> None:
    if arguments.data is not None:
        search.run(arguments)
    else:
        search.refuse_options(arguments)
        _show(arguments)


def _show(arguments: argparse.Namespace) -> None:
    from tinytrain.advice import Budget, alternatives, refusal
    from tinytrain.compilation import compile_model
    from tinytrain.errors import BuildError
    from tinytrain.plan.explain import explanation, optimality

    compiled = compile_model(arguments.model, arguments.update, options_of(arguments))
    program, arena = compiled.program, compiled.arena
    needed = arena.nbytes + program.state_bytes
    figures = {
        "arena (activations, gradients, scratch)": f"{arena.nbytes:>12,}",
        "  peak of its calls": f"{arena.lower_bound:>12,}",
        "  lower bound of any placement of them": f"{arena.least:>12,}",
        "  peak of the best order": f"{arena.order_bound:>12,}",
        "state (trained parameters)": f"{program.state_bytes:>12,}",
        "arena and state": f"{needed:>12,}",
        "weights (flash or RAM)": f"{program.weights.size:>12,}",
    }
    say(f"{compiled.graph.name}, update {arguments.update}")
    for name, value in figures.items():
        say(f"{name:<44}{value}")
    if not arguments.explain:
        say(f"The arena is {optimality(arena)}.")
    else:
        say("")
        say(explanation(program, arena))
        say("What would lower arena + state:")
        # without a limit: whatever is smaller than now
        budget = Budget("", needed - 1 if arguments.ram is None else arguments.ram)
        for a in alternatives(compiled, budget):
            say(f"  {a.change:<44}{a.needed:>12,}   {a.needed - needed:+,}")
    if arguments.ram is not None:
        problem = refusal(compiled, Budget("allowed by --ram", arguments.ram))
        if problem:
            raise BuildError(problem)


def say(text: str) -> None:
    """Print as it is."""
    console.print(text, markup=False, soft_wrap=True)
