/* Gradients of pixels' inputs, each pixel by itself: passes over what is 0 of its outputs' gradient. */
#include "tt_tile.h"

#define CHANNELS 64 /* at a time: 256 bytes of sums on the stack */

/* Whether a third of the elements or more is 0, going by every 13th of these n (at a prime distance all channels
 * have their turn) and, half as much, by those before. A product costs 1.1 to 1.8 times what it does in a tile. */
static int many_zeros(tt_sparse *s, const tt_mantissa *dy, int32_t n) {
    int32_t balance = s->balance >> 1;
    for (const tt_mantissa *end = dy + n; dy < end; dy += 13) {
        balance--;
        if (*dy == 0) {
            balance += 3;
        }
    }
    s->balance = balance;
    return balance >= 0;
}

/* What of a pixel's gradient is not 0, each with the index of its weights; returns how many, made even. */
static int32_t pack_factors(const tt_sparse *s, const tt_mantissa *dy) {
    const tt_window *win = &s->p->window;
    const uint16_t *scale = s->scale;
    int32_t in_c = win->in_c, one = 1 << s->p->headroom, *to = s->factors;
    const tt_mantissa *end = dy + win->out_c;
    for (int32_t at = 0; dy < end; dy++, scale++, at += in_c) {
        int32_t g = *dy;
        if (g != 0 && (g = tt_real_gradient(g, one, *scale)) != 0) {
            *to++ = g;
            *to++ = at;
        }
    }
    int32_t n = (int32_t)(to - s->factors) >> 1;
    if ((n & 1) != 0) {
        to[0] = to[1] = 0;
        n++;
    }
    return n;
}

static void append_zeros(tt_grad_writer *writer, int32_t n) {
    tt_mantissa *to = writer->grad->mantissa + writer->written;
    writer->written += n;
    for (; n > 0; n--) {
        *to++ = 0;
    }
}

/* Append the gradients of `channels` inputs of a pixel. */
static void sparse_pixel(const tt_sparse *s, const tt_mantissa *dy, int32_t channels) {
    int32_t n = pack_factors(s, dy);
    if (n == 0) {
        append_zeros(s->writer, channels);
        return;
    }
    const int8_t *w = s->w;
    int32_t sums[CHANNELS];
    for (int32_t count; channels > 0; channels -= count, w += count) {
        count = tt_min(CHANNELS, channels);
        tt_gradient_row(s->factors, n, w, count >> 2, sums);
        tt_grad_push(s->writer, sums, count);
    }
}

void tt_single_pixel(tt_sparse *s, const tt_mantissa *dy, tt_part *part) {
    tt_span span = tt_channels_take(part, s->p->window.in_c);
    s->w += span.first;
    sparse_pixel(s, dy, span.last - span.first);
}

int tt_sparse_pixels(tt_sparse *s, const tt_mantissa *dy, int32_t pixels) {
    const tt_window *win = &s->p->window;
    if (!tt_weights_in_words(s->p, s->w) || !many_zeros(s, dy, pixels * win->out_c)) {
        return 0;
    }
    for (; pixels > 0; pixels--, dy += win->out_c) {
        sparse_pixel(s, dy, win->in_c);
    }
    return 1;
}
