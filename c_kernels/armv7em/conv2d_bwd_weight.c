/* Gradient of a convolution's weights and their update: four input channels are packed as pairs of pixels, for
 * two output channels at a time. */
#include "tt_dsp.h"
#include "tt_packing.h"
#include "tt_part.h"
#include "tt_plain.h"
#include "tt_update.h"
#include "tt_weight_pairs.h"

#define PIXELS 64 /* packed at a time: 512 bytes on the stack */

/* Four weights of some output channels at one tap. */
typedef struct {
    const tt_conv2d_bwd_weight_params *p;
    const tt_mantissa *dy;
    const int8_t *x;
    int32_t *sums; /* of output channel `base` and those behind it, `pitch` apart */
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
    if (n == 4) {
        v = tt_load_4(x);
    } else {
        for (int32_t i = 0; i < n; i++) {
            v |= (uint32_t)(uint8_t)x[i] << 8 * i;
        }
    }
    quad q = {tt_add_even_bytes(zero, v), tt_add_odd_bytes(zero, v)};
    return q;
}

/* n > 0 pixels from x on; the last one of an odd number makes a pair with zeros. */
static void pack(block *b, const int8_t *x, int32_t n) {
    uint32_t *to = b->packed, minus = (uint32_t)-b->p->in_zero, zero = tt_join_low(minus, minus);
    int32_t step = b->tap.x_column, channels = b->n;
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
    const uint32_t *x = b->packed, *end = x + 4 * (n >> 1);
    tt_weight_pairs_of s = {dy, 2 * b->tap.dy_column, x, end, sums, 4 * step};
    if (n > 1) {
        tt_weight_pairs(&s);
    }
    if ((n & 1) != 0) { /* the second pixel is no other, and counts nothing */
        tt_weight_pairs_of last = {
            dy + (n - 1) * b->tap.dy_column, 0, end, end + 4, sums, 4 * step};
        tt_weight_pairs(&last);
    }
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
            if (o == b->first || rows > 1 || n > PIXELS) { /* else it is still there */
                pack(b, x + i * t->x_column, some);
            }
            add_pixels(b, dy + i * t->dy_column, some, o, end);
        }
    }
}

/* Whether a row that is rounded by itself is packed at once, there are two output channels, and a piece is an
 * output channel. */
static int takes_pairs(const tt_conv2d_bwd_weight_params *p, const tt_part *part) {
    const tt_window *w = &p->window;
    return TT_GRADIENT_BITS == 16 && w->out_c > 1 && w->out_h * w->out_w > 1 &&
           (p->row_shift == 0 || w->out_w <= PIXELS) &&
           (part == NULL || w->kernel_h * w->kernel_w == 1);
}

/* What updates need besides: the dither before all, the tap's number, and the gradient's exponent. */
typedef struct {
    tt_rate *rate;
    uint32_t dither;
    const uint16_t *step_mantissa;
    const int8_t *step_exponent;
    int8_t *w, *fraction;
    int32_t taps, tap, exponent;
} updates;

/* Each weight has the dither that it has in the order of NUMERICS.md. */
static void update(const block *b, const updates *u, int32_t o, int32_t end) {
    int32_t channels = b->p->channels, in_c = b->p->window.in_c;
    const int32_t *sums = b->sums;
    for (; o < end; o++, sums += b->pitch) {
        tt_step step = tt_step_of(u->rate, u->step_mantissa[o], u->step_exponent[o] + u->exponent);
        int32_t row = o * u->taps + u->tap, at = row * channels + b->c;
        int32_t before = at - b->first * u->taps * channels;
        u->rate->dither = u->dither + (uint32_t)before * TT_DITHER_STEP;
        tt_update_weights(u->rate, step, sums, b->n, u->w + row * in_c + b->c, u->fraction + at);
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
    int32_t taps = win->kernel_h * win->kernel_w, channels = p->channels;
    tt_span span = tt_part_take(part, win->out_c);
    block b = {.p = p, .dy = dy->mantissa, .x = x, .pitch = 4, .first = span.first};
    updates u = {
        rate, 0, step_mantissa, step_exponent, w, fraction, taps, 0, dy->exponent + p->row_shift};
    if (rate != NULL) {
        u.dither = rate->dither;
    }
    for (; u.tap < taps; u.tap++) {
        int32_t ky = (int32_t)tt_divide((uint32_t)u.tap, (uint32_t)win->kernel_w);
        b.tap = tt_tap_of(win, ky, u.tap - ky * win->kernel_w);
        for (b.c = 0; b.c < channels; b.c += 4) {
            b.n = tt_min(4, channels - b.c);
            if (rate == NULL) {
                b.pitch = taps * channels;
                b.sums = d + u.tap * channels + b.c;
                add_rows(&b, span.first, span.last);
                continue;
            }
            for (int32_t o = span.first, end; o < span.last; o = end) {
                end = tt_min(o + TT_SUM_ROWS, span.last);
                b.sums = d;
                b.base = o;
                add_rows(&b, o, end);
                update(&b, &u, o, end);
            }
        }
    }
    if (rate != NULL) {
        int32_t n = (span.last - span.first) * taps * channels;
        rate->dither = u.dither + (uint32_t)n * TT_DITHER_STEP;
    }
}
