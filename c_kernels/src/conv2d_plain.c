/* Convolutions to int8, depthwise ones too, in plain C. */
#include "tt_plain.h"

/* tt_conv2d_next_sums, or the like of it for depthwise layers. */
typedef int32_t (*sums_function)(const tt_conv2d *p, tt_patch patch, const int8_t *x,
    const int8_t *w, const int32_t *bias, int32_t o, int32_t *sums);

/* What a layer is given besides its parameters. */
typedef struct {
    const int8_t *x, *w;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
} operands;

static void convolve(
    const tt_conv2d *p, const operands *in, sums_function next, int8_t *y, uint8_t *clip) {
    const tt_window *win = &p->window;
    tt_clip_writer writer = tt_clip_begin(clip);
    int32_t sums[4];
    for (int32_t out_y = 0; out_y < win->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < win->out_w; out_x++) {
            tt_patch patch = tt_patch_of(win, out_y, out_x);
            for (int32_t o = 0; o < win->out_c;) {
                int32_t n = next(p, patch, in->x, in->w, in->bias, o, sums);
                for (int32_t i = 0; i < n; i++, o++) {
                    int32_t v = tt_requantize_s32(sums[i], in->multiplier[o], in->shift[o]);
                    *y++ = tt_clamp(tt_wrap_add(v, p->out_zero), p->low, p->high, &writer);
                }
            }
        }
    }
}

void tt_conv2d_s8_plain(const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias,
    const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip) {
    operands in = {x, w, bias, multiplier, shift};
    convolve(p, &in, tt_conv2d_next_sums, y, clip);
}

/* The sum of output channel `o`. */
static int32_t next_depthwise_sum(const tt_conv2d *p, tt_patch patch, const int8_t *x,
    const int8_t *w, const int32_t *bias, int32_t o, int32_t *sums) {
    int32_t in_c = p->window.in_c, out_c = p->window.out_c, zero = p->in_zero, c = o;
    if (in_c != out_c) {
        c = (int32_t)tt_divide((uint32_t)(o * in_c), (uint32_t)out_c);
    }
    uint32_t sum = bias != NULL ? (uint32_t)bias[o] : 0u;
    x += patch.pixel * in_c + c;
    w += patch.tap * out_c + o;
    for (int32_t rows = patch.rows; rows > 0; rows--) {
        const int8_t *a = x, *b = w;
        for (int32_t n = patch.columns; n > 0; n--) {
            sum += (uint32_t)((*a - zero) * *b);
            a += in_c;
            b += out_c;
        }
        x += p->window.in_w * in_c;
        w += p->window.kernel_w * out_c;
    }
    sums[0] = (int32_t)sum;
    return 1;
}

void tt_depthwise_conv2d_s8_plain(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip) {
    operands in = {x, w, bias, multiplier, shift};
    convolve(p, &in, next_depthwise_sum, y, clip);
}
