"""A camera that learns what it is shown. Runs on the board.

    import camera, tinytrain
    camera.main(camera.Camera(camera.find_source(), tinytrain.Trainer("model.ttw")))

Commands, one a line: `this is NAME` keeps the picture as one of NAME, `learn` (`learn 400 0.03`:
steps, rate) learns from what is kept, `look` says what it sees, `save` and `restore` a checkpoint,
`forget` begins anew, `quit`. With main(..., button=Pin(...)) a press keeps the picture as one of
the last name, and learns. Pictures never leave the device and are not kept: only latents are.
"""

import json
import select
import sys

from learner import RATE, Learner, record_size
from memory import Block, Memory, Records, rename
from views import shrink

STEPS = 400  # of `learn`
EACH = 80  # latents kept of a class


class Pictures:
    """Frames of the model's size out of a file, one after the other: for emulation."""

    def __init__(self, path):
        self.file = open(path, "rb")

    def capture(self, pixels, shape):
        """Fill `pixels` with the next one."""
        if self.file.readinto(pixels) != len(pixels):
            raise OSError("no more pictures")


class OpenMV:
    """The camera of an OpenMV board."""

    def __init__(self):
        import sensor

        sensor.reset()
        sensor.set_pixformat(sensor.GRAYSCALE)
        sensor.set_framesize(sensor.QQVGA)
        sensor.skip_frames(time=2000)
        self.sensor = sensor

    def capture(self, pixels, shape):
        """Fill `pixels` with what it sees."""
        image = self.sensor.snapshot()
        shrink(image.bytearray(), pixels, (image.height(), image.width(), 1), shape)


class OV2640:
    """An OV2640 or OV7670 on an ESP32 whose firmware has micropython-camera-API.

    pins: what that takes on boards it does not know.
    """

    SIDE = 96

    def __init__(self, **pins):
        # the firmware's module of that name: this file has to have another one there
        from camera import Camera as Sensor
        from camera import FrameSize, PixelFormat

        size, grey = FrameSize.R96X96, PixelFormat.GRAYSCALE
        self.sensor = Sensor(frame_size=size, pixel_format=grey, **pins)

    def capture(self, pixels, shape):
        """Fill `pixels` with what it sees."""
        shrink(self.sensor.capture(), pixels, (self.SIDE, self.SIDE, 1), shape)


class Camera:
    """Names for classes, a Learner, and what has to be kept over a reset.

    source: has capture(pixels, shape). each: latents kept of a class. in_file: in a file instead of
    RAM. folder: where files go, with a slash at its end.
    """

    def __init__(self, source, trainer, each=EACH, in_file=False, folder=""):
        self.source, self.names, self.folder = source, [], folder
        size, classes = record_size(trainer), trainer.classes
        if in_file:
            records = Records(folder + "latents.bin", classes, each, size)
        else:
            records = Block(classes, each, size)
        self.learner = Learner(trainer, Memory(records, classes, each))

    def capture(self):
        """Take a picture."""
        self.source.capture(self.learner.pixels, self.learner.shape)

    def this_is(self, name):
        """Take a picture and keep it as one of that name."""
        if name not in self.names:
            if len(self.names) == self.learner.trainer.classes:
                raise ValueError("no class is left: build with more --classes")
            self.names.append(name)
        self.capture()
        self.learner.show(self.names.index(name))

    def look(self):
        """Take a picture; its name and how sure that is, 0 to 1."""
        self.capture()
        label, sure = self.learner.look()
        return self.names[label], sure

    def save(self):
        """Write what was learned and what is kept."""
        memory = self.learner.memory
        memory.records.save(self.folder + "latents.bin", memory.known())
        with open(self.folder + "names.new", "w") as file:
            json.dump([self.names, memory.seen, memory.dice.seed], file)
        rename(self.folder + "names.new", self.folder + "names.json")
        self.learner.trainer.save(self.folder + "camera.tts")

    def restore(self):
        """Go on from save(); whether there was something."""
        memory = self.learner.memory
        try:
            with open(self.folder + "names.json") as file:
                names, seen, seed = json.load(file)
            kept = [label for label, count in enumerate(seen) if count]
            memory.records.load(self.folder + "latents.bin", kept)
            self.learner.trainer.load(self.folder + "camera.tts")
        except OSError:
            return False
        self.names, memory.seen, memory.dice.seed = names, seen, seed
        return True

    def forget(self):
        """Begin anew."""
        memory = self.learner.memory
        self.names, memory.seen = [], [0] * len(memory.seen)
        self.learner.trainer.reset()

    def obey(self, command):
        """One command; what to answer."""
        words = command.split()
        if words[:2] == ["this", "is"] and len(words) > 2:
            self.this_is(" ".join(words[2:]))
            return "kept"
        if words[:1] == ["learn"] and self.names:
            steps = int(words[1]) if len(words) > 1 else STEPS
            rate = float(words[2]) if len(words) > 2 else RATE
            only = [self.names.index(name) for name in words[3:]]
            return "loss %.3f" % self.learner.train(steps, rate, only)
        if words == ["look"] and self.names:
            name, sure = self.look()
            return "%s %.0f%%" % (name, 100 * sure)
        if words == ["save"]:
            self.save()
            return "saved"
        if words == ["restore"]:
            return "restored" if self.restore() else "nothing to restore"
        if words == ["forget"]:
            self.forget()
            return "forgotten"
        return "this is NAME, learn [STEPS [RATE [NAMES]]], look, save, restore, forget, quit"


def main(camera, button=None):
    """Obey commands until `quit`; in between say what is seen whenever that changes."""
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    last = None
    if camera.restore():
        print("going on with", camera.names)
    while True:
        if poll.poll(100):
            command = sys.stdin.readline().strip()
            if command == "quit":
                return
            if not command:
                continue
            try:
                print(camera.obey(command))
            except (OSError, ValueError) as error:
                print(error)
        elif button is not None and not button.value() and camera.names:
            camera.this_is(camera.names[-1])
            print("learned:", camera.obey("learn"))
        elif camera.learner.memory.known() and not isinstance(camera.source, Pictures):
            name, sure = camera.look()
            if name != last:
                print("I see %s (%.0f%%)" % (name, 100 * sure))
                last = name


def find_source():
    """The camera of this board."""
    for source in (OpenMV, OV2640):
        try:
            return source()
        except ImportError:
            pass
    return Pictures("pictures.bin")
