"""Runs on the board: training steps on made-up images."""

import binascii
import gc
import struct
import time


def run(t, x, out, n):
    """Print losses (their bits), checksums of an output and of the state; then what is free, and
    the microseconds of the longest step."""
    losses, longest = [], 0
    for step in range(n):
        for i in range(len(x)):
            x[i] = (i * (37 + step) + (i * i >> 7)) & 255
        began = time.ticks_us()
        loss = t.step(x, step)
        longest = max(longest, time.ticks_diff(time.ticks_us(), began))
        losses.append(struct.unpack("<I", struct.pack("<f", loss))[0])
    t.predict(x, out)
    print(losses, binascii.crc32(out), binascii.crc32(t.state))
    gc.collect()
    print(gc.mem_free(), longest)
