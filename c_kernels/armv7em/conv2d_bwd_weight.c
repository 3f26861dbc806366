/* Gradient of a convolution's weights and their update: four input channels are packed as pairs of pixels, for
 * two output channels at a time. */
#include "tt_dsp.h"
#include "tt_packing.h"
#include "tt_part.h"
#include "tt_plain.h"
#include "tt_update_quads.h"
#include "tt_weight_pairs.h"

#define PIXELS 64 /* packed at a time: 512 bytes on the stack */

/* Four weights of some output channels at one tap. */
typedef struct {
    const tt_conv2d_bwd_weight_params *p;
    const tt_mantissa *dy;
    const int8_t *x;
    int32_t *d, *sums; /* all; of output channel `base` and those behind it, `pitch` apart */
    int32_t base, pitch;
    int32_t first, c, n; /* of all output channels; input channels c <= . < c + n, n <= 4 */
    tt_tap tap;
    uint32_t packed[2 * PIXELS];
} block;

/* The inputs of a pixel without their zero point: channels 0 and 2, 1 and 3. */
typedef struct {
    uint32_t even, odd;
} quad;

TT_INLINE quad load_quad(const int8_t *x, int32_t n, uint32_t zero) {
    uint32_t v = 0;
    for (int32_t i = 0; i < n; i++) {
        v |= (uint32_t)(uint8_t)x[i] << 8 * i;
    }
    quad q = {tt_add_even_bytes(zero, v), tt_add_odd_bytes(zero, v)};
    return q;
}

/* n > 0 pixels from x on; the last one of an odd number makes a pair with zeros. */
static void pack(block *b, const int8_t *x, int32_t n) {
    uint32_t *to = b->packed, minus = (uint32_t)-b->p->in_zero, zero = tt_join_low(minus, minus);
    int32_t step = b->tap.x_column, channels = b->n;
    if (channels == 4 && n > 1) {
        int32_t even = n & ~1;
        tt_weight_inputs(x, step, to, to + 2 * even, zero);
        x += even * step;
        to += 2 * even;
        n &= 1;
    }
    for (; n > 0; n -= 2, to += 4) {
        quad a = load_quad(x, channels, zero), c = {0, 0};
        x += step;
        if (n > 1) {
            c = load_quad(x, channels, zero);
            x += step;
        }
        to[0] = tt_join_low(a.even, c.even);
        to[1] = tt_join_low(a.odd, c.odd);
        to[2] = tt_join_high(a.even, c.even);
        to[3] = tt_join_high(a.odd, c.odd);
    }
}

/* Add what n packed pixels give to the sums of output channels o and o + 1. */
static void add_pair(
    const block *b, const tt_mantissa *dy, int32_t n, int32_t *sums, int32_t step) {
    const uint32_t *x = b->packed;
    int32_t step_bytes = (int32_t)sizeof *dy * b->tap.dy_column;
    tt_weight_pairs_of s = {dy, step_bytes, x, x + 4 * (n >> 1), sums, 4 * step, n & 1};
    tt_weight_pairs(&s);
}

/* Add n packed pixels to the sums of output channels o <= . < end. dy: the first pixel's. */
static void add_pixels(const block *b, const tt_mantissa *dy, int32_t n, int32_t o, int32_t end) {
    int32_t row_shift = b->p->row_shift;
    for (; o < end; o += 2) {
        int32_t *to = b->sums + (o - b->base) * b->pitch;
        if (o + 1 < end && b->n == 4 && row_shift == 0) {
            add_pair(b, dy + o, n, to, b->pitch);
            continue;
        }
        int32_t first = tt_min(o, b->p->window.out_c - 2), sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        add_pair(b, dy + first, n, sums, 4);
        const int32_t *from = sums + 4 * (o - first);
        for (int32_t k = o; k < tt_min(o + 2, end); k++, from += 4, to += b->pitch) {
            for (int32_t i = 0; i < b->n; i++) {
                to[i] += tt_round_half_up(from[i], row_shift);
            }
        }
    }
}

/* All sums of output channels o <= . < end. */
static void add_rows(block *b, int32_t o, int32_t end) {
    const tt_tap *t = &b->tap;
    int32_t rows = t->rows, n = t->columns;
    if (b->p->row_shift == 0 && t->dy_row == n * t->dy_column && t->x_row == n * t->x_column) {
        n *= rows; /* rows that follow each other are one */
        rows = 1;
    }
    for (int32_t k = o; k < end; k++) {
        int32_t *to = b->sums + (k - b->base) * b->pitch;
        for (int32_t i = 0; i < b->n; i++) {
            to[i] = 0;
        }
    }
    for (int32_t y = 0; y < rows; y++) {
        const tt_mantissa *dy = b->dy + t->dy_begin + y * t->dy_row;
        const int8_t *x = b->x + t->x_begin + b->c + y * t->x_row;
        for (int32_t i = 0, some; i < n; i += some) {
            some = tt_min(PIXELS, n - i);
            pack(b, x + i * t->x_column, some);
            add_pixels(b, dy + i * t->dy_column, some, o, end);
        }
    }
}

/* Whether a row that is rounded by itself is packed at once, there are two output channels, and a piece is an
 * output channel. */
static int takes_pairs(const tt_conv2d_bwd_weight_params *p, const tt_part *part) {
    const tt_window *w = &p->window;
    return w->out_c > 1 && w->out_h * w->out_w > 1 && (p->row_shift == 0 || w->out_w <= PIXELS) &&
           (part == NULL || w->kernel_h * w->kernel_w == 1);
}

/* What updates of output channels o <= . < end need besides: the dither before all, the tap's number, the
 * gradient's exponent, and whether all of their steps are such as tt_update_quads takes. */
typedef struct {
    tt_rate *rate;
    uint32_t dither;
    const uint16_t *step_mantissa;
    const int8_t *step_exponent;
    int8_t *w, *fraction;
    int32_t taps, tap, exponent;
    int32_t o, end, quads;
    tt_quad_step steps[TT_SUM_ROWS];
} updates;

static inline tt_step step_of(const updates *u, int32_t o) {
    return tt_step_of(u->rate, u->step_mantissa[o], u->step_exponent[o] + u->exponent);
}

static void set_steps(updates *u, int32_t o, int32_t end) {
    u->o = o;
    u->end = end;
    u->quads = 1;
    tt_quad_step *to = u->steps;
    for (; o < end; o++, to++) {
        tt_step step = step_of(u, o);
        if (step.mantissa == 0) { /* moves nothing, whatever the shift */
            step.shift = TT_QUAD_SHIFT_MAX;
        }
        u->quads &= step.shift >= TT_QUAD_SHIFT_MIN && step.shift <= TT_QUAD_SHIFT_MAX;
        uint32_t mask = (1u << ((step.shift - 16) & 31)) - 1u;
        tt_quad_step of = {step.mantissa << 16, (uint32_t)(48 - step.shift), mask};
        *to = of;
    }
    to[-1].dither_shift |= TT_QUAD_LAST;
}

/* Each weight has the dither that it has in the order of NUMERICS.md. */
static void update(const block *b, const updates *u) {
    int32_t channels = b->p->channels, w_step = u->taps * b->p->window.in_c;
    int32_t step = u->taps * channels, at = (u->o * u->taps + u->tap) * channels + b->c;
    const int32_t *sums = b->sums, *end = sums + (u->end - u->o) * b->pitch;
    uint32_t dither = u->dither + (uint32_t)(at - b->first * u->taps * channels) * TT_DITHER_STEP;
    tt_update_quads_of q = {sums, u->w + (u->o * u->taps + u->tap) * b->p->window.in_c + b->c,
        u->fraction + at, dither, u->steps, w_step, step, (uint32_t)(step - 4) * TT_DITHER_STEP};
    while (q.sums != end) {
        int32_t rows = 0;
        if (u->quads && b->n == 4) {
            rows = (int32_t)(tt_update_quads(&q) - q.sums) >> 2;
        }
        q.sums += 4 * rows;
        q.w += rows * w_step;
        q.fraction += rows * step;
        q.dither += (uint32_t)(rows * step) * TT_DITHER_STEP;
        q.steps += rows;
        if (q.sums != end) { /* by the exact rule */
            u->rate->dither = q.dither;
            tt_update_weights(u->rate, step_of(u, u->o + (int32_t)(q.steps - u->steps)), q.sums,
                b->n, q.w, q.fraction);
            q.sums += 4;
            q.w += w_step;
            q.fraction += step;
            q.dither += (uint32_t)step * TT_DITHER_STEP;
            q.steps++;
        }
    }
}

/* All weights of output channels o <= . < end: their sums, and their update if there is a rate. */
static void all_taps(block *b, updates *u, int32_t o, int32_t end) {
    const tt_window *win = &b->p->window;
    for (u->tap = 0; u->tap < u->taps; u->tap++) {
        int32_t ky = (int32_t)tt_divide((uint32_t)u->tap, (uint32_t)win->kernel_w);
        b->tap = tt_tap_of(win, ky, u->tap - ky * win->kernel_w);
        for (b->c = 0; b->c < b->p->channels; b->c += 4) {
            b->n = tt_min(4, b->p->channels - b->c);
            if (u->rate == NULL) {
                b->sums = b->d + u->tap * b->p->channels + b->c;
            }
            add_rows(b, o, end);
            if (u->rate != NULL) {
                update(b, u);
            }
        }
    }
}

void tt_conv2d_bwd_weight(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy, const int8_t *x,
    tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w,
    int8_t *fraction, int32_t *d, tt_part *part) {
    if (!takes_pairs(p, part)) {
        tt_conv2d_bwd_weight_plain(
            p, dy, x, rate, step_mantissa, step_exponent, w, fraction, d, part);
        return;
    }
    const tt_window *win = &p->window;
    int32_t taps = win->kernel_h * win->kernel_w;
    tt_span span = tt_part_take(part, win->out_c);
    block b = {.p = p, .dy = dy->mantissa, .x = x, .d = d, .sums = d, .first = span.first};
    updates u = {.rate = rate,
        .step_mantissa = step_mantissa,
        .step_exponent = step_exponent,
        .w = w,
        .fraction = fraction,
        .taps = taps,
        .exponent = dy->exponent + p->row_shift};
    if (rate == NULL) {
        b.pitch = taps * p->channels;
        all_taps(&b, &u, span.first, span.last);
        return;
    }
    b.pitch = 4;
    u.dither = rate->dither;
    for (int32_t o = span.first, end; o < span.last; o = end) {
        int32_t left =
            span.last - o; /* of one chunk more than needed, half: inputs are packed for each */
        end = o + (left > TT_SUM_ROWS && left < 2 * TT_SUM_ROWS ? ((left + 3) >> 2) * 2
                                                                : tt_min(left, TT_SUM_ROWS));
        b.base = o;
        set_steps(&u, o, end);
        all_taps(&b, &u, o, end);
    }
    int32_t n = (span.last - span.first) * taps * p->channels;
    rate->dither = u.dither + (uint32_t)n * TT_DITHER_STEP;
}
