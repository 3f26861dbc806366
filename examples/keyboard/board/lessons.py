"""What is learned from what is typed, and in which order. Runs on the board and on the host.

The order depends on the characters typed alone, not on time: so the simulator, given the same
characters, arrives at the same parameters.
"""

from array import array

import keyrows

NEW, OWN, GENERAL = 0, 1, 2
# after each character: it, some that were typed before, general text
LESSONS = (NEW, OWN, OWN, GENERAL, OWN, OWN, GENERAL)
LAG = 8  # so many of the last characters may still be corrected, and are not yet learned
KEEP = 8192  # characters that are rehearsed; older ones are overwritten
WAITING = 256  # characters that may wait to be learned; if more do, the oldest are left out
# learning rates until so many steps, and from then on; these fractions are exact in every float
RATES, LAST_RATE = ((20_000, 7 / 2048), (60_000, 5 / 2048)), 3 / 2048


class Memory:
    """The last characters typed, as codes, in RAM and nowhere else."""

    def __init__(self):
        self.codes = bytearray(keyrows.REACH + KEEP + 2 * WAITING)
        self.clear()

    def clear(self):
        """Forget all of them."""
        self.codes[:] = bytes((keyrows.NEWLINE,)) * len(self.codes)
        self.end = keyrows.REACH  # where the next one goes
        self.first = -keyrows.REACH  # the number of the character at the beginning

    def append(self, code):
        """One more."""
        if self.end == len(self.codes):
            view, rest = memoryview(self.codes), self.end - WAITING
            view[:rest] = view[WAITING:]
            self.end, self.first = rest, self.first + WAITING
        self.codes[self.end] = code
        self.end += 1

    def remove(self):
        """Take the last one back."""
        self.end -= 1
        self.codes[self.end] = keyrows.NEWLINE

    def count(self):
        """How many were typed."""
        return self.first + self.end

    def at(self, number):
        """Where in `codes` character `number` is."""
        return number - self.first


class Sample:
    """General text to rehearse: codes in a file, read where they are needed."""

    def __init__(self, name):
        self.file = open(name, "rb")
        self.window = bytearray(keyrows.REACH + 1)
        self.size = self.file.seek(0, 2) - len(self.window)

    def read(self, place):
        """A character, at the end of `window`, and what comes before it; `place`: 0 .. 65535."""
        self.file.seek(place * self.size >> 16)
        self.file.readinto(self.window)
        return self.window


class Learner:
    """Lessons for a Trainer: `x` and `y` after each `next()` that is true."""

    def __init__(self, sample, lessons=LESSONS):
        self.sample, self.lessons = sample, lessons
        self.memory = Memory()
        self.x = array("i", [0] * keyrows.INPUTS)
        self.forget()

    def forget(self):
        """Everything that was typed."""
        self.memory.clear()
        self.learned = self.lesson = self.left_out = 0  # characters; lessons of the next one
        self.random = 1

    def typed(self, code):
        """A key was pressed."""
        self.memory.append(code)
        if self.memory.count() - self.learned > WAITING:
            self.learned += 1
            self.lesson = 0
            self.left_out += 1

    def backspace(self):
        """Take the last character back; False if it is learned already."""
        if self.memory.count() <= self.learned + (self.lesson > 0):
            return False
        self.memory.remove()
        return True

    def waiting(self):
        """Characters that can be learned now."""
        return max(0, self.memory.count() - LAG - self.learned)

    def next(self):
        """Prepare the next lesson; False if there is none."""
        if not self.waiting():
            return False
        kind = self.lessons[self.lesson]
        if kind == GENERAL:
            window = self.sample.read(self.draw())
            self._prepare(window, keyrows.REACH)
        else:
            number = self.learned
            if kind == OWN:
                number -= self.draw() * min(number + 1, KEEP) >> 16
            self._prepare(self.memory.codes, self.memory.at(number))
        self.lesson += 1
        if self.lesson == len(self.lessons):
            self.lesson = 0
            self.learned += 1
        return True

    def draw(self):
        """A number 0 .. 65535, from a generator that board and host share."""
        self.random = (self.random * keyrows.FACTOR + 6925) & 0xFFFF
        return self.random

    def _prepare(self, codes, at):
        keyrows.rows(codes, at, self.x)
        self.y = codes[at]


def rate(steps):
    """The learning rate after so many steps."""
    for end, value in RATES:
        if steps < end:
            return value
    return LAST_RATE
