"""The self-test on the board, sent by the host: prints what the host compares with its own."""

import binascii
import gc
import os
import struct

import tinytrain


def crc32(data):
    """As binascii.crc32, which small firmwares lack."""
    if hasattr(binascii, "crc32"):
        return binascii.crc32(data)
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def make(weights):
    """A Trainer and its input; prints its description and the heap that is left."""
    global trainer, x
    trainer = tinytrain.Trainer(weights)
    x = bytearray(1)
    for dimension in trainer.input_shape:
        x = bytearray(len(x) * dimension)
    if "indices" in trainer.info():
        x = bytearray(len(x) * 4)
    gc.collect()
    print(trainer)
    print(gc.mem_free())


def predict():
    """Print the output's bytes."""
    output = memoryview(trainer.predict(x))
    for at in range(0, len(output), 64):
        print(binascii.hexlify(output[at : at + 64]).decode())


def step(y):
    """Print the bits of the loss."""
    print(struct.unpack("<I", struct.pack("<f", trainer.step(x, y)))[0])


def state():
    """Print length and CRC-32 of the trained parameters."""
    print(len(trainer.state), crc32(trainer.state) & 0xFFFFFFFF)


def forget(path):
    """Remove a checkpoint, and what a power cut may have left."""
    for name in (path, path + "~", path + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass


def checkpoint(path):
    """Save, forget, load and remove a checkpoint; print its length and CRC-32."""
    forget(path)
    print(trainer.save(path)[1])
    with open(path, "rb") as file:
        data = file.read()
    print(len(data), crc32(data) & 0xFFFFFFFF)
    trainer.reset()
    trainer.load(path)
    forget(path)


def end():
    """Leave the board as it was."""
    global trainer, x
    trainer.deinit()
    trainer = x = None
    gc.collect()
