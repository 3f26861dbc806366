"""A session with the camera: pictures, and the commands that go with them; for board and host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shown import PEOPLE, THINGS, Pixels, Shape, split

STAGES = ("people", "things added, not rehearsed", "things added, rehearsed", "after a power cut")


@dataclass(slots=True)
class Session:
    """Commands in their order, and a picture for each that takes one.

    each: latents kept of a class. looks: stage and name of each look.
    """

    each: int = 80
    commands: list[str] = field(default_factory=list)
    pictures: list[Pixels] = field(default_factory=list)
    looks: list[tuple[str, str]] = field(default_factory=list)

    def show(self, shots: Mapping[str, Pixels]) -> None:
        """One picture of each name in turn."""
        for number in range(min(map(len, shots.values()))):
            for name, pixels in shots.items():
                self.commands.append(f"this is {name}")
                self.pictures.append(pixels[number])

    def test(self, stage: str, tests: Mapping[str, Pixels], count: int) -> None:
        """Look at so many of each name."""
        for name, pixels in tests.items():
            for picture in pixels[:count]:
                self.commands.append("look")
                self.pictures.append(picture)
                self.looks.append((stage, name))

    def write(self, folder: Path) -> list[Path]:
        """pictures.bin and commands.txt."""
        pictures, commands = folder / "pictures.bin", folder / "commands.txt"
        pictures.write_bytes(b"".join(p.tobytes() for p in self.pictures))
        commands.write_text("\n".join([str(self.each), *self.commands]) + "\n", encoding="utf-8")
        return [pictures, commands]

    def accuracy(self, answers: list[str]) -> dict[str, dict[str, float]]:
        """Percent right by stage and name; answers of the looks so far."""
        found: dict[str, dict[str, list[bool]]] = {}
        for (stage, name), answer in zip(self.looks, answers, strict=False):
            found.setdefault(stage, {}).setdefault(name, []).append(answer.split()[0] == name)
        return {
            stage: {name: 100 * sum(right) / len(right) for name, right in names.items()}
            for stage, names in found.items()
        }


def plan(
    shape: Shape, shots: int, steps: int, tests: int, *, rate: float = 0.03, seed: int = 0
) -> Session:
    """People first; then two things, with and without rehearsal; a power cut at the end."""
    s = Session(each=4 * shots)
    people, unseen = split(PEOPLE, shape, shots, seed)
    things, new = split(tuple(THINGS), shape, shots, seed)
    every = {**unseen, **new}
    s.show(people)
    s.commands.append(f"learn {steps} {rate}")
    s.test(STAGES[0], unseen, tests)
    s.show(things)
    s.commands.append("save")
    s.commands.append(f"learn {steps} {rate} {' '.join(things)}")
    s.test(STAGES[1], every, tests)
    s.commands += ["restore", f"learn {steps} {rate}"]
    s.test(STAGES[2], every, tests)
    s.commands += ["save", "power cut", "restore"]
    s.test(STAGES[3], every, min(tests, 2))
    return s
