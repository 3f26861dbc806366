"""A model written by hand against mpy_module/tt_model.h: one layer, 16 inputs, 4 classes.

The binding is tested with it whatever the importer and the code generator do.
"""

from __future__ import annotations

import ctypes
import random
import re
import struct
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.natmod import NatmodReport, build_natmod
from tinytrain.resources import c_kernels_dir, mpy_module_dir

OTHERS = ("m3", "m4f", "m7sp", "m7dp", "rv32", "esp32", "esp32s2")
"""Boards of the bed beside unix, m0 and pico."""

INPUTS, CLASSES = 16, 4
ARENA_BYTES, STATE_BYTES = 184, 152
IN_ZERO = -3
HASH = 0x0123456789ABCDEF
STATE_HASH = 0xFEDCBA9876543210

HEADER = f"""
#define TT_MODEL_NAME "tiny"
#define TT_MODEL_ABI 1
#define TT_MODEL_GRADIENT_BITS 16
#define TT_MODEL_HASH "{HASH:016x}"
#define TT_MODEL_HASH_LOW 0x{HASH & 0xFFFFFFFF:08x}u
#define TT_MODEL_HASH_HIGH 0x{HASH >> 32:08x}u
#define TT_STATE_HASH_LOW 0x{STATE_HASH & 0xFFFFFFFF:08x}u
#define TT_STATE_HASH_HIGH 0x{STATE_HASH >> 32:08x}u
#define TT_WEIGHTS_BYTES 120
#define TT_STATE_BYTES {STATE_BYTES}
#define TT_ARENA_BYTES {ARENA_BYTES}
#define TT_INPUT_OFFSET 0
#define TT_INPUT_BYTES {INPUTS}
#define TT_OUTPUT_OFFSET 16
#define TT_OUTPUT_BYTES {CLASSES}
#define TT_LOSS TT_LOSS_SOFTMAX
#define TT_LOSS_BITS 20
#define TT_CLASSES {CLASSES}
#define TT_STEP_CALLS 4
#define TT_LOSS_CALLS 2
#define TT_PIXEL_MULTIPLIER 65536
#define TT_PIXEL_ZERO -128
#define TT_PIXEL_LOW -1
#define TT_PIXEL_HIGH 1
#define TT_INPUT_SHAPE 1, {INPUTS}
#define TT_OUTPUT_SHAPE 1, {CLASSES}
#define TT_INPUT_SCALE_BITS 0x3c000000u
#define TT_OUTPUT_SCALE_BITS 0x3d800000u
#define TT_INPUT_ZERO {IN_ZERO}
#define TT_OUTPUT_ZERO 5

typedef struct {{
    int32_t bias[{CLASSES}], multiplier[{CLASSES}];
    uint16_t step_mantissa[{CLASSES}];
    int8_t shift[{CLASSES}], logit_shift[{CLASSES}], w_step[{CLASSES}], bias_step[{CLASSES}];
    int8_t w[{CLASSES * INPUTS}];
}} tiny_weights;

typedef struct {{
    uint32_t steps;
    int32_t bias[{CLASSES}];
    int8_t w[{CLASSES * INPUTS}], w_fraction[{CLASSES * INPUTS}], bias_fraction[{CLASSES}];
}} tiny_state;

typedef struct {{
    int8_t x[{INPUTS}], y[{CLASSES}];
    int32_t sums[{CLASSES}], scratch[32];
    int32_t d_logits[1 + {CLASSES // 2}];
}} tiny_arena;
"""

BODY = """
#include "tt_model.h"

static const tt_conv2d layer = {
    .window = {1, 1, 16, 1, 1, 4, 1, 1, 1, 1, 0, 0},
    .in_zero = TT_INPUT_ZERO, .out_zero = TT_OUTPUT_ZERO, .low = -128, .high = 127,
};
void tt_model_reset(const uint8_t *weights, uint8_t *state) {
    const tiny_weights *from = (const void *)weights;
    tiny_state *to = (void *)state;
    for (int i = 0; i < TT_STATE_BYTES; i++) {
        state[i] = 0;
    }
    for (int i = 0; i < 4; i++) {
        to->bias[i] = from->bias[i];
    }
    for (int i = 0; i < 64; i++) {
        to->w[i] = from->w[i];
    }
}

void tt_model_predict(const uint8_t *weights, const uint8_t *state, uint8_t *arena) {
    const tiny_weights *c = (const void *)weights;
    const tiny_state *s = (const void *)state;
    tiny_arena *a = (void *)arena;
    tt_conv2d_s8(&layer, a->x, s->w, s->bias, c->multiplier, c->shift, a->y, NULL,
                 a->scratch);
}

#if TT_LOSS != TT_LOSS_NONE
static const tt_cross_entropy loss_of = {.classes = 4, .limit = 32767};
static const tt_conv2d_bwd_weight_params d_w = {
    .window = {1, 1, 16, 1, 1, 4, 1, 1, 1, 1, 0, 0},
    .in_zero = TT_INPUT_ZERO, .channels = 16, .row_shift = 0,
};
static const tt_bias_bwd_params d_bias = {.pixels = 1, .channels = 4, .bias_limit = 1 << 20};

void tt_model_call(tt_run *run) {
    const tiny_weights *c = (const void *)run->weights;
    tiny_state *s = (void *)run->state;
    tiny_arena *a = (void *)run->arena;
    tt_grad *d_logits = (void *)a->d_logits;
    switch (run->call) {
    case 0:
        tt_part_conv2d_s32(&run->part, &layer, a->x, s->w, s->bias, a->sums);
        break;
    case 1:
        tt_softmax_cross_entropy(&loss_of, a->sums, c->multiplier, c->logit_shift, run->label,
                                 d_logits, &run->loss, a->scratch);
        break;
    case 2:
        tt_conv2d_bwd_weight(&d_w, d_logits, a->x, &run->rate, c->step_mantissa, c->w_step, s->w,
                             s->w_fraction, a->scratch, &run->part);
        break;
    case 3:
        tt_bias_bwd(&d_bias, d_logits, &run->rate, c->step_mantissa, c->bias_step, s->bias,
                    s->bias_fraction, a->scratch, &run->part);
        break;
    }
}
#endif
"""


def payload() -> bytes:
    """Scales: input 2^-7, weights 2^-6, output 2^-4."""
    rng = random.Random(1)
    return b"".join(
        (
            struct.pack("<8i", *(100, -200, 300, 0), *(1 << 30,) * CLASSES),
            struct.pack("<4H", *(1 << 14,) * CLASSES),
            struct.pack("<16b", *(-8,) * 4, *(0,) * 4, *(-15,) * 4, *(-1,) * 4),
            struct.pack("<64b", *(rng.randint(-20, 20) for _ in range(64))),
        )
    )


def weights_file(body: bytes | None = None, model_hash: int = HASH) -> bytes:
    body = payload() if body is None else body
    low, high = model_hash & 0xFFFFFFFF, model_hash >> 32
    return struct.pack("<4s7I", b"TTW1", 1, low, high, len(body), zlib.crc32(body), 0, 0) + body


def samples(count: int) -> list[tuple[bytes, int]]:
    """Inputs whose class can be seen: a brighter quarter."""
    rng = random.Random(2)
    made = []
    for i in range(count):
        label = i % CLASSES
        x = [rng.randint(-20, 20) + (60 if j // 4 == label else 0) for j in range(INPUTS)]
        made.append((struct.pack(f"{INPUTS}b", *x), label))
    return made


def sources(folder: Path, **macros: int | str) -> list[Path]:
    """model.h and model.c, with other values of some macros, and all that is linked with them."""
    header = HEADER
    for name, value in macros.items():
        header = re.sub(rf"(?m)^#define {name} .*$", f"#define {name} {value}", header)
    (folder / "model.h").write_text(header)
    (folder / "model.c").write_text(BODY)
    kernels = sorted((c_kernels_dir() / "src").glob("*.c"))
    binding = sorted(mpy_module_dir().glob("*.c"))
    return [folder / "model.c", *binding, *kernels]


def build(folder: Path, target: str, core: str = "", **macros: int | str) -> NatmodReport:
    """tinytrain.mpy and model.ttw in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = sources(folder, **macros)
    (folder / "model.ttw").write_bytes(weights_file())
    return build_natmod(
        made,
        [folder, mpy_module_dir(), c_kernels_dir() / "include"],
        target,
        folder / "tinytrain.mpy",
        folder / "work",
        compact=[s for s in made if s.parent == mpy_module_dir()],
        core=core,
    )


HOST_STEP = """
#include "tt_model.h"
int32_t host_step(const uint8_t *weights, uint8_t *state, uint8_t *arena, const tt_rate *rate,
                  int32_t label) {
    tt_run run;
    tt_step_begin(&run, weights, state, arena, rate, 0);
    run.label = label;
    tt_step_until(&run, TT_STEP_CALLS);
    return run.loss;
}
"""


@dataclass(slots=True)
class HostModel:
    """The same C on this machine: what boards must reproduce."""

    library: ctypes.CDLL
    state: ctypes.Array[ctypes.c_char]
    rate: ctypes.Array[ctypes.c_char]

    @classmethod
    def compile(cls, folder: Path) -> HostModel:
        made = [s for s in sources(folder) if s.parent != mpy_module_dir()]
        made += [mpy_module_dir() / "step.c", folder / "step_of_host.c"]
        made[-1].write_text(HOST_STEP)
        includes = [f"-I{d}" for d in (folder, mpy_module_dir(), c_kernels_dir() / "include")]
        out = folder / "host.so"
        command = ["gcc", "-O1", "-shared", "-fPIC", *includes, *map(str, made), "-o", str(out)]
        subprocess.run(command, check=True)
        library = ctypes.CDLL(str(out))
        library.tt_loss_bits.restype = ctypes.c_uint32
        model = cls(
            library, ctypes.create_string_buffer(STATE_BYTES), ctypes.create_string_buffer(28)
        )
        library.tt_model_reset(payload(), model.state)
        model.set_rate(0.01)
        return model

    def set_rate(self, rate: float) -> None:
        (bits,) = struct.unpack("<I", struct.pack("<f", rate))
        self.library.tt_rate_set(self.rate, ctypes.c_uint32(bits))

    def _arena(self, x: bytes) -> ctypes.Array[ctypes.c_char]:
        return ctypes.create_string_buffer(x, ARENA_BYTES)

    def predict(self, x: bytes) -> bytes:
        arena = self._arena(x)
        self.library.tt_model_predict(payload(), self.state, arena)
        return arena.raw[16:20]

    def step(self, x: bytes, label: int) -> int:
        """Bits of the loss."""
        loss = self.library.host_step(payload(), self.state, self._arena(x), self.rate, label)
        return int(self.library.tt_loss_bits(loss))

    def train(self, examples: Sequence[tuple[bytes, int]]) -> list[int]:
        return [self.step(x, label) for x, label in examples]
