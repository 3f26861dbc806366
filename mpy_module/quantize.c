/* From real values, or from a camera's pixels, to the model's int8 input: in integers, because the
 * module has no floating point, and with the bits that the simulator gets with it. */
#include "binding.h"

#if TT_INDICES
static mp_obj_t tt_trainer_quantize(mp_obj_t self_in, mp_obj_t src, mp_obj_t out) {
    (void)src;
    (void)out;
    tt_open_trainer(self_in);
    tt_refuse("quantize: the input is indices");
}
#else
#define TT_FLOAT_SIGN 0x80000000u
#define TT_FLOAT_INFINITY 0x7f800000u
#define TT_FAR 512 /* more than saturates */

static int8_t tt_saturated(int32_t q) {
    return (int8_t)(q > 127 ? 127 : q < -128 ? -128 : q);
}

/* |x| / scale as a float32, then to an integer, halves up; at most TT_FAR. x: the bits of a float32
 * that is a number, without the sign. */
static int32_t tt_divide_by_scale(uint32_t x) {
    const uint32_t divisor = (TT_INPUT_SCALE_BITS & 0x7fffffu) | 0x800000u;
    int32_t exponent = (int32_t)(x >> 23) - (int32_t)((TT_INPUT_SCALE_BITS) >> 23);
    if (x < 0x800000u || exponent < -2) {
        return 0; /* below 1/2; subnormals are below any scale */
    }
    uint32_t rest = (x & 0x7fffffu) | 0x800000u, q = 0;
    if (rest < divisor) {
        rest <<= 1;
        exponent--;
    }
    if (exponent > 8) {
        return TT_FAR;
    }
    for (int bit = 0; bit < 25; bit++) { /* 1 <= rest / divisor < 2 */
        q <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            q |= 1u;
        }
        rest <<= 1;
    }
    /* q is the quotient times 2^(24 - exponent), a bit more than a float32 has. It matters whether
     * that rounds up only just below a half, where the bit before is 1: a tie goes up, too. */
    return (int32_t)((q + 1u + (1u << (23 - exponent))) >> (24 - exponent));
}

static void tt_quantize_floats(const uint32_t *from, int8_t *to) {
    for (size_t i = 0; i < TT_INPUT_BYTES; i++) {
        if ((from[i] & ~TT_FLOAT_SIGN) > TT_FLOAT_INFINITY) {
            tt_refuse("src: is not a number somewhere");
        }
    }
    for (size_t i = 0; i < TT_INPUT_BYTES; i++) {
        int32_t q = tt_divide_by_scale(from[i] & ~TT_FLOAT_SIGN);
        to[i] = tt_saturated(((from[i] & TT_FLOAT_SIGN) != 0 ? -q : q) + (TT_INPUT_ZERO));
    }
}

static void tt_quantize_pixels(const uint8_t *from, int8_t *to) {
    for (size_t i = 0; i < TT_INPUT_BYTES; i++) {
        int32_t q = (from[i] * (TT_PIXEL_MULTIPLIER) + (1 << 15)) >> 16;
        to[i] = tt_saturated(q + (TT_PIXEL_ZERO));
    }
}

/* src: as many uint8 as the input has, or float32; out: int8, may be the memory of uint8 pixels. */
static mp_obj_t tt_trainer_quantize(mp_obj_t self_in, mp_obj_t src, mp_obj_t out) {
    tt_open_trainer(self_in);
    mp_buffer_info_t view;
    int typecode = tt_get_buffer(src, &view, MP_BUFFER_READ);
    bool floats = typecode == 'f';
    if (!floats && typecode != 'B' && typecode != BYTEARRAY_TYPECODE) {
        tt_refuse_buffer(MP_QSTR_src, "uint8 or float32");
    }
    size_t size = (size_t)(TT_INPUT_BYTES) * (floats ? sizeof(float) : 1);
    if (view.len != size) {
        tt_refuse_size(MP_QSTR_src, size, view.len);
    }
    void *to = tt_get_bytes(out, MP_QSTR_out, TT_INPUT_BYTES, MP_BUFFER_WRITE);
    if (floats) {
        tt_quantize_floats(view.buf, to);
    } else {
        tt_quantize_pixels(view.buf, to);
    }
    return out;
}
#endif
MP_DEFINE_CONST_FUN_OBJ_3(tt_trainer_quantize_obj, tt_trainer_quantize);
