"""A keyboard that learns how its owner types. Runs on the board.

Each key is echoed at once; what may come next is shown above; in the pauses between keys the
network learns what was typed, in slices so short that the next key does not have to wait for them.

Tab takes the completion, Ctrl-R forgets everything that was learned, Ctrl-X ends the program.

What is typed stays in RAM, the last KEEP characters of it (lessons.py), and nowhere else: it is
neither stored nor sent. What is stored are the network's parameters.
"""

import asyncio
import gc
import os
import sys
import time
from array import array

import keyrows
import keys
import lessons

import tinytrain

WEIGHTS, SAMPLE, CHECKPOINT = "model.ttw", "general.bin", "keyboard.tts"
SLICE_US = 1000
LONGEST = 14  # characters of a completion
SAVE_MS = 10_000  # without a key, then what was learned is saved
# Collecting garbage takes 12 ms on a Pico: in a pause if there is one, else right after a key,
# since nobody presses the next one so soon
PAUSE_MS, COLLECT = 1000, 64


class Terminal:
    """Shows text and suggestions on a terminal: the latter on its first line."""

    def echo(self, text):
        """What was typed, at the cursor."""
        sys.stdout.write(text)

    def show(self, text):
        """The line of suggestions."""
        sys.stdout.write("\x1b7\x1b[1;1H\x1b[2K" + text + "\x1b8")


class Keyboard:
    """Keys in, text and suggestions out, a Trainer that learns."""

    def __init__(self, source, screen, folder=""):
        """source: as in keys.py. screen: as Terminal. folder: of checkpoints, with a slash."""
        # the largest block first, while memory is in one piece
        self.trainer = tinytrain.Trainer(WEIGHTS)
        self.keys, self.screen, self.checkpoint = source, screen, folder + CHECKPOINT
        self.learner = lessons.Learner(lessons.Sample(find(SAMPLE)))
        self.ahead = bytearray(keyrows.REACH + LONGEST)
        self.rows = array("i", [0] * keyrows.INPUTS)
        self.out = array("b", [0] * keyrows.CODES)
        self.steps = self.saved = self.uncollected = 0
        self.forgetting = False
        self.completion = ""
        self.stale, self.last_key, self.running = True, time.ticks_ms(), True
        self.restore()

    def restore(self):
        """What was learned before the power went, if there is any."""
        try:
            self.trainer.load(self.checkpoint)
        except OSError:
            self.trainer.reset()
        self.steps = self.saved = self.trainer.info()["steps"]

    def save(self):
        """Store what was learned; the file before stays until this one is complete."""
        self.trainer.save(self.checkpoint)
        self.saved = self.steps

    def reset(self):
        """Forget what was learned: in RAM and in flash."""
        self.trainer.reset()
        self.steps = self.saved = 0
        for end in ("", "~", ".new"):
            try:
                os.remove(self.checkpoint + end)
            except OSError:
                pass

    async def type(self):
        """React to keys, as long as there are any."""
        while self.running:
            key = await self.keys.get()
            self.last_key = time.ticks_ms()
            if key == keys.TAB:
                for c in self.completion:
                    self.enter(c)
            elif key in (keys.BACKSPACE, keys.DELETE):
                if self.learner.backspace():
                    self.screen.echo("\b \b")
            elif key == keys.RESET:
                self.learner.forget()  # at once; the Trainer when its step is over
                self.forgetting = True
            elif key == keys.QUIT:
                self.running = False
            else:
                self.enter(key)
            self.completion, self.stale = "", True
            self.uncollected += 1
            if self.uncollected >= COLLECT:
                self.collect()

    def collect(self):
        """Free what nobody holds any more."""
        self.uncollected = 0
        gc.collect()

    def enter(self, key):
        """One character of text."""
        self.screen.echo(key)
        self.learner.typed(keyrows.code_of(key))

    async def work(self):
        """Suggest, learn, save: what there is to do, in this order."""
        trainer, learner = self.trainer, self.learner
        while self.running or learner.waiting():
            if self.uncollected and self.idle() > PAUSE_MS:
                self.collect()
            if self.forgetting:
                self.reset()
                self.forgetting, self.stale = False, True
            elif self.stale:
                await self.suggest()
            elif learner.next():
                trainer.lr = lessons.rate(self.steps)
                for _ in trainer.slices(learner.x, learner.y, budget_us=SLICE_US):
                    await asyncio.sleep_ms(0)
                self.steps += 1
            elif self.steps > self.saved and self.idle() > SAVE_MS:
                self.save()
            else:
                await asyncio.sleep_ms(10)
            await asyncio.sleep_ms(0)

    def idle(self):
        """Milliseconds since the last key."""
        return time.ticks_diff(time.ticks_ms(), self.last_key)

    async def suggest(self):
        """Show the three characters that are likeliest, and the rest of the word."""
        self.stale = False
        memory, ahead, end = self.learner.memory, self.ahead, keyrows.REACH
        ahead[:end] = memory.codes[memory.end - end : memory.end]
        keyrows.rows(ahead, end, self.rows)
        await keys_first()
        self.trainer.predict(self.rows, self.out)
        await keys_first()
        best = likeliest(self.out)
        code, word = best[0], ""
        while keyrows.is_letter(code) and len(word) < LONGEST and not self.stale:
            word += keyrows.key_of(code)
            ahead[end] = code
            end += 1
            keyrows.rows(ahead, end, self.rows)
            await keys_first()
            code = self.trainer.classify(self.rows)
            await keys_first()
        if not self.stale:
            self.completion = word
            likely = "".join(keyrows.key_of(c) for c in best).replace("\n", "$")
            self.screen.show(f"[{likely}] {word}")

    async def run(self):
        """Until Ctrl-X."""
        work = asyncio.create_task(self.work())
        await self.type()
        await work
        if self.steps > self.saved:
            self.save()


async def keys_first():
    """Let the other task go on if there was a key. The first sleep finds that out, the second one
    puts this task behind it."""
    await asyncio.sleep_ms(0)
    await asyncio.sleep_ms(0)


def likeliest(out):
    """The three codes with the largest values, best first; `out`, int8, loses them."""
    best = []
    for _ in range(3):
        best.append(bytes(out).find(bytes((max(out) & 255,))))
        out[best[-1]] = -128
    return best


def find(name):
    """A file in the current folder, else in the ROMFS."""
    try:
        os.stat(name)
        return name
    except OSError:
        return "/rom/" + name


def main():
    """At the REPL: `import keyboard; keyboard.main()`."""
    gc.collect()
    board = Keyboard(keys.Terminal(), Terminal())
    gc.collect()
    asyncio.run(board.run())
    return board
