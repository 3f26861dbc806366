"""Power cuts during a save: at every flash operation of the Pico, whole and half-done.

The emulated Pico keeps a journal of its flash operations. Each prefix of it, with the next one left
out or half-done, is the flash after a power cut at that place. What load makes of it is asked on
the unix port, which mounts the same LittleFS; two are booted on the Pico itself, in the slow test
those after every whole operation and some torn ones.
"""

from __future__ import annotations

import random
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import drive
import pytest
import tiny_model

from tinytrain.backend.connection import connect

from .test_checkpoint import DEVICE

Runner = Callable[..., drive.Result]

FLASH_BYTES, SECTOR = 2 << 20, 4096
# the bed's ROMFS partition serves as raw flash; then the LittleFS
ROM, ROM_BYTES = (int(word, 0) for word in drive.targets()["pico"].romfs.split(":"))
DISK = ROM + ROM_BYTES

# state bytes: LittleFS keeps the first inside its metadata, the second in blocks of its own
SIZES = (tiny_model.STATE_BYTES, 9000)

COMMON = """
import binascii
from tinytrain import Trainer
t = Trainer("model.ttw")
def fill(n):
    for i in range(len(t.state)):
        t.state[i] = (i * n + (n >> 3)) & 255
def crc():
    return binascii.crc32(t.state)
"""

# The flash as a block device: a base image in a file, and the sectors that differ.
CHECK = f"ROM, ROM_BYTES, DISK, DISK_BYTES = {ROM}, {ROM_BYTES}, {DISK}, {FLASH_BYTES - DISK}"
CHECK += """
import os, struct, vfs
class Flash:
    def __init__(self, start, length, sectors):
        self.start, self.length, self.sectors = start, length, dict(sectors)
    def sector(self, n):
        n += self.start // 4096
        if n not in self.sectors:
            image.seek(n * 4096)
            self.sectors[n] = bytearray(image.read(4096))
        return self.sectors[n]
    def readblocks(self, block, buffer, offset=0):
        done = 0
        while done < len(buffer):
            n, at = divmod(block * 4096 + offset + done, 4096)
            piece = memoryview(self.sector(n))[at:at + len(buffer) - done]
            buffer[done:done + len(piece)] = piece
            done += len(piece)
    def writeblocks(self, block, buffer, offset=0):
        done = 0
        while done < len(buffer):
            n, at = divmod(block * 4096 + offset + done, 4096)
            sector = self.sector(n)
            while done < len(buffer) and at < 4096:
                sector[at] &= buffer[done]
                at += 1
                done += 1
    def ioctl(self, operation, argument):
        if operation == 4:
            return self.length // 4096
        if operation == 5:
            return 4096
        if operation == 6:
            self.sector(argument)[:] = b"\\xff" * 4096
        return 0
image = open("base.img", "rb")
cuts = open("cuts.bin", "rb")
def check(where):
    try:
        which, number = t.load(where)
        loaded = crc()
    except (OSError, ValueError) as error:
        return repr(error)
    fill(31)  # and the next save works as if nothing had happened
    after = crc()
    assert t.save(where)[1] == number + 1
    t.reset()
    assert t.load(where)[1] == number + 1 and crc() == after
    return loaded
while True:
    head = cuts.read(2)
    if not head:
        break
    sectors = {}
    for _ in range(head[1]):
        (n,) = struct.unpack("<I", cuts.read(4))
        sectors[n] = bytearray(cuts.read(4096))
    if head[0]:
        print(check(Flash(ROM, ROM_BYTES, sectors)))
    else:
        vfs.mount(vfs.VfsLfs2(Flash(DISK, DISK_BYTES, sectors), progsize=256), "/cut")
        print(check("/cut/a.tts"))
        vfs.umount("/cut")
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """One erase or program of the flash."""

    kind: str
    address: int
    length: int
    data: bytes

    def apply(self, flash: bytearray, torn: random.Random | None = None) -> None:
        """Do it; or, torn, only begin: some of the bits have changed, the others not."""
        for i in range(self.length):
            at = self.address + i
            if self.kind == "P":
                at = (self.address & ~255) + ((self.address + i) & 255)
            target = 0xFF if self.kind == "E" else flash[at] & self.data[i]
            mask = 0xFF if torn is None else torn.choice((0, 0xFF, torn.randrange(256)))
            flash[at] = flash[at] & ~mask | target & mask

    def halve(self) -> Operation:
        """The first half of the bytes."""
        return Operation(self.kind, self.address, self.length // 2, self.data[: self.length // 2])


def read_journal(path: Path) -> Iterator[Operation]:
    data, at = path.read_bytes(), 0
    while at < len(data):
        kind, address, length = struct.unpack_from("<cII", data, at)
        at += 9
        body = data[at : at + length] if kind == b"P" else b""
        at += len(body)
        yield Operation(kind.decode(), address, length, body)


@dataclass(frozen=True, slots=True)
class Save:
    """A save on the Pico: the flash before it, its operations, and the CRCs of both states."""

    before: bytes
    operations: Sequence[Operation]
    old: int
    new: int

    def cuts(self) -> Iterator[tuple[int, bytearray]]:
        """Number of operations done, and the flash after a power cut in what follows."""
        flash, rng = bytearray(self.before), random.Random(1)
        for done, operation in enumerate(self.operations):
            yield done, bytearray(flash)
            for torn in range(3):
                half = bytearray(flash)
                if torn:
                    operation.apply(half, rng)
                else:
                    operation.halve().apply(half)
                yield done, half
            operation.apply(flash)
        yield len(self.operations), flash


def record(board_name: str, folder: Path, size: int, where: str) -> Save:
    """Save twice before, so that both slots are there, and once with the journal read."""
    tiny_model.build(folder, "armv6m", TT_STATE_BYTES=size)
    shutil.copy(drive.find(board_name).out / "flash.img", folder / "flash.img")
    flash = bytearray((folder / "flash.img").read_bytes())
    journal = folder / "journal"
    with (
        drive.serve(board_name, flash=folder / "flash.img", journal=journal) as port,
        connect(port) as board,
    ):
        for name in ("tinytrain.mpy", "model.ttw"):
            board.write_file(name, (folder / name).read_bytes())
        board.run(COMMON + f"import vfs\nwhere = {where}", "making a Trainer", 300)
        if where.startswith("vfs"):  # what an image of /rom left there
            board.run("for i in range(64): where.ioctl(6, i)", "erasing", 300)
        board.run("fill(3)\nt.save(where)\nfill(4)\nt.save(where)", "saving", 300)
        old = int(board.run("print(crc())", "asking"))
        earlier = list(read_journal(journal))
        board.run("fill(5)\nt.save(where)", "saving", 300)
        new = int(board.run("print(crc())", "asking"))
        operations = list(read_journal(journal))[len(earlier) :]
    for operation in earlier:
        operation.apply(flash)
    assert old != new and len(operations) >= 2
    return Save(bytes(flash), operations, old, new)


def ask_unix(run_on: Runner, folder: Path, save: Save, size: int, raw: bool) -> list[str]:
    """What load gives after each cut, on the unix port."""
    place = folder / "unix"
    tiny_model.build(place, "x64", TT_STATE_BYTES=size)
    (place / "base.img").write_bytes(save.before)
    with (place / "cuts.bin").open("wb") as file:
        for _, flash in save.cuts():
            changed = [
                n
                for n in range(ROM // SECTOR, FLASH_BYTES // SECTOR)
                if flash[n * SECTOR : (n + 1) * SECTOR]
                != save.before[n * SECTOR : (n + 1) * SECTOR]
            ]
            file.write(bytes([raw, len(changed)]))
            for n in changed:
                file.write(struct.pack("<I", n) + flash[n * SECTOR : (n + 1) * SECTOR])
    files = [place / name for name in ("tinytrain.mpy", "model.ttw", "base.img", "cuts.bin")]
    result = run_on("unix", COMMON + CHECK, put=files)
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout.split("\n")[:-1]


def boot(folder: Path, flash: bytes, where: str) -> int:
    """The CRC of what a Pico loads that starts with this flash."""
    image = folder / "cut.img"
    image.write_bytes(flash)
    with drive.serve("pico", flash=image) as port, connect(port) as board:
        board.run(COMMON + f"import vfs\nt.load({where})", "loading", 300)
        return int(board.run("print(crc())", "asking"))


def check(
    target: str, run_on: Runner, folder: Path, size: int, where: str, *, all_booted: bool
) -> None:
    save = record(target, folder, size, where)
    said = ask_unix(run_on, folder, save, size, raw=where.startswith("vfs"))
    done = [number for number, _ in save.cuts()]
    assert len(said) == len(done)
    old, new = str(save.old), str(save.new)
    assert set(said) == {old, new}, set(said) - {old, new}
    assert said[0] == old and said[-1] == new
    whole = [i for i in range(len(done)) if i == 0 or done[i] != done[i - 1]]
    order = [said[i] for i in whole]
    assert order == sorted(order, key=[old, new].index)  # once there, the new one stays
    turning = said.index(new)
    chosen = {turning - 1, turning}
    if all_booted:
        chosen |= {*whole, *random.Random(2).sample(range(len(done)), 10)}
    for i, (_, flash) in enumerate(save.cuts()):
        if i in chosen:
            assert str(boot(folder, flash, where)) == said[i], f"cut {i}"


RAW = "vfs.rom_ioctl(2, 0)"


on_the_pico = pytest.mark.parametrize("board", ["pico"], indirect=True)
both_ways = pytest.mark.parametrize("where", ["'a.tts'", RAW], ids=["file", "raw"])


@on_the_pico
@both_ways
@pytest.mark.parametrize("size", SIZES)
def test_every_cut_leaves_the_old_or_the_new(
    board: str, where: str, size: int, run_on: Runner, tmp_path: Path
) -> None:
    check(board, run_on, tmp_path, size, where, all_booted=False)


@pytest.mark.slow
@on_the_pico
@both_ways
def test_a_pico_boots_from_every_cut(
    board: str, where: str, run_on: Runner, tmp_path: Path
) -> None:
    check(board, run_on, tmp_path, 9000, where, all_booted=True)


def test_a_torn_operation_is_between_nothing_and_all() -> None:
    before = bytes(range(256))
    program = Operation("P", 0, 256, bytes(256 - i & 255 for i in range(256)))
    whole, half = bytearray(before), bytearray(before)
    program.apply(whole)
    program.apply(half, random.Random(3))
    assert whole == bytes(a & b for a, b in zip(before, program.data, strict=True))
    assert half not in (whole, before)
    assert all(h & ~b == 0 and w & ~h == 0 for h, b, w in zip(half, before, whole, strict=True))
    assert zlib.crc32(half) != zlib.crc32(whole)


FAT = """
import vfs
class Disk(Device):
    writes = None
    def writeblocks(self, block, buffer, offset=None):
        if self.writes is not None:
            self.writes.append((block, bytes(buffer)))
        super().writeblocks(block, buffer, offset)
d = Disk(512, 160)
vfs.VfsFat.mkfs(d)
vfs.mount(vfs.VfsFat(d), "/fat")
for n in (3, 4):
    fill(n)
    t.save("/fat/a.tts")
old = crc()
before, d.writes = bytes(d.data), []
fill(5)
t.save("/fat/a.tts")
new = crc()
vfs.umount("/fat")
seen = []
for cut in range(len(d.writes) + 1):
    c = Device(512, 160)
    c.data[:] = before
    for block, data in d.writes[:cut]:
        c.writeblocks(block, data)
    vfs.mount(vfs.VfsFat(c), "/cut")
    t.load("/cut/a.tts")
    seen.append(crc())
    fill(7)
    t.save("/cut/a.tts")
    t.reset()
    t.load("/cut/a.tts")
    assert bytes(t.state[:9]) == bytes((i * 7) & 255 for i in range(9))
    vfs.umount("/cut")
print(len(d.writes), set(seen) == {old, new}, seen[0] == old, seen[-1] == new)
"""


def test_every_sector_written_to_fat(run_on: Runner, tmp_path: Path) -> None:
    """FAT's rename is not atomic; two slots keep what one loses."""
    tiny_model.build(tmp_path, "x64")
    put = [tmp_path / name for name in ("tinytrain.mpy", "model.ttw")]
    result = run_on("unix", COMMON + DEVICE + FAT, put=put)
    assert result.returncode == 0, result.stderr
    count, *right = result.stdout.split()
    assert int(count) > 5 and right == ["True"] * 3
