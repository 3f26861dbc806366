"""The rehearsal memory: latents of all classes, so that old ones are learned along with new ones.

Runs on the board and on the host alike.
"""


class Dice:
    """Small random numbers, the same everywhere; without big integers, which would need memory."""

    def __init__(self, seed=1):
        self.seed = seed % 65536

    def roll(self, sides):
        """0 .. sides - 1, for up to 65,536 sides."""
        self.seed = (self.seed * 75 + 74) % 65537
        return self.seed % sides


class Block:
    """Records of a size in RAM."""

    def __init__(self, count, size):
        self.size = size
        self.data = memoryview(bytearray(count * size))

    def read(self, index, record):
        """Fill `record` with the one of that index."""
        record[:] = self.data[index * self.size : (index + 1) * self.size]

    def write(self, index, record):
        """Store it."""
        self.data[index * self.size : (index + 1) * self.size] = record

    def save(self, path):
        """All of them to a file, which has the old or the new ones whatever happens."""
        with open(path + ".new", "wb") as file:
            file.write(self.data)
        rename(path + ".new", path)

    def load(self, path):
        """All of them from a file."""
        with open(path, "rb") as file:
            if file.readinto(self.data) != len(self.data):
                raise ValueError(path + " has another size")


class Records:
    """The same in a file, for memories that RAM cannot hold; what is written is there to stay."""

    def __init__(self, path, count, size):
        self.size = size
        try:
            self.file = open(path, "r+b")
        except OSError:
            with open(path, "wb") as file:
                for _ in range(count):
                    file.write(bytes(size))
            self.file = open(path, "r+b")

    def read(self, index, record):
        """Fill `record` with the one of that index."""
        self.file.seek(index * self.size)
        self.file.readinto(record)

    def write(self, index, record):
        """Store it."""
        self.file.seek(index * self.size)
        self.file.write(record)

    def save(self, path):
        """What was written reaches the flash."""
        self.file.flush()

    def load(self, path):
        """Nothing to be done."""


class Memory:
    """Up to `each` latents of every class, a fair sample of all that were shown.

    records: Block or Records for classes * each of them.
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
            self.records.write(label * self.each + place, latent)

    def draw(self, latent, labels):
        """Fill `latent` with one of a random class out of `labels`; the class."""
        label = labels[self.dice.roll(len(labels))]
        self.records.read(label * self.each + self.dice.roll(self.kept(label)), latent)
        return label


def rename(old, new):
    """Move a file over another one."""
    import os

    getattr(os, "replace", os.rename)(old, new)
