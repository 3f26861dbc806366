"""What an .mpy file says about itself, and which boards load it."""

from __future__ import annotations

from dataclasses import dataclass

from tinytrain.errors import BoardError

# MicroPython's py/persistentcode.h: the architecture's number in an .mpy and in sys.implementation
ARCHITECTURES = {
    "x86": 1,
    "x64": 2,
    "armv6": 3,
    "armv6m": 4,
    "armv7m": 5,
    "armv7em": 6,
    "armv7emsp": 7,
    "armv7emdp": 8,
    "xtensa": 9,
    "xtensawin": 10,
    "rv32imc": 11,
}
_NAMES = {number: name for name, number in ARCHITECTURES.items()}
_ARCHITECTURE_BITS = 0x2F  # the bit left out marks optional instructions
_THUMB = range(ARCHITECTURES["armv6m"], ARCHITECTURES["armv7emdp"] + 1)


def architecture_name(number: int) -> str:
    """The name of an architecture that may be newer than this table."""
    return _NAMES.get(number, f"architecture {number}")


@dataclass(frozen=True, slots=True)
class MpyTag:
    """Format version and architecture: of a file, or the ones that a board loads."""

    version: int
    sub_version: int
    architecture: int

    @classmethod
    def of_file(cls, data: bytes) -> MpyTag:
        """Read the header of a native .mpy file."""
        if len(data) < 4 or data[:1] != b"M":
            raise BoardError("not an .mpy file; build again")
        return cls(data[1], data[2] & 3, data[2] >> 2 & _ARCHITECTURE_BITS)

    @classmethod
    def of_board(cls, implementation_mpy: int) -> MpyTag:
        """Take sys.implementation._mpy apart."""
        return cls(
            implementation_mpy & 0xFF,
            implementation_mpy >> 8 & 3,
            implementation_mpy >> 10 & _ARCHITECTURE_BITS,
        )

    @property
    def name(self) -> str:
        return architecture_name(self.architecture)

    def loads(self, module: MpyTag) -> bool:
        """Whether a board with this tag loads that module: Thumb boards take simpler Thumb code."""
        if (self.version, self.sub_version) != (module.version, module.sub_version):
            return False
        if self.architecture in _THUMB:
            return _THUMB.start <= module.architecture <= self.architecture
        return self.architecture == module.architecture
