/* Writing a gradient under one exponent: see tt_gradient.h. */
#include "tt_gradient.h"

tt_grad_writer tt_grad_begin(tt_grad *grad, int32_t limit, int32_t exponent) {
    tt_grad_writer writer = {grad, 0, 0, limit, exponent, 0, 0, 0};
    return writer;
}

void tt_grad_put(tt_grad_writer *writer, int32_t index, int32_t index_step, const int32_t *sums,
    int32_t step, int32_t n) {
    while (n > 0) {
        int32_t done = tt_grad_store(writer, index, index_step, sums, step, n);
        index += done * index_step;
        sums += done * step;
        n -= done;
        if (n > 0) {
            tt_grad_grow(writer, sums, step, n);
        }
    }
}

void tt_grad_reserve(tt_grad_writer *writer, int32_t n) {
    writer->written += n;
}

void tt_grad_push(tt_grad_writer *writer, const int32_t *sums, int32_t n) {
    while (n > 0) {
        int32_t done = tt_grad_store(writer, writer->written, 1, sums, 1, n);
        writer->written += done;
        sums += done;
        n -= done;
        if (n > 0) {
            tt_grad_grow(writer, sums, 1, n);
        }
    }
}

void tt_grad_end(tt_grad_writer *writer) {
    tt_grad *grad = writer->grad;
    int32_t up = 0;
    if (writer->shift == 0) { /* else some mantissa is near half the limit or above already */
        int32_t n = writer->written;
        int32_t largest = tt_mantissas_largest(grad->mantissa, n, writer->limit >> 1);
        if (largest == 0) {
            grad->exponent = TT_ZERO_EXPONENT;
            return;
        }
        while ((largest << (up + 1)) <= writer->limit) {
            up++;
        }
        if (up > 0) {
            tt_mantissas_up(grad->mantissa, n, up);
        }
    }
    grad->exponent = writer->exponent + writer->shift - up;
}

void tt_grad_normalize(tt_grad *grad, int32_t n, int32_t limit, int32_t exponent) {
    tt_grad_writer writer = tt_grad_begin(grad, limit, exponent);
    writer.written = n;
    tt_grad_end(&writer);
}

tt_grad_writer tt_grad_resume(tt_grad *grad, int32_t limit, int32_t exponent, const tt_part *part) {
    tt_grad_writer writer = tt_grad_begin(grad, limit, exponent);
    if (part != NULL) {
        writer.written = part->written;
        writer.shift = part->shift;
    }
    return writer;
}

void tt_grad_pause(tt_grad_writer *writer, tt_part *part) {
    int done = part == NULL || part->at == 0;
    if (done) {
        tt_grad_end(writer);
    }
    if (part != NULL) {
        part->written = done ? 0 : writer->written;
        part->shift = done ? 0 : writer->shift;
    }
}
