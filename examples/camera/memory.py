"""The rehearsal memory: latents of all classes, so that old ones are learned along with new ones.

Runs on the board and on the host alike.
"""

import binascii
import os


class Dice:
    """Small random numbers, the same everywhere; without big integers, which would need memory."""

    def __init__(self, seed=1):
        self.seed = seed % 65536

    def roll(self, sides):
        """0 .. sides - 1, for up to 65,536 sides."""
        self.seed = (self.seed * 75 + 74) % 65537
        return self.seed % sides


class Block:
    """Latents in RAM, `each` of every class: a block for a class, taken when it is first shown."""

    def __init__(self, classes, each, size):
        self.each, self.size = each, size
        self.blocks = [None] * classes

    def read(self, label, place, latent):
        """Fill `latent` with the one at that place of a class."""
        latent[:] = self.blocks[label][place * self.size : (place + 1) * self.size]

    def write(self, label, place, latent):
        """Store it."""
        self._take(label)[place * self.size : (place + 1) * self.size] = latent

    def _take(self, label):
        if self.blocks[label] is None:
            self.blocks[label] = memoryview(bytearray(self.each * self.size))
        return self.blocks[label]

    def save(self, path, labels):
        """Those of some classes to a file, which has the old or the new ones whatever happens."""
        with open(path + ".new", "wb") as file:
            for label in labels:
                file.write(self.blocks[label])
        rename(path + ".new", path)

    def load(self, path, labels):
        """Those of these classes from a file."""
        with open(path, "rb") as file:
            for label in labels:
                if file.readinto(self._take(label)) != self.each * self.size:
                    raise ValueError(path + " has another size")

    def checksum(self):
        """Of all of them."""
        crc = 0
        for block in self.blocks:
            crc = binascii.crc32(block or b"", crc)
        return crc


class Records:
    """The same in a file, for memories that RAM cannot hold; what is written is there to stay."""

    def __init__(self, path, classes, each, size):
        self.each, self.size = each, size
        try:
            self.file = open(path, "r+b")
        except OSError:
            with open(path, "wb") as file:
                for _ in range(classes * each):
                    file.write(bytes(size))
            self.file = open(path, "r+b")

    def read(self, label, place, latent):
        """Fill `latent` with the one at that place of a class."""
        self.file.seek((label * self.each + place) * self.size)
        self.file.readinto(latent)

    def write(self, label, place, latent):
        """Store it."""
        self.file.seek((label * self.each + place) * self.size)
        self.file.write(latent)

    def save(self, path, labels):
        """What was written reaches the flash."""
        self.file.flush()

    def load(self, path, labels):
        """Nothing to be done."""


class Memory:
    """Up to `each` latents of every class, a fair sample of all that were shown.

    records: a Block or Records for as many.
    """

    def __init__(self, records, classes, each, seed=1):
        self.records, self.each = records, each
        self.seen = [0] * classes
        self.dice = Dice(seed)

    def kept(self, label):
        """How many there are of a class."""
        return min(self.seen[label], self.each)

    def known(self):
        """The classes of which there are some."""
        return [label for label, count in enumerate(self.seen) if count]

    def add(self, label, latent):
        """Keep it; once the class has its number, by chance, in place of another one."""
        place = self.seen[label]
        if place >= self.each:
            place = self.dice.roll(place + 1)
        self.seen[label] += 1
        if place < self.each:
            self.records.write(label, place, latent)

    def draw(self, latent, labels):
        """Fill `latent` with one of a random class out of `labels`; the class."""
        label = labels[self.dice.roll(len(labels))]
        self.records.read(label, self.dice.roll(self.kept(label)), latent)
        return label


def rename(old, new):
    """Move a file over another one."""
    getattr(os, "replace", os.rename)(old, new)
