/* The kernels of tinytrain: every declaration there is, in C that cffi's cdef() can read as well.
 *
 * Included through tinytrain.h. docs/NUMERICS.md derives the formulas; here each prototype says
 * what it computes, on which ranges, and why no accumulator overflows.
 *
 * tt_mantissa is int16_t, or int8_t in a build with int8 gradients: the one type that whoever
 * includes or reads this file defines before it.
 *
 * Feature maps are int8 in NHWC order, batch 1. Arguments: parameters, inputs, outputs, scratch.
 * Pointers to int32_t and tt_grad are aligned to 4 bytes. `clip`, where an op has it, is one bit
 * per output element (element i is bit i & 7 of byte i >> 3): 1 where the output was not clamped;
 * it may be NULL when nobody asks. No kernel allocates, keeps state, or calls a library. */

#define TT_ABI 1

enum {
    TT_FRACTION_BITS = 8,     /* trained weights and biases carry 8 bits below their integer */
    TT_ZERO_EXPONENT = -1000, /* of a gradient that is zero everywhere: never dominates a sum */
};

/* ---- types -------------------------------------------------------------------------------- */

/* A window that slides over a feature map. Output pixel (y, x) reads input rows
 * y * stride_h - pad_top + [0, kernel_h), columns likewise; what lies outside does not count. Forward,
 * a part of the outputs is a window with fewer rows or columns and smaller, perhaps negative pads. */
typedef struct {
    int16_t in_h, in_w, in_c;
    int16_t out_h, out_w, out_c;
    int16_t kernel_h, kernel_w;
    int16_t stride_h, stride_w;
    int16_t pad_top, pad_left;
} tt_window;

/* A gradient: element i stands for mantissa[i] * 2^exponent, the derivative of the loss with
 * respect to a real (dequantized) value. |mantissa| <= limit of the kernel that wrote it; the
 * builder chooses each limit (2^k - 1 that a tt_mantissa holds) so that no consumer's sum leaves int32.
 * What has to be cut off is dropped from int16 mantissas, and rounded in int8 ones. */
typedef struct {
    int32_t exponent;
    tt_mantissa mantissa[];
} tt_grad;

/* The learning rate as mantissa * 2^exponent (mantissa 0, or 2^14 <= mantissa < 2^15) and the
 * running value that decides how updates are rounded. The rest is read by the kernels called
 * __optimizer, __batch and apply alone: the weight decay, a factor like the rate; the momentum in
 * units of 2^-16; whether gradients are added up (1) or applied (0). */
typedef struct {
    int32_t mantissa;
    int32_t exponent;
    uint32_t dither;
    int32_t decay_mantissa;
    int32_t decay_exponent;
    int32_t momentum;
    int32_t accumulate;
} tt_rate;

/* The sum of a parameter's gradients over a batch: element i stands for sum[i] * 2^exponent,
 * |sum| < 2^30. The exponent is TT_ZERO_EXPONENT while all are zero. */
typedef struct {
    int32_t exponent;
    int32_t sum[];
} tt_sums;

/* A part of a kernel's work, for whoever cannot wait for all of it: kernels with such an argument do
 * at most `units` pieces, from number `at` on (0 at first), and leave in `at` where to go on, 0 when
 * all is done. The other fields are theirs and 0 at first; no other argument may change in between,
 * nor may scratch and outputs be touched. The results are those of one call. NULL: everything.
 * A piece is the smallest that a kernel stops at: an element, a pixel, four channels of a single pixel,
 * a tap of an output channel. */
typedef struct {
    int32_t at, units;
    int32_t written, shift;
} tt_part;

/* ---- forward ------------------------------------------------------------------------------ */

typedef struct {
    tt_window window;
    int16_t in_zero;
    int16_t out_zero;
    int16_t low, high;
} tt_conv2d;

/* y[o] = clamp(out_zero + requantize(bias[o] + sum (x - in_zero) * w[o], multiplier[o], shift[o]))
 *
 * x [in_h,in_w,in_c], w [out_c,kernel_h,kernel_w,in_c], y [out_h,out_w,out_c]; bias [out_c] may be
 * NULL. A fully connected layer is a 1x1 kernel. Sums wrap in 32 bits, as the
 * reference's do. Scratch: weights and one window, packed for the multiplier of a target; may be
 * NULL where it has no bytes. */
void tt_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias,
    const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip, int32_t *scratch);
int32_t tt_conv2d_s8_scratch(const tt_conv2d *p);

/* The same sums, not rescaled: y[o] = bias[o] + sum (x - in_zero) * w[o], y [out_h,out_w,out_c].
 * Used for the layer whose output enters the loss. */
void tt_conv2d_s32(
    const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias, int32_t *y);

/* As tt_conv2d_s8 with w [kernel_h,kernel_w,out_c] and one input channel per output channel:
 * output channel o reads input channel o / (out_c / in_c). Scratch: some rows of one channel and
 * its weights, packed. */
void tt_depthwise_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch);
int32_t tt_depthwise_conv2d_s8_scratch(const tt_conv2d *p);

/* Bytes of memory by which y may begin before x so that both may overlap, a multiple of 4; a common
 * multiple of 4 and in_c may be added; -1 if they must be apart. Output pixels are written in order, each channel of one after all that reads
 * this or an earlier pixel's window in this channel (channels in any order): y then only ever
 * replaces what no window needs any more. */
int32_t tt_depthwise_conv2d_s8_lead(const tt_conv2d *p);

typedef struct {
    int32_t size;
    int16_t a_zero, b_zero, out_zero;
    int16_t low, high;
    int16_t a_shift, b_shift, out_shift;
    int32_t a_multiplier, b_multiplier, out_multiplier;
} tt_add;

/* y = clamp(out_zero + requantize(ra + rb, out)), ra = requantize((a - a_zero) << 20, a), rb alike.
 * All of a, b, y have `size` elements; the shifts are <= 0. |ra|, |rb| <= 2^28. y may be a or b. */
void tt_add_s8(const tt_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint8_t *clip);

typedef struct {
    tt_window window;
    int16_t low, high;
} tt_pool2d;

/* y = clamp(mean of the window's part inside the map), halves away from zero; in_c = out_c. Here and
 * in all pools, every window has some part inside the map. */
void tt_average_pool2d_s8(const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip);

/* y = clamp(largest value of the window's part inside the map); in_c = out_c. */
void tt_max_pool2d_s8(const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip);

typedef struct {
    int16_t outer, count, inner;
    int16_t in_zero, out_zero, shift;
    int32_t multiplier;
} tt_mean;

/* y[outer,inner] = clamp(out_zero + requantize(sum over count of x - in_zero, multiplier, shift));
 * the multiplier contains 1 / count. x [outer,count,inner]; |sum| <= 255 * 32767. */
void tt_mean_s8(const tt_mean *p, const int8_t *x, int8_t *y, uint8_t *clip);

typedef struct {
    int16_t in_h, in_w, channels;
    int16_t out_h, out_w;
    int16_t pad_top, pad_left;
    int16_t value;
} tt_pad;

/* y [out_h,out_w,channels] = value, with x [in_h,in_w,channels] at (pad_top, pad_left). */
void tt_pad_s8(const tt_pad *p, const int8_t *x, int8_t *y);

typedef struct {
    int32_t size;
    int16_t in_zero, out_zero;
    int16_t low, high;
    int16_t identity;
    int16_t shift;
    int32_t multiplier;
} tt_requantize;

/* y = clamp(out_zero + requantize(x - in_zero, multiplier, shift)), or clamp(x) if identity.
 * y may be x. */
void tt_requantize_s8(const tt_requantize *p, const int8_t *x, int8_t *y, uint8_t *clip);

typedef struct {
    int16_t rows, depth;
    int16_t shift;
    int16_t diff_min;
    int32_t multiplier;
} tt_softmax;

/* y = 256 * softmax(x) - 128 per row of `depth`, in the fixed point of the gemmlowp library.
 * Differences to the row's maximum below diff_min count as probability 0; shift >= 0 and
 * |diff_min| * 2^shift <= 2^31. The sum of a row, below 2^12, limits depth to 4095. y may be x. */
void tt_softmax_s8(const tt_softmax *p, const int8_t *x, int8_t *y);

/* The rows of a table that an input chooses. */
typedef struct {
    int32_t rows;
    int16_t count, depth;
} tt_embedding;

/* y[n] = w[x[n]]; x [count], 0 <= x[n] < rows, w [rows,depth], y [count,depth]. */
void tt_embedding_s8(const tt_embedding *p, const int32_t *x, const int8_t *w, int8_t *y);

/* ---- a part of a map ----------------------------------------------------------------------- */

/* A block of rows x columns pixels somewhere in a map, perhaps partly outside. */
typedef struct {
    int16_t map_h, map_w, channels;
    int16_t rows, columns;
    int16_t value;
} tt_block;

/* y [rows,columns,channels] = the block of map x whose first pixel is (top, left); `value` outside. */
void tt_crop_s8(const tt_block *p, int32_t top, int32_t left, const int8_t *x, int8_t *y);

/* Set what of block y lies outside the map to `value`. */
void tt_border_s8(const tt_block *p, int32_t top, int32_t left, int8_t *y);

/* Write block x into map y; what of it lies outside is dropped. */
void tt_paste_s8(const tt_block *p, int32_t top, int32_t left, const int8_t *x, int8_t *y);

/* ---- some channels of an array --------------------------------------------------------------- */

/* Which: index[0] < index[1] < ..., `taken` of them, or the first ones if index is NULL. */
typedef struct {
    int32_t rows;
    int16_t channels, taken;
} tt_channels;

/* y [rows,taken] = the chosen channels of x [rows,channels]. */
void tt_take_channels_s8(const tt_channels *p, const int16_t *index, const int8_t *x, int8_t *y);

/* The same of a gradient: dx has the exponent of dy. */
void tt_take_channels_grad(
    const tt_channels *p, const int16_t *index, const tt_grad *dy, tt_grad *dx);

/* y = x [rows,channels] with the chosen channels from trained [rows,taken]. */
void tt_merge_channels_s8(
    const tt_channels *p, const int16_t *index, const int8_t *x, const int8_t *trained, int8_t *y);

/* ---- layers trained in part ------------------------------------------------------------------ */

typedef struct {
    tt_conv2d layer;
    int16_t taken, block;
} tt_conv2d_partial;

/* tt_conv2d_s8 with `taken` input channels of the weight from trained [out_c,kernel_h,kernel_w,taken],
 * as tt_merge_channels_s8 would put it together. That is done for `block` output channels at a time, a
 * piece: a multiple of 8 that divides out_c. Scratch: their weights and outputs, and that of
 * tt_conv2d_s8. */
void tt_conv2d_s8__partial(const tt_conv2d_partial *p, const int16_t *index, const int8_t *x,
    const int8_t *w, const int8_t *trained, const int32_t *bias, const int32_t *multiplier,
    const int8_t *shift, int8_t *y, uint8_t *clip, int32_t *scratch, tt_part *part);
int32_t tt_conv2d_s8__partial_scratch(const tt_conv2d_partial *p);

/* ---- loss --------------------------------------------------------------------------------- */

/* y = x - zero, for a model whose last layer is none with 32-bit sums. */
void tt_widen_s8(int32_t size, int32_t zero, const int8_t *x, int32_t *y);

typedef struct {
    int16_t classes;
    int16_t limit;
} tt_cross_entropy;

/* Softmax cross-entropy of one labelled example, 1 <= classes <= 4096, 0 <= label < classes.
 *
 * logit[c] = requantize(sums[c], multiplier[c], shift[c]) in units of 2^-12; the builder proves
 * that |logit| < 2^30. d_logits[c] = p[c] - (c == label), its sum exactly 0 before it is normalized
 * to the limit; loss = -ln p[label] in units of 2^-20, saturated below 2^31.
 * Error of p: 4e-4 of it + 2^-28; of the loss: 1e-3 of it + 2^-17. */
void tt_softmax_cross_entropy(const tt_cross_entropy *p, const int32_t *sums,
    const int32_t *multiplier, const int8_t *shift, int32_t label, tt_grad *d_logits, int32_t *loss,
    int32_t *scratch);

/* Bytes of scratch: 4 per class. */
int32_t tt_softmax_cross_entropy_scratch(const tt_cross_entropy *p);

/* ---- losses with a target for each output ---------------------------------------------------- */

typedef struct {
    int32_t size;
    int16_t channels;
    int16_t limit;
    int32_t reciprocal;
    int16_t reciprocal_bits;
} tt_sigmoid;

/* Binary cross-entropy of `size` independent labels, the mean over them as torch's BCEWithLogitsLoss;
 * size <= 2^20. target[i] is 0 or not 0; d_logits [size].
 *
 * logit[i] as above with the factors of channel i % channels; d_logits[i] = (sigmoid(logit[i]) -
 * target[i]) / size, normalized to the limit; loss = mean of ln(1 + exp(-|logit|)), plus |logit|
 * where its sign is wrong, in units of 2^-20, saturated below 2^31. 1 / size = reciprocal *
 * 2^-reciprocal_bits, 2^15 <= reciprocal <= 2^16.
 * Error of sigmoid: 5e-4 of it + 2^-28, and of 1 - sigmoid alike; of the loss: 1e-3 of it + 2^-19. */
void tt_sigmoid_cross_entropy(const tt_sigmoid *p, const int32_t *sums, const int32_t *multiplier,
    const int8_t *shift, const int8_t *target, tt_grad *d_logits, int32_t *loss);

/* What a target's integers mean to tt_mean_squared_error: requantize(t - zero, multiplier, shift). */
typedef struct {
    int16_t zero;
    int16_t shift;
    int32_t multiplier;
} tt_target;

typedef struct {
    int32_t size;
    int16_t channels;
    int16_t limit;
    int16_t exponent;
    int16_t loss_shift;
    int32_t loss_factor;
    tt_target output, input;
} tt_squared_error;

/* Mean squared error of `size` outputs, as torch's MSELoss; size <= 2^20. The target is quantized as
 * the model's output, or with as_input as its input; d_output [size].
 *
 * error[i] = requantize(sums[i], multiplier[i % channels], shift[i % channels]) - the same of the
 * target, in units such that d_output[i] = error[i] * 2^exponent = 2 (y - t) / size in real value; the
 * builder proves that both terms stay within 2^29. loss = sum error^2 * loss_factor * 2^-loss_shift,
 * 2^15 <= loss_factor <= 2^16, in units that the builder chooses, saturated below 2^31; each square
 * is cut to 16 bits of its root. Error of the loss: 2e-4 of it + 1 unit, beside that of `error`. */
void tt_mean_squared_error(const tt_squared_error *p, const int32_t *sums,
    const int32_t *multiplier, const int8_t *shift, int32_t as_input, const int8_t *target,
    tt_grad *d_output, int32_t *loss);

/* ---- backward: gradients of activations --------------------------------------------------- */

typedef struct {
    int32_t size;
    int16_t limit;
} tt_elementwise_bwd;

/* dx = dy where the clip bit is 1, else 0; renormalized to the limit. dx may be dy. */
void tt_clip_bwd(const tt_elementwise_bwd *p, const tt_grad *dy, const uint8_t *clip, tt_grad *dx,
    tt_part *part);

/* y = a + b, for a value that is used twice. y may be a or b. */
void tt_grad_add(
    const tt_elementwise_bwd *p, const tt_grad *a, const tt_grad *b, tt_grad *y, tt_part *part);

typedef struct {
    tt_window window;
    int16_t limit;
    int16_t exponent;
    int16_t headroom;
} tt_conv2d_bwd_input_params;

/* dx[i] = sum over windows, o of round(dy[o] * 2^headroom * scale[o] / 2^15) * w[o,ky,kx,i], times
 * 2^exponent.
 *
 * scale[o] / 2^15 * 2^(exponent + headroom) is the weight scale of output channel o, scale <= 2^15.
 * The builder limits dy and chooses headroom <= 8 so that sum |dy| * 2^headroom * |w| < 2^31 and
 * |dy| * 2^headroom < 2^15. Scratch: one pixel of int32 sums, or what a target packs. */
void tt_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy, const int8_t *w,
    const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part);
int32_t tt_conv2d_bwd_input_scratch(const tt_conv2d_bwd_input_params *p);

typedef struct {
    tt_conv2d_bwd_input_params gradient;
    int16_t taken;
} tt_conv2d_partial_bwd_input;

/* The same for a 1x1 kernel with stride 1 on a map of several pixels, the weights of the chosen input
 * channels (ascending) from trained [out_c,taken]. Scratch: the gradients of four output pixels. */
void tt_conv2d_bwd_input__partial(const tt_conv2d_partial_bwd_input *p, const int16_t *index,
    const tt_grad *dy, const int8_t *w, const int8_t *trained, const uint16_t *scale, tt_grad *dx,
    int32_t *scratch, tt_part *part);
int32_t tt_conv2d_bwd_input__partial_scratch(const tt_conv2d_partial_bwd_input *p);

/* dx[i] = sum over the output channels o of i of floor(s[o] * scale[o] / 2^15),
 * s[o] = sum over windows of dy[o] * 2^headroom * w[ky,kx,o]; bounds and units as above. */
void tt_depthwise_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part);
int32_t tt_depthwise_conv2d_bwd_input_scratch(const tt_conv2d_bwd_input_params *p);

typedef struct {
    tt_window window;
    int16_t limit;
    int16_t reciprocal_bits;
} tt_pool2d_bwd;

/* dx = sum over windows of dy * round(2^reciprocal_bits / n) * 2^-reciprocal_bits, n being the
 * elements of that window inside the map. The builder limits dy so that the sum fits int32. */
void tt_average_pool2d_bwd(
    const tt_pool2d_bwd *p, const tt_grad *dy, tt_grad *dx, int32_t *scratch, tt_part *part);
int32_t tt_average_pool2d_bwd_scratch(const tt_pool2d_bwd *p);

/* dx = sum of dy over the windows whose first largest element this is. x: the input of forward;
 * reciprocal_bits is 0. */
void tt_max_pool2d_bwd(const tt_pool2d_bwd *p, const tt_grad *dy, const int8_t *x, tt_grad *dx,
    int32_t *scratch, tt_part *part);
int32_t tt_max_pool2d_bwd_scratch(const tt_pool2d_bwd *p);

typedef struct {
    int16_t outer, count, inner;
    int16_t limit;
    int32_t reciprocal;
    int16_t reciprocal_bits;
} tt_mean_bwd_params;

/* dx[outer,count,inner] = dy[outer,inner] * reciprocal * 2^-reciprocal_bits;
 * reciprocal = round(2^reciprocal_bits / count) < 2^16. Scratch: `inner` int32. */
void tt_mean_bwd(
    const tt_mean_bwd_params *p, const tt_grad *dy, tt_grad *dx, int32_t *scratch, tt_part *part);
int32_t tt_mean_bwd_scratch(const tt_mean_bwd_params *p);

typedef struct {
    tt_pad pad;
    int16_t limit;
} tt_pad_bwd_params;

/* dx = the inner part of dy, renormalized to the limit. */
void tt_pad_bwd(const tt_pad_bwd_params *p, const tt_grad *dy, tt_grad *dx, tt_part *part);

/* ---- backward: gradients of parameters, and their update in place ------------------------- */

typedef struct {
    tt_window window;
    int16_t in_zero;
    int16_t channels;
    int16_t row_shift;
} tt_conv2d_bwd_weight_params;

/* d[o,ky,kx,i] = sum over rows of round(sum over a row's pixels of dy[o] * (x[i] - in_zero), row_shift)
 * for the first `channels` input channels, times 2^(dy exponent + row_shift); then, if rate is not
 * NULL, w and its fraction [out_c,kernel_h,kernel_w,channels] are updated (see tt_update in
 * docs/NUMERICS.md): delta = d * 2^(dy exponent + row_shift) * rate * step_mantissa[o] *
 * 2^step_exponent[o] in units of w, rounded to 2^-8 with probability given by what is cut off, and
 * w - delta saturates at +-127; what has delta 0 stays as it is. step_mantissa is 0 (nothing moves)
 * or in [2^14, 2^15).
 *
 * d: [kernel_h,kernel_w,channels] int32, reused for each o, or what a target packs; with rate NULL it is
 * [out_c,kernel_h,kernel_w,channels], receives all sums, and has that scratch behind it. The builder limits dy so that a row's
 * sum fits int32, and chooses row_shift so that out_h * ((|row's sum| >> row_shift) + 1) does. */
void tt_conv2d_bwd_weight(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy, const int8_t *x,
    tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w,
    int8_t *fraction, int32_t *d, tt_part *part);
int32_t tt_conv2d_bwd_weight_scratch(const tt_conv2d_bwd_weight_params *p);

/* The same for w [kernel_h,kernel_w,out_c]; `channels` counts input channels, fraction is
 * [kernel_h,kernel_w,channels * (out_c / in_c)], d [kernel_h,kernel_w] and some rows of one channel behind
 * it or, with rate NULL, [channels * (out_c / in_c),kernel_h,kernel_w] alone. */
void tt_depthwise_conv2d_bwd_weight(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, int8_t *fraction, int32_t *d, tt_part *part);
int32_t tt_depthwise_conv2d_bwd_weight_scratch(const tt_conv2d_bwd_weight_params *p);

typedef struct {
    int32_t pixels;
    int16_t channels;
    int32_t bias_limit;
} tt_bias_bwd_params;

/* d[o] = sum over pixels of dy[o] (pixels * limit < 2^31); then, if rate is not NULL, bias and its
 * fraction [channels] are updated like weights; the bias saturates at +-bias_limit, which the
 * builder chooses so that the forward sum fits int32. d: int32 [channels]. */
void tt_bias_bwd(const tt_bias_bwd_params *p, const tt_grad *dy, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, int8_t *fraction,
    int32_t *d, tt_part *part);
int32_t tt_bias_bwd_scratch(const tt_bias_bwd_params *p);

/* d[r] = sum of dy[n] over the positions n with x[n] = r (count * limit < 2^31); then, if rate is not
 * NULL, the rows of w and fraction [rows,depth] that x chooses are updated as above, in the order in
 * which x first names them; all share step_mantissa[0] and step_exponent[0]. Nothing is done to the
 * others. d: int32 [depth], reused for each row; with rate NULL it is [rows,depth] and receives all
 * sums, 0 for rows that x does not choose. A piece is a position. */
void tt_embedding_bwd_weight(const tt_embedding *p, const tt_grad *dy, const int32_t *x,
    tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w,
    int8_t *fraction, int32_t *d, tt_part *part);
int32_t tt_embedding_bwd_weight_scratch(const tt_embedding *p);

/* ---- updates with momentum, weight decay, batches, and weights of other precision ----------- */

/* How a parameter is kept and moved. Weights (w, bias) have `fraction_bits` bits below their
 * integer: 8, one to a byte; 4, two to a byte (the even one in the low half); or 0, no fraction
 * plane. The fraction and velocity planes and tt_sums have one element per trained parameter in the
 * order of updates: output channel, tap, input channel.
 *
 *   v = round(momentum * v) + round(rate * gradient) + round(rate * decay * w)  units 2^-velocity_bits
 *   w = w - round(v)                                                           units 2^-fraction_bits
 *
 * velocity NULL: there is no momentum, and velocity_bits = fraction_bits. v saturates at 2^15 - 1,
 * that of a bias at 2^28; biases do not decay. Every rounding is dithered, but those to the units of
 * w are to the nearest if `nearest` is 1. w saturates at +-limit, if it moves. The rate is taken
 * times layer_mantissa * 2^layer_exponent for the decay (step_mantissa holds it already). */
typedef struct {
    int16_t fraction_bits;
    int16_t velocity_bits;
    int16_t nearest;
    int16_t layer_mantissa;
    int16_t layer_exponent;
    int32_t limit;
} tt_optimizer;

/* Where trained weights lie: for each of `rows` output channels `groups` times `run` weights;
 * channel o and group g begin at o * row_step + g * group_step. */
typedef struct {
    int32_t rows, groups, run;
    int32_t row_step, group_step;
    tt_optimizer optimizer;
} tt_trained;

typedef struct {
    tt_conv2d_bwd_weight_params gradient;
    tt_trained trained;
} tt_conv2d_train_params;

typedef struct {
    tt_bias_bwd_params gradient;
    tt_optimizer optimizer;
} tt_bias_train_params;

/* trained: one output channel whose groups are the rows; layer_mantissa is 0, as rows do not decay. */
typedef struct {
    tt_embedding gradient;
    tt_trained trained;
} tt_embedding_train_params;

/* As the kernels without suffix with a rate, updating as said above; d is scratch of that size. Of an
 * embedding with a velocity, the rows that x does not choose follow, from the first on, with sums of
 * 0; a piece is a position or a row. */
void tt_conv2d_bwd_weight__optimizer(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, int32_t *d, tt_part *part);
void tt_depthwise_conv2d_bwd_weight__optimizer(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, int32_t *d, tt_part *part);
void tt_bias_bwd__optimizer(const tt_bias_train_params *p, const tt_grad *dy, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, uint8_t *fraction,
    int32_t *velocity, int32_t *d, tt_part *part);

void tt_embedding_bwd_weight__optimizer(const tt_embedding_train_params *p, const tt_grad *dy,
    const int32_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, int32_t *d, tt_part *part);

/* As __optimizer, unless rate->accumulate: then the gradient is added to `sums` and nothing moves.
 * A gradient finer than the sums' unit is rounded with dither; the unit grows, and all sums of the
 * tensor are shifted with dither, only when one would reach 2^30. */
void tt_conv2d_bwd_weight__batch(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, tt_sums *sums, int32_t *d, tt_part *part);
void tt_depthwise_conv2d_bwd_weight__batch(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, tt_sums *sums, int32_t *d, tt_part *part);
void tt_bias_bwd__batch(const tt_bias_train_params *p, const tt_grad *dy, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, uint8_t *fraction,
    int32_t *velocity, tt_sums *sums, int32_t *d, tt_part *part);

void tt_embedding_bwd_weight__batch(const tt_embedding_train_params *p, const tt_grad *dy,
    const int32_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, tt_sums *sums, int32_t *d, tt_part *part);

/* Update with the mean sums / count, count >= 1, and clear the sums. */
void tt_weight_apply(const tt_trained *p, tt_sums *sums, int32_t count, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w, uint8_t *fraction,
    int16_t *velocity);
void tt_bias_apply(const tt_bias_train_params *p, tt_sums *sums, int32_t count, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, uint8_t *fraction,
    int32_t *velocity);

/* ---- one step ------------------------------------------------------------------------------ */

/* Set the learning rate from the bits of an IEEE 754 single (finite, not negative). */
void tt_rate_set(tt_rate *rate, uint32_t float_bits);

/* Set the weight decay likewise, and the momentum: less than 1, rounded to 2^-16. */
void tt_decay_set(tt_rate *rate, uint32_t float_bits);
void tt_momentum_set(tt_rate *rate, uint32_t float_bits);

/* Begin step number `step`: from here on the same step rounds the same way on every machine. */
void tt_rate_begin(tt_rate *rate, uint32_t step);

/* The IEEE 754 single nearest below value * 2^-20, value >= 0, as bits. */
uint32_t tt_loss_bits(int32_t value);
