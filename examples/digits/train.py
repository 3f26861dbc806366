"""Runs on the board: how well are digits recognised, learn some, how well now?

Reads digits.bin, one record a digit: the label, then 784 int8 values; the first TRAIN records are
learned, the others tested. demo.py runs the same loop in the simulator.
"""

import binascii
import gc
import time

from schedule import RATES, TEST, TRAIN

import tinytrain

record = bytearray(785)
x = memoryview(record)[1:]


def accuracy(trainer):
    """Share of the test digits that are recognised."""
    right = 0
    with open("digits.bin", "rb") as digits:
        digits.seek(TRAIN * len(record))
        for _ in range(TEST):
            digits.readinto(record)
            right += trainer.classify(x) == record[0]
    return right / TEST


def learn(trainer):
    """One pass over the training digits; returns milliseconds per step."""
    spent = 0
    loss = 0.0
    with open("digits.bin", "rb") as digits:
        for step in range(TRAIN):
            trainer.lr = RATES.get(step, trainer.lr)
            digits.readinto(record)
            start = time.ticks_us()
            loss += trainer.step(x, record[0])
            spent += time.ticks_diff(time.ticks_us(), start)
            if step % 40 == 39:
                print(f"  step {step + 1:3d}  mean loss {loss / 40:.3f}")
                loss = 0.0
    return spent / TRAIN / 1000


gc.collect()
print(f"heap free before     {gc.mem_free()} bytes")
trainer = tinytrain.Trainer("model.ttw")
print(trainer)
gc.collect()
free = gc.mem_free()
print(f"heap free, loaded    {free} bytes")
print(f"accuracy before      {100 * accuracy(trainer):.1f} %")
milliseconds = learn(trainer)
print(f"time per step        {milliseconds:.1f} ms")
print(f"accuracy after       {100 * accuracy(trainer):.1f} %")
gc.collect()
print(f"heap free, trained   {gc.mem_free()} bytes")
print(f"parameters           CRC-32 {binascii.crc32(trainer.state):08x}")
with open("state.bin", "wb") as file:
    file.write(trainer.state)
