/* Gradient of a convolution's input: 1x1 kernels four pixels at a time, output channels in pairs, or
 * each by itself. */
#include "tt_gradient_pairs.h"
#include "tt_mantissas.h"
#include "tt_plain.h"
#include "tt_tile.h"

#define COLUMNS 16 /* input channels at a time: 256 bytes of sums on the stack */

/* What four pixels work on. */
typedef struct {
    const tt_conv2d_bwd_input_params *p;
    const int8_t *w;
    uint32_t *g; /* [out_c / 2][TT_PAIR_PIXELS] pairs; of an odd number the last one alone */
    tt_grad_writer writer;
} pixels;

TT_INLINE uint32_t load_pair(const tt_mantissa *from) {
#if TT_GRADIENT_BITS == 16
    uint32_t pair;
    __builtin_memcpy(&pair, from, sizeof pair);
    return pair;
#else
    return tt_join_low((uint32_t)from[0], (uint32_t)from[1]);
#endif
}

/* tt_real_gradient of both: the products are cut one bit lower, where one is half a unit. The factors are
 * scale * 2^(headroom + 2) <= 2^25. */
TT_INLINE uint32_t real_pair(uint32_t dy, int32_t first, int32_t second) {
    uint32_t low = (uint32_t)(tt_multiply_low_half(first, dy, 1) >> 1);
    uint32_t high = (uint32_t)(tt_multiply_high_half(second, dy, 1) >> 1);
    return tt_join_low(low, high);
}

/* The real-valued gradients of `rows` pixels; those beyond repeat the last. */
static void scale_pixels(
    const pixels *at, const tt_mantissa *dy, const uint16_t *scale, int32_t rows) {
    int32_t out_c = at->p->window.out_c, up = at->p->headroom + 2;
    const tt_mantissa *dy1 = dy + (rows > 1 ? out_c : 0);
    const tt_mantissa *dy2 = dy1 + (rows > 2 ? out_c : 0);
    const tt_mantissa *dy3 = dy2 + (rows > 3 ? out_c : 0);
    uint32_t *to = at->g;
    for (int32_t o = 0; o + 1 < out_c; o += 2, to += TT_PAIR_PIXELS) {
        int32_t first = scale[o] << up, second = scale[o + 1] << up;
        to[0] = real_pair(load_pair(dy + o), first, second);
        to[1] = real_pair(load_pair(dy1 + o), first, second);
        to[2] = real_pair(load_pair(dy2 + o), first, second);
        to[3] = real_pair(load_pair(dy3 + o), first, second);
    }
    if ((out_c & 1) != 0) {
        dy += out_c - 1;
        for (int32_t r = 0; r < TT_PAIR_PIXELS; r++) {
            int32_t one = 1 << at->p->headroom;
            to[r] = (uint32_t)tt_real_gradient(*dy, one, scale[out_c - 1]);
            dy += r + 1 < rows ? out_c : 0;
        }
    }
}

/* The last of an odd number of output channels, for n columns from w on. */
static void add_last(const pixels *at, const int8_t *w, int32_t n, int32_t *sums) {
    const tt_window *win = &at->p->window;
    const uint32_t *g = at->g + (win->out_c >> 1) * TT_PAIR_PIXELS;
    w += (win->out_c - 1) * win->in_c;
    for (int32_t c = 0; c < n; c++, sums += TT_PAIR_PIXELS) {
        for (int32_t r = 0; r < TT_PAIR_PIXELS; r++) {
            sums[r] += (int32_t)g[r] * w[c];
        }
    }
}

/* `rows` pixels of dx: most often four whose mantissas fit. */
static void tile_pixels(pixels *at, int32_t rows) {
    const tt_window *win = &at->p->window;
    tt_grad_writer *writer = &at->writer;
    int32_t in_c = win->in_c, out_c = win->out_c, first = writer->written;
    int32_t sums[COLUMNS * TT_PAIR_PIXELS];
    int direct = TT_GRADIENT_BITS == 16 && rows == TT_PAIR_PIXELS && (out_c & 1) == 0 &&
                 at->p->limit == TT_MANTISSA_MAX;
    tt_grad_reserve(writer, rows * in_c);
    for (int32_t i = 0, n; i < in_c; i += n) {
        tt_pair_columns tile = {in_c, out_c >> 1, (in_c - i) >> 1, 2 * in_c, writer->shift};
        if (direct && tile.columns > 0) {
            tt_mantissa *to = writer->grad->mantissa + first + i;
            n = 2 * (tile.columns - tt_gradient_pairs(at->g, at->w + i, &tile, to));
            if (n > 0) {
                continue;
            }
        }
        n = tt_min(COLUMNS, in_c - i) & ~1;
        if (n == 0) { /* the last one, and once more that before it */
            n = 2;
            i--;
        }
        tile.columns = n >> 1;
        tile.row = 0;
        tt_gradient_pairs(at->g, at->w + i, &tile, sums);
        if ((out_c & 1) != 0) {
            add_last(at, at->w + i, n, sums);
        }
        for (int32_t r = 0; r < rows; r++) {
            tt_grad_put(writer, first + r * in_c + i, 1, sums + r, TT_PAIR_PIXELS, n);
        }
    }
}

void tt_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy, const int8_t *w,
    const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    int single = tt_fully_connected(win) && tt_weights_in_words(p, w);
    if (!single && (!tt_takes_tiles(win) || win->in_c < 2 || win->out_c < 4)) {
        tt_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
        return;
    }
    pixels at = {
        p, w, (uint32_t *)scratch, tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part)};
    tt_sparse sparse = {p, w, scale, scratch, &at.writer, 0};
    if (single) {
        tt_single_pixel(&sparse, dy->mantissa, part);
        tt_grad_pause(&at.writer, part);
        return;
    }
    tt_span span = tt_part_take(part, win->in_h * win->in_w);
    const tt_mantissa *g = dy->mantissa + span.first * win->out_c;
    for (int32_t pixel = span.first; pixel < span.last; pixel += TT_PAIR_PIXELS) {
        int32_t rows = tt_min(TT_PAIR_PIXELS, span.last - pixel);
        if (!tt_sparse_pixels(&sparse, g, rows)) {
            scale_pixels(&at, g, scale, rows);
            tile_pixels(&at, rows);
        }
        g += rows * win->out_c;
    }
    tt_grad_pause(&at.writer, part);
}
