"""Puts the C sources and board files, which lie beside the package, into the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DATA = ("c_kernels", "mpy_module", "boards")


class DataHook(BuildHookInterface):  # type: ignore[type-arg]
    """Forced inclusions, under tinytrain/_data."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":  # an editable install reads them where they are
            build_data["force_include"].update({name: f"tinytrain/_data/{name}" for name in DATA})
