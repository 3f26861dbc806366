"""Spoken keywords: espeak-ng renders them in many voices, numpy turns them into log-mel maps.

A voice is an accent and a variant of the synthesizer (its formants, pitch range, breathiness).
Utterances of a voice differ in speed, pitch, position, loudness and background noise.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

PACKAGE = "espeak-ng"
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off")
# The voices of pretraining: a few men's, in two accents.
KNOWN = tuple(product(("en-us", "en-gb"), ("m1", "m2", "m3", "m4", "m6", "m7")))
# Voices that the network has never heard, of which each seed draws some.
UNSEEN = tuple(
    product(
        ("en-gb-scotland", "en-029", "en-gb-x-gbclan"),
        ("f1", "f2", "f4", "f5", "croak", "klatt2", "klatt4", "whisper", "Annie", "linda"),
    )
)

RATE = 22050
FRAMES, BANDS = 32, 20
FRAME, HOP = 1024, RATE // FRAMES
LOWEST, HIGHEST = 80.0, 8000.0
FLOOR = 1e-4  # of the power of the loudest band: what is quieter is silence

Voice = tuple[str, str]
Floats = NDArray[np.float64]


def utterances(
    voices: Sequence[Voice], count: int, seed: int
) -> Iterator[tuple[Voice, int, list[Floats]]]:
    """For each voice and word `count` log-mel maps [FRAMES, BANDS]: voice, word, maps."""
    tasks = list(product(voices, range(len(WORDS))))
    render = partial(_maps, count=count, seed=seed)
    with ThreadPoolExecutor(2) as pool:
        for (voice, word), maps in zip(tasks, pool.map(render, tasks), strict=True):
            yield voice, word, maps


def _maps(task: tuple[Voice, int], count: int, seed: int) -> list[Floats]:
    """A word in one voice, `count` times. The randomness follows from the arguments alone."""
    (accent, variant), word = task
    rng = np.random.default_rng([seed, word, *f"{accent}+{variant}".encode()])
    maps = []
    for _ in range(count):
        speed, pitch = int(rng.integers(120, 221)), int(rng.integers(20, 81))
        sound = speak(f"{accent}+{variant}", WORDS[word], speed, pitch)
        maps.append(log_mel(placed(sound, rng)))
    return maps


def speak(voice: str, word: str, speed: int, pitch: int) -> Floats:
    """espeak-ng's samples, silence at both ends cut off."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    try:
        wave = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise SystemExit(f"espeak-ng not found: apt-get install {PACKAGE}") from error
    # A canonical header; the sizes in it are not filled in when the file goes to a pipe.
    assert int.from_bytes(wave[24:28], "little") == RATE
    samples = np.frombuffer(wave[44 : 44 + (len(wave) - 44) // 2 * 2], "<i2") / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def placed(sound: Floats, rng: np.random.Generator) -> Floats:
    """The sound somewhere in one second, with noise 10 to 25 dB below it."""
    sound = sound[:RATE] / np.sqrt(np.mean(sound[:RATE] ** 2))
    start = int(rng.integers(0, RATE - len(sound) + 1))
    noise = rng.normal(0, 10 ** (-rng.uniform(10, 25) / 20), RATE)
    noise[start : start + len(sound)] += sound
    return noise * 10 ** (rng.uniform(-6, 6) / 20)


def log_mel(samples: Floats) -> Floats:
    """[FRAMES, BANDS]: logarithm of the power, 0.0 for silence to 1.0 for the loudest band."""
    padded = np.pad(samples, (0, FRAME))
    starts = np.arange(FRAMES) * HOP
    frames = padded[starts[:, None] + np.arange(FRAME)] * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames)) ** 2 @ _filters().T
    return 1 - np.log10(power / power.max() + FLOOR) / np.log10(FLOOR)


@cache
def _filters() -> Floats:
    """Triangles [BANDS, bins], evenly spaced on the mel scale."""
    mel = np.linspace(_mel(LOWEST), _mel(HIGHEST), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(FRAME, 1 / RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def _mel(frequency: float) -> float:
    return float(2595 * np.log10(1 + frequency / 700))
