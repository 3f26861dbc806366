"""Runs on the board: obeys commands.txt with the pictures of pictures.bin.

A line for each command: microseconds, answer. At the end checksums of what was learned and kept.
"""

import binascii
import gc
import time

import tinytrain

gc.collect()
trainer = tinytrain.Trainer("model.ttw")  # first: it wants its memory in one piece

import camera  # noqa: E402

source = camera.Pictures("pictures.bin")


def make(each):
    """A camera as after a reset."""
    trainer.reset()
    gc.collect()
    return camera.Camera(source, trainer, each)


with open("commands.txt") as commands:
    each = int(commands.readline())
    device = make(each)
    gc.collect()
    print("free", gc.mem_free())
    for line in commands:
        command = line.strip()
        began = time.ticks_us()
        if command == "power cut":
            device = None
            device = make(each)
            said = "again"
        else:
            said = device.obey(command)
        print(time.ticks_diff(time.ticks_us(), began), said)
print(binascii.crc32(trainer.state), device.learner.memory.records.checksum())
