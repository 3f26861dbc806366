/* int32_t tt_requantize_row(const int32_t *x, const int32_t *multiplier, const int8_t *shift, int32_t n,
 * int32_t *y): see src/tt_plain.h. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_requantize.inc"

    .section .text.tt_requantize_row, "ax", %progbits
    requantize_row_rest
    .global tt_requantize_row
    .type tt_requantize_row, %function
    .thumb_func
tt_requantize_row:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    push {r4, r5}
    mov r6, r0
    adds r7, r2, r3
    negs r4, r3
    mov r3, r1
    ldr r1, [sp, #28]
    subs r1, r1, r0
    subs r1, #4
    mov lr, r1
    requantize_row
    mov r0, r12
    pop {r4, r5}
    mov r8, r4
    mov r9, r5
    pop {r4-r7, pc}
    .size tt_requantize_row, . - tt_requantize_row
