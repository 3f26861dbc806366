"""What the device does with pictures: keeps their latents, learns from them, recognises.

Runs on the board and, with the simulator's Trainer, on the host.
"""

import math

from views import VIEWS, view

RATE = 0.03
DECAY = ((60, 0.3), (85, 0.1))  # the rate is multiplied after so many percent of the steps


def record_size(trainer):
    """Bytes of what is kept of a view."""
    height, width, channels = trainer.input_shape[1:]
    return trainer.latent_size or height * width * channels


class Learner:
    """A Trainer with a rehearsal memory: of latents or, in builds without, of inputs.

    pixels: the picture that show() and look() take.
    """

    def __init__(self, trainer, memory):
        self.trainer, self.memory = trainer, memory
        self.shape = trainer.input_shape[1:]
        size = self.shape[0] * self.shape[1] * self.shape[2]
        self.pixels, self.x = bytearray(size), bytearray(size)
        self.latent = bytearray(trainer.latent_size) if trainer.latent_size else self.x
        self.output = bytearray(trainer.classes)

    def show(self, label, views=VIEWS):
        """The picture is one of that class: keep latents of some views of it."""
        for each in views:
            view(self.pixels, self.x, self.shape, *each)
            self.trainer.quantize(self.x, self.x)  # in place: pictures are large
            if self.latent is not self.x:
                self.trainer.encode(self.x, self.latent)
            self.memory.add(label, self.latent)

    def train(self, steps, rate=RATE, labels=None):
        """So many steps on what is kept, all classes alike (or only some); the mean loss."""
        labels = labels or self.memory.known()
        loss, latent = 0.0, self.latent is not self.x
        for step in range(steps):
            factor = 1.0
            for percent, value in DECAY:
                if step * 100 >= steps * percent:
                    factor = value
            self.trainer.lr = rate * factor
            label = self.memory.draw(self.latent, labels)
            loss += self.trainer.step(self.latent, label, latent=latent)
        return loss / steps

    def look(self):
        """The class of the picture, among those that were shown, and how sure that is, 0 to 1."""
        self.trainer.quantize(self.pixels, self.x)
        self.trainer.predict(self.x, self.output)
        known = self.memory.known()
        scores = [self.output[k] ^ 128 for k in known]  # int8 as 0 .. 255
        best = max(scores)
        label, scale = known[scores.index(best)], self.trainer.output_scale
        if scale * 256 == 1 and self.trainer.output_zero_point == -128:  # a softmax's output
            return label, best / max(1, sum(scores))
        return label, 1 / sum([math.exp((score - best) * scale) for score in scores])
