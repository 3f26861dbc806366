"""Runs on the board: obeys commands.txt with the pictures of pictures.bin.

A line for each command: microseconds, answer. At the end checksums of what was learned and kept.
"""

import binascii
import gc
import time

import camera
import tinytrain

source = camera.Pictures("pictures.bin")


def make():
    """A camera as after a reset."""
    gc.collect()
    return camera.Camera(source, tinytrain.Trainer("model.ttw"))


device = make()
gc.collect()
print("free", gc.mem_free())
with open("commands.txt") as commands:
    for line in commands:
        command = line.strip()
        began = time.ticks_us()
        if command == "power cut":
            device = None
            device = make()
            said = "again"
        else:
            said = device.obey(command)
        print(time.ticks_diff(time.ticks_us(), began), said)
records = device.learner.memory.records
print(binascii.crc32(device.learner.trainer.state), binascii.crc32(records.data))
