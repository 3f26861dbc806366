"""save and load on real MicroPython: files, block devices, and what is no checkpoint."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path

import drive
import pytest
import tiny_model

from tinytrain.codegen.checkpoint_file import Checkpoint
from tinytrain.sim import checkpoint as host

Tiny = Callable[[str], Path]

pytestmark = pytest.mark.parametrize(
    "board", ["unix", pytest.param("m0", marks=pytest.mark.slow), "pico"], indirect=True
)

SIZE = tiny_model.STATE_BYTES

# A block device in memory, for both Pythons: NOR flash if it has large blocks.
DEVICE = """
class Device:
    def __init__(self, size, count):
        self.size, self.count = size, count
        self.data = bytearray(size * count)
        self.log = []
    def ioctl(self, operation, argument):
        if operation == 4:
            return self.count
        if operation == 5:
            return self.size
        if operation == 6:
            self.log.append(("erase", argument))
            at = argument * self.size
            self.data[at:at + self.size] = b"\\xff" * self.size
        return 0
    def readblocks(self, block, buffer, offset=0):
        at = block * self.size + offset
        buffer[:] = self.data[at:at + len(buffer)]
    def writeblocks(self, block, buffer, offset=None):
        self.log.append((block, offset, len(buffer)))
        at = block * self.size + (offset or 0)
        if offset is None:
            self.data[at:at + len(buffer)] = buffer
        else:
            for i, byte in enumerate(buffer):
                self.data[at + i] &= byte
"""

PREAMBLE = (
    DEVICE
    + """
import binascii, gc, os, tinytrain
from tinytrain import Trainer
t = Trainer("model.ttw")
def fill(n):
    for i in range(len(t.state)):
        t.state[i] = (i * n + (n >> 3)) & 255
def crc(data):
    return binascii.crc32(data)
def read(name):
    with open(name, "rb") as f:
        return f.read()
def write(name, data):
    with open(name, "wb") as f:
        f.write(data)
def refused(f):
    before = crc(t.state)
    try:
        return f()
    except Exception as error:
        assert crc(t.state) == before, "the state has changed"
        return type(error).__name__ + ": " + str(error)
"""
)


def filled(n: int) -> bytes:
    return bytes((i * n + (n >> 3)) & 255 for i in range(SIZE))


def stored(sequence: int, state: bytes) -> bytes:
    return Checkpoint(tiny_model.STATE_HASH, sequence, state).to_bytes()


def run(board: str, tiny: Tiny, script: str, put: list[Path] | None = None) -> list[str]:
    folder = tiny(drive.targets()[board].arch)
    files = [folder / "tinytrain.mpy", folder / "model.ttw", *(put or [])]
    result = drive.run(board, PREAMBLE + script, put=files)
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout.splitlines()


def test_files_are_the_hosts_byte_for_byte(board: str, tiny: Tiny) -> None:
    script = """
print(refused(lambda: t.load("a.tts")))
os.mkdir("deeper")
for place in ("", "deeper/", os.getcwd().rstrip("/") + "/"):
    path = place + "a.tts"
    for n in range(3, 8):
        fill(n)
        assert t.save(path) == (path, n - 2)
    print(crc(read(path)), crc(read(path + "~")), sorted(os.listdir(place.rstrip("/") or ".")))
    t.reset()
    assert t.load(path) == (path, 5)
    print(crc(t.state))
    os.remove(path)
    assert t.load(path) == (path + "~", 4)
    assert t.save(path) == (path, 5) and t.save(path) == (path, 6)
    os.remove(path), os.remove(path + "~")
"""
    first, *lines = run(board, tiny, script)
    assert first == "OSError: 2" or "ENOENT" in first
    for place in range(3):
        files, state = lines[2 * place : 2 * place + 2]
        newest, older, names = files.split(" ", 2)
        assert int(newest) == zlib.crc32(stored(5, filled(7)))
        assert int(older) == zlib.crc32(stored(4, filled(6)))
        assert "'a.tts', 'a.tts~'" in names and ".new" not in names
        assert int(state) == zlib.crc32(filled(7))


@pytest.mark.parametrize(("size", "count"), [(4096, 4), (512, 2), (64, 13), (1024, 2)])
def test_block_devices_are_the_hosts_byte_for_byte(
    board: str, tiny: Tiny, size: int, count: int
) -> None:
    script = f"""
d = Device({size}, {count})
print(refused(lambda: t.load(d)))
for n in range(3, 8):
    fill(n)
    assert t.save(d) == ((n - 3) % 2, n - 2)
print(crc(d.data), d.log)
t.reset()
print(t.load(d), crc(t.state))
"""
    empty, after, loaded = run(board, tiny, script)
    assert empty == "OSError: 2" or "ENOENT" in empty
    names: dict[str, type] = {}
    exec(DEVICE, names)
    device = names["Device"](size, count)
    for n in range(3, 8):
        host.save(device, tiny_model.STATE_HASH, filled(n))
    assert after == f"{zlib.crc32(device.data)} {device.log}"
    assert loaded == f"(0, 5) {zlib.crc32(filled(7))}"
    assert host.load(device, tiny_model.STATE_HASH, SIZE) == ((0, 5), filled(7))


def test_what_is_no_checkpoint_of_ours_changes_nothing(
    board: str, tiny: Tiny, tmp_path: Path
) -> None:
    right = stored(7, filled(9))
    version = bytearray(right[:28])
    version[4] = 2
    files = {
        "other": b"hello, this is some other file and long enough",
        "empty": b"",
        "short": right[:31],
        "cut": right[:-1],
        "flipped": right[:100] + bytes([right[100] ^ 16]) + right[101:],
        "header": right[:17] + b"\x01" + right[18:],
        "newer": bytes(version) + zlib.crc32(version).to_bytes(4, "little") + right[32:],
        "foreign": Checkpoint(tiny_model.STATE_HASH ^ 1, 7, filled(9)).to_bytes(),
        "longer": Checkpoint(tiny_model.STATE_HASH, 7, filled(9) + b"x").to_bytes(),
        "huge": Checkpoint(tiny_model.STATE_HASH, 7, filled(9) * 9).to_bytes(),
        "tail": right + b"something behind",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    script = f"""
fill(5)
for name in {list(files)}:
    print(name, refused(lambda: t.load(name)))
print(crc(t.state) == {zlib.crc32(filled(9))})
for name in ("other", "cut", "foreign"):
    write(name + "~", read("tail"))
    print(refused(lambda: t.load(name)))
    assert t.save(name) == (name, 8)
    os.remove(name + "~")
    assert t.load(name) == (name, 8)
print(refused(lambda: t.load("nowhere/a.tts"))[:7], refused(lambda: t.save("nowhere/a.tts"))[:7])
for wrong in (None, 5, b"a.tts", [1]):
    print(refused(lambda: t.load(wrong)), refused(lambda: t.save(wrong)))
for size, count in ((4096, 1), (64, 5), (16, 100), (1000, 10), (0, 10), (-512, 10)):
    message = refused(lambda: t.save(Device(0, 0) if size < 0 else Device(size, count)))
    assert message.startswith("ValueError: 2 slots of 184 bytes"), message
class Failing(Device):
    def writeblocks(self, *args):
        return -5
print(refused(lambda: t.save(Failing(512, 2)))[:7])
class Using(Device):
    used = False
    def writeblocks(self, *args):
        super().writeblocks(*args)
        if self.used:
            t.step(bytes(16), 1)
d = Using(64, 12)
t.save(d)
saved = crc(t.state)
d.used = True
try:
    t.save(d)
except RuntimeError as error:
    print(error)
print(t.load(d), crc(t.state) == saved)
"""
    lines = run(board, tiny, script, [tmp_path / name for name in files])
    said = dict(line.split(" ", 1) for line in lines[: len(files)])
    damaged = "ValueError: checkpoint: damaged (cut short, or CRC differs)"
    foreign = "ValueError: checkpoint: of another model or update scheme"
    assert said == {
        **dict.fromkeys(("other", "empty", "short"), "ValueError: checkpoint: not a .tts file"),
        **dict.fromkeys(("cut", "flipped", "header"), damaged),
        "newer": "ValueError: checkpoint: of another version",
        **dict.fromkeys(("foreign", "longer", "huge"), foreign),
        "tail": "('tail', 7)",
    }
    wrong = "TypeError: path or block device expected"
    assert lines[len(files) :] == [
        "True",
        *(f"('{name}~', 7)" for name in ("other", "cut", "foreign")),
        "OSError OSError",
        *[f"{wrong} {wrong}"] * 4,
        "OSError",
        "save given up: the state has changed meanwhile",
        "(0, 1) True",
    ]


def test_sequence_numbers_wrap_around(board: str, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(stored(0xFFFFFFFE, filled(3)))
    script = """
t.load("a")
print(t.save("a"), t.save("a"), t.save("a"), t.load("a"))
os.remove("a")
print(t.load("a"))
"""
    assert run(board, tiny, script, [tmp_path / "a"]) == [
        "('a', 4294967295) ('a', 0) ('a', 1) ('a', 1)",
        "('a~', 0)",
    ]


def test_hostile_files(board: str, tiny: Tiny, tmp_path: Path) -> None:
    """Bits flipped, cut, made longer, spliced: every load gives the old, the new, or a refusal."""
    (tmp_path / "a").write_bytes(stored(7, filled(9)))
    count = {"unix": 3000, "m0": 60, "pico": 60}[board]
    script = f"""
right = read("a")
seed = {random.Random(4).randrange(1 << 30)}
def rand(n):
    global seed
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return (seed >> 8) % n
d = Device(64, 12)
fill(5)
old, outcomes = crc(t.state), {{}}
for _ in range({count}):
    wrong = bytearray(right)
    kind = rand(4)
    if kind == 0:
        for _ in range(1 + rand(3)):
            wrong[rand(len(wrong))] ^= 1 << rand(8)
    elif kind == 1:
        wrong = wrong[:rand(len(wrong))]
    elif kind == 2:
        at = rand(32)
        for i in range(rand(8)):
            wrong[(at + i) % 32] = rand(256)
    else:
        at = rand(len(wrong))
        wrong[at:at + rand(40)] = bytes(rand(40))
    if rand(2):
        write("b", wrong)
        where = "b"
    else:
        wrong += bytes(384)
        d.data[:384] = wrong[:384]
        where = d
    result = refused(lambda: t.load(where))
    if isinstance(result, tuple):
        assert wrong[:len(right)] == right
        assert crc(t.state) == {zlib.crc32(filled(9))}
        fill(5)
        result = "loaded"
    assert crc(t.state) == old
    result = result.split(":")[0]
    outcomes[result] = outcomes.get(result, 0) + 1
print(sorted(outcomes))
"""
    (line,) = run(board, tiny, script, [tmp_path / "a"])
    assert "ValueError" in line
    assert set(eval(line)) <= {"ValueError", "OSError", "loaded"}


def test_interrupted_loads(board: str, tmp_path: Path) -> None:
    """With an arena too small to check the state in, a load that ends half-way must be seen."""
    tiny_model.build(tmp_path, drive.targets()[board].arch, TT_STATE_BYTES=600, TT_ARENA_BYTES=184)
    script = """
class Stopping(Device):
    left = 1000
    def readblocks(self, *args):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        super().readblocks(*args)
d = Stopping(256, 6)
fill(5)
new = crc(t.state)
t.save(d)
fill(3)
seen = set()
for stop in range(20):
    d.left = stop
    try:
        t.load(d)
        seen.add("loaded")
        assert crc(t.state) == new
    except KeyboardInterrupt:
        try:
            t.predict(bytes(16))
            seen.add("as before")
        except ValueError as error:
            seen.add(str(error))
            t.reset()
        t.reset()
print(sorted(seen))
class Changing(Device):
    reads = 0
    def readblocks(self, *args):
        self.reads += 1
        super().readblocks(*args)
        if self.reads > 6:
            args[1][0] ^= 1
c = Changing(256, 6)
c.data[:] = d.data
t.reset()
fresh = crc(t.state)
fill(9)
try:
    t.load(c)
except OSError:
    print(crc(t.state) == fresh)
"""
    assert run(board, lambda target: tmp_path, script) == [
        "['as before', 'load was interrupted: load again, or reset', 'loaded']",
        "True",
    ]


def test_a_save_gives_a_step_up(board: str, tiny: Tiny) -> None:
    """What it stores are whole parameters, and the next step has the number of the one given up."""
    script = """
x = bytes(range(16))
for n in range(12):
    t.reset()
    slices = t.slices(x, 1, budget_us=1)
    for _ in range(n):
        if next(slices) is not None:
            break
    else:
        t.save("a")
        state = bytes(t.state)
        try:
            next(slices)
            print("went on")
        except RuntimeError:
            pass
        assert t.state == state and state[:4] == bytes(4)
        t.reset()
        t.load("a")
        assert t.state == state
print("done")
"""
    assert run(board, tiny, script) == ["done"]


@pytest.mark.parametrize("sizes", [{}, {"TT_STATE_BYTES": 600}], ids=["staged", "read twice"])
def test_block_devices_that_use_the_trainer(
    board: str, tmp_path: Path, sizes: dict[str, int]
) -> None:
    """Whatever it does, at whichever call: an exception, or as if it had done nothing."""
    tiny_model.build(tmp_path, drive.targets()[board].arch, **sizes)
    script = """
x = bytes(range(16))
class Meddling(Device):
    at = -1
    def act(self):
        self.at -= 1
        if self.at == -1:
            self.what()
    def readblocks(self, *args):
        super().readblocks(*args)
        self.act()
    def writeblocks(self, *args):
        super().writeblocks(*args)
        self.act()
    def ioctl(self, *args):
        self.act()
        return super().ioctl(*args)
def close():
    t.deinit()
    gc.collect()
    for i in range(20):
        bytearray(1000)
    gc.collect()
def load_again():
    d.at = -1
    t.load(d)
def step():
    t.step(x, 1)
def reset():
    t.reset()
def save():
    t.save(d)
def load():
    t.load(d)
def state(f):
    f()
    return bytes(t.state)
d = Meddling(1024, 2)
known = [state(reset), state(step), state(save) and state(step), state(step)]
new = known[2]
stored = bytes(d.data)
def meddle(f, what):
    global t
    for call in range(100):
        t = Trainer("model.ttw")
        t.state[:] = new
        d.data[:] = stored
        d.what, d.at = what, call
        try:
            f()
            end = "done"
        except RuntimeError as error:
            end = str(error).split(":")[0]
        except ValueError:  # the load is half-way
            end = "torn"
        if d.at >= 0:  # all calls of the device were met
            return
        ends.add((f.__name__, what.__name__, end))
        if what is close or end == "torn":
            t = Trainer("model.ttw")
        assert t.state in known, (f, what, call)
        t.predict(x)
        t.load(d)
        assert t.state in known, (f, what, call)
ends = set()
for f in (save, load):
    for what in (step, reset, close, load_again):
        meddle(f, what)
for end in sorted(ends):
    print(*end)
"""
    lines = run(board, lambda target: tmp_path, script)
    pairs = {(f, w) for f in ("save", "load") for w in ("step", "reset", "close", "load_again")}
    ends = {tuple(line.split(" ", 2)) for line in lines}
    given_up = {(f, w, f"{f} given up") for f, w in pairs}
    torn = {("load", "step", "torn")} if sizes else set()
    assert given_up | torn <= ends <= given_up | torn | {(f, w, "done") for f, w in pairs}


def test_a_full_disk_keeps_what_it_has(board: str, tiny: Tiny) -> None:
    script = """
import vfs
d = Device(512, 80)
for kind in (vfs.VfsLfs2, getattr(vfs, "VfsFat", None)):
    if kind is None:  # not in every firmware
        continue
    kind.mkfs(d)
    vfs.mount(kind(d), "/f")
    fill(3)
    t.save("/f/a")
    old = crc(t.state)
    try:
        with open("/f/junk", "wb") as junk:
            while True:
                d.log.clear()
                junk.write(bytes(512))
    except OSError:
        pass
    fill(5)
    states, saved = (old, crc(t.state)), True
    try:
        t.save("/f/a")
    except OSError:
        saved = False
    assert "a.new" not in os.listdir("/f"), os.listdir("/f")
    t.load("/f/a")
    assert crc(t.state) == states[saved]
    os.remove("/f/junk")
    fill(5)
    t.save("/f/a")
    t.reset()
    t.load("/f/a")
    assert crc(t.state) == states[1]
    for name in ("", "/", "/f/", "/f/a/b"):
        print(refused(lambda: t.save(name))[:7], refused(lambda: t.load(name))[:7])
    vfs.umount("/f")
print(sorted(os.listdir()))
"""
    *refused, names = run(board, tiny, script)
    assert set(refused) == {"OSError OSError"}
    assert ".new" not in names
