"""ROMFS images whose files are aligned, so that a board can use them in place.

MicroPython's format (docs/reference/romfs, extmod/vfs_rom.c): records of kind, length and payload,
numbers in base 128 with the high bit on all but the last byte; an image is the record whose header
is 0xd2 0xcd 0x31. A file's data lies wherever the records before it end, and a Cortex-M0 faults on
words that are not aligned: here a padding record goes before the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tinytrain.errors import BoardError

HEADER = b"\xd2\xcd\x31"
PADDING, VERBATIM, POINTER, DIRECTORY, FILE = range(1, 6)
ALIGNMENT = 16  # of every file's data; the base of a partition is aligned to far more
LENGTH_BYTES = 5  # of the length of what holds files: always, so that all offsets are known
MAX_DEPTH = 16


@dataclass(slots=True)
class Folder:
    """Files and folders by name."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)


def make_image(files: Mapping[str, bytes]) -> bytes:
    """An image of files by path ("model.ttw", "lib/a.mpy"), each one's data aligned."""
    root = Folder()
    for path, data in sorted(files.items()):
        *parents, name = path.strip("/").split("/")
        folder = root
        for parent in parents:
            folder = folder.folders.setdefault(parent, Folder())
        folder.files[name] = data
    payload = _folder(root, len(HEADER) + LENGTH_BYTES)
    return HEADER + _long_number(len(payload)) + payload


def read_image(image: bytes) -> dict[str, bytes]:
    """The files of an image by path; BoardError if it is none."""
    if not image.startswith(HEADER):
        raise BoardError("no ROMFS image")
    length, at = _read_number(image, len(HEADER), len(image))
    if at + length > len(image):
        raise BoardError("the ROMFS image is cut short")
    return dict(_read_folder(image, at, at + length, image, "", 0))


def image_bytes(head: bytes) -> int | None:
    """The size of the image that begins so (12 bytes or more); None if there is none."""
    if not head.startswith(HEADER):
        return None
    try:
        length, at = _read_number(head, len(HEADER), len(head))
    except BoardError:
        return None
    return at + length


def _number(value: int) -> bytes:
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.insert(0, 0x80 | value & 0x7F)
    return bytes(encoded)


def _record(kind: int, payload: bytes) -> bytes:
    return _number(kind) + _number(len(payload)) + payload


def _folder(folder: Folder, start: int) -> bytes:
    """The records of a folder's content, the first of which will lie at `start`."""
    out = bytearray()
    for name, data in folder.files.items():
        out += _file(name, data, start + len(out))
    for name, inner in folder.folders.items():
        out += _directory(name, inner, start + len(out))
    return bytes(out)


def _file(name: str, data: bytes, start: int) -> bytes:
    """A file record, its data aligned."""
    label = _name(name)
    head = _number(VERBATIM) + _number(len(data))
    before = start + 1 + LENGTH_BYTES + len(label)
    gap = -(before + len(head)) % ALIGNMENT
    if gap == 1:
        gap += ALIGNMENT
    padding = b"" if gap == 0 else _number(PADDING) + _number(gap - 2) + bytes(gap - 2)
    payload = label + padding + head + data
    return _number(FILE) + _long_number(len(payload)) + payload


def _directory(name: str, folder: Folder, start: int) -> bytes:
    label = _name(name)
    payload = label + _folder(folder, start + 1 + LENGTH_BYTES + len(label))
    return _number(DIRECTORY) + _long_number(len(payload)) + payload


def _long_number(value: int) -> bytes:
    short = _number(value)
    return b"\x80" * (LENGTH_BYTES - len(short)) + short


def _name(name: str) -> bytes:
    encoded = name.encode()
    return _number(len(encoded)) + encoded


def _read_number(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    while True:
        if at >= end:
            raise BoardError("the ROMFS image is damaged")
        value = value << 7 | data[at] & 0x7F
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def _records(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each record's payload."""
    while at < end:
        kind, at = _read_number(data, at, end)
        length, at = _read_number(data, at, end)
        if at + length > end or kind == 0:
            raise BoardError("the ROMFS image is damaged")
        yield kind, at, at + length
        at += length


def _read_folder(
    data: bytes, at: int, end: int, image: bytes, prefix: str, depth: int
) -> Iterator[tuple[str, bytes]]:
    if depth > MAX_DEPTH:
        raise BoardError("the ROMFS image is damaged")
    for kind, begin, stop in _records(data, at, end):
        if kind not in (FILE, DIRECTORY):
            continue
        length, begin = _read_number(data, begin, stop)
        name = prefix + data[begin : begin + length].decode(errors="replace")
        begin += length
        if kind == DIRECTORY:
            yield from _read_folder(data, begin, stop, image, name + "/", depth + 1)
        else:
            yield name, _read_data(data, begin, stop, image)


def _read_data(data: bytes, at: int, end: int, image: bytes) -> bytes:
    for kind, begin, stop in _records(data, at, end):
        if kind == VERBATIM:
            return data[begin:stop]
        if kind == POINTER:
            size, begin = _read_number(data, begin, stop)
            offset, _ = _read_number(data, begin, stop)
            if offset + size > len(image):
                raise BoardError("the ROMFS image is damaged")
            return image[offset : offset + size]
    return b""
