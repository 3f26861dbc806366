"""What others' kernels cost on the same shapes, and what ours are to cost at most.

Per unit of bench/shapes.py: cycles on Cortex-M0+ (an emulated RP2040, code and data in SRAM) and
M4F (a static model without waiting for memory, as bed/qemu/cortex_m4.h), instructions on RV32IMC
and Xtensa. Counted with GCC 12.2 -O2 -fpic, int8 in and out, per-channel requantization included.
Backward kernels of TinyEngine are float32; float32 is pulp-trainlib or AIfES, the better of them;
CMSIS-NN's W8 is a softmax alone.
"""

from __future__ import annotations

from collections.abc import Mapping

Rows = Mapping[str, Mapping[str, float]]

# board -> shape -> whose -> cost
PUBLISHED: Mapping[str, Rows] = {
    "pico": {
        "W1": {"CMSIS-NN": 10.5, "TinyMaix": 10.6, "ESP-NN C": 14.4},
        "W2 3x3": {"CMSIS-NN": 55.0, "TinyMaix": 27.3, "ESP-NN C": 31.7},
        "W2 5x5": {"CMSIS-NN": 55.4, "TinyMaix": 26.9, "ESP-NN C": 17.5},
        "W3": {"CMSIS-NN": 16.4, "TinyMaix": 14.4, "ESP-NN C": 37.0},
        "W4 160": {"CMSIS-NN": 9.4, "TinyMaix": 14.7, "ESP-NN C": 21},
        "W4 512": {"CMSIS-NN": 8.3, "TinyMaix": 10.5, "ESP-NN C": 20},
        "W8": {"CMSIS-NN": 18_600},
    },
    "m4f": {
        "W1": {"CMSIS-NN": 2.66, "TinyEngine": 2.22, "float32": 4.13},
        "W2 3x3": {"CMSIS-NN": 9.4, "TinyEngine": 8.0, "float32": 14.9},
        "W2 5x5": {"CMSIS-NN": 11.5, "TinyEngine": 5.05},
        "W3": {"CMSIS-NN": 5.9, "TinyEngine": 3.40},
        "W4 160": {"CMSIS-NN": 2.79, "float32": 11},
        "W4 512": {"CMSIS-NN": 2.40},
        "W5 dX": {"TinyEngine": 8.6, "float32": 3.3},
        "W5 dW": {"TinyEngine": 7.7, "float32": 4.1},
        "W6 3x3 dX": {"TinyEngine": 6.6, "float32": 26},
        "W6 3x3 dW": {"float32": 10.7},
        "W7 512 dX": {"TinyEngine": 8.5, "float32": 11.6},
        "W7 512 dW": {"TinyEngine": 29.7, "float32": 116},
        "W8": {"CMSIS-NN": 4452, "TinyEngine": 26_000, "float32": 1278},
        "W9": {"TinyEngine": 16, "float32": 12},
    },
    "rv32": {
        "W1": {"CMSIS-NN C": 4.96, "TinyMaix": 5.1, "ESP-NN C": 7.5},
        "W2 3x3": {"CMSIS-NN C": 16.7, "TinyMaix": 8.2, "ESP-NN C": 12.9},
        "W2 5x5": {"CMSIS-NN C": 19.1, "TinyMaix": 15.5, "ESP-NN C": 8.0},
        "W3": {"CMSIS-NN C": 7.05, "TinyMaix": 6.8, "ESP-NN C": 17.3},
    },
    "esp32": {
        "W1": {"ESP-NN C": 12.9},
        "W2 3x3": {"ESP-NN C": 24.9},
        "W2 5x5": {"ESP-NN C": 15.4},
        "W3": {"ESP-NN C": 26.7},
    },
}

WITHIN = 1.05  # of the prototypes' costs


def _within(costs: Mapping[str, float]) -> Mapping[str, float]:
    return {shape: WITHIN * cost for shape, cost in costs.items()}


# board -> shape -> cost; the prototypes', which these come from, have int8 gradients
TARGETS: Mapping[str, Mapping[str, float]] = {
    "pico": {
        "W1": 4.3, "W2 3x3": 9.4, "W2 5x5": 7.1, "W3": 6.4, "W4 160": 6.5, "W4 512": 5.1,
        "W5 dX": 4.8, "W5 dW": 3.7, "W6 3x3 dX": 9.4, "W6 3x3 dW": 11.9, "W6 5x5 dX": 7.1,
        "W6 5x5 dW": 7.5, "W7 160 dX": 10, "W7 512 dX": 7.5, "W7 512 dW": 28, "W8": 900, "W9": 32,
    },
    "m4f": _within({
        "W1": 2.14, "W2 3x3": 4.7, "W2 5x5": 4.7, "W3": 2.84, "W4 160": 2.34, "W4 512": 2.18,
        "W5 dX": 2.30, "W5 dW": 1.97, "W6 3x3 dX": 4.7, "W6 3x3 dW": 5.7, "W6 5x5 dW": 4.0,
        "W7 160 dX": 5.4, "W7 512 dX": 5.4, "W7 512 dW": 11.1, "W8": 506, "W9": 18,
    }),
    "rv32": _within({
        "W1": 2.84, "W2 3x3": 5.1, "W2 5x5": 4.4, "W3": 3.9, "W5 dX": 3.07, "W5 dW": 2.73,
        "W6 3x3 dX": 5.1, "W6 3x3 dW": 5.7,
    }),
    "esp32": _within({
        "W1": 4.4, "W2 3x3": 7.5, "W2 5x5": 5.0, "W3": 5.7, "W5 dX": 4.6, "W5 dW": 3.8,
        "W6 3x3 dX": 7.5, "W6 3x3 dW": 7.2,
    }),
}  # fmt: skip


def target(board: str, shape: str) -> float | None:
    """Of a shape's name, with "int8" behind it or not."""
    return TARGETS.get(board, {}).get(shape.removesuffix(" int8"))


def best(board: str, shape: str) -> tuple[str, float] | None:
    """The fastest of the others, and what it costs."""
    others = PUBLISHED.get(board, {}).get(shape.removesuffix(" int8"), {})
    return min(others.items(), key=lambda item: item[1]) if others else None


# Bytes at most: (module, target, part) -> size. What emlearn's CNN modules have of code, which only
# predict (emlearn-micropython 0.10), for a CNN of that kind; and a budget for training MCUNet.
_PREDICT, _MCUNET = "digits, predict, for size", "mcunet, scheme 49, for size"
SIZE_TARGETS: Mapping[tuple[str, str, str], int] = {
    (_PREDICT, "armv6m", "text"): 10_214,
    (_PREDICT, "armv7emsp", "text"): 5_470,
    (_PREDICT, "rv32imc", "text"): 10_971,
    (_PREDICT, "xtensawin", "text"): 6_065,
    (_MCUNET, "armv6m", "module"): 32 * 1024,
}


def size_target(module: str, target: str) -> tuple[str, int] | None:
    """The part that has a target, and how much it may take."""
    found = (
        (part, SIZE_TARGETS[module, target, part])
        for part in ("text", "module")
        if (module, target, part) in SIZE_TARGETS
    )
    return next(found, None)


# Whole models, in millions. MIT's TinyEngine (mit-han-lab/tiny-training) with the 49 KB scheme of
# mcunet_5fps_128: instructions of an emulated Cortex-M7 with FPU; soft float, cycles, on a
# Cortex-M0+. (board, model, part) -> cost
WHOLE: Mapping[tuple[str, str, str], float] = {
    ("m7sp", "mcunet", "predict"): 65.0,
    ("m7sp", "mcunet", "backward"): 41.3,
    ("m7sp", "mcunet", "step"): 106.4,
    ("pico", "mcunet", "backward"): 2245,
}
WHOLE_TARGETS: Mapping[tuple[str, str, str], float] = {
    ("m7sp", "mcunet", "step"): 85,
    ("pico", "mcunet", "backward"): 100,
}
