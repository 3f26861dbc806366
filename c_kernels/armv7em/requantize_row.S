/* int32_t tt_requantize_row(const int32_t *x, const int32_t *multiplier, const int8_t *shift, int32_t n,
 * int32_t *y): see tt_plain.h. 19 cycles a value. */
    .syntax unified
    .cpu cortex-m4
    .thumb

#include "tt_requantize.inc"

/* r4: y, r5: the largest */
    .section .text.tt_requantize_row, "ax", %progbits
    .global tt_requantize_row
    .type tt_requantize_row, %function
    .thumb_func
tt_requantize_row:
    push {r4-r7, lr}
    ldr r4, [sp, #20]
    mov r5, #0x80000000
1:  ldr r6, [r0], #4
    ldr r7, [r1], #4
    ldrsb r12, [r2], #1
    rsbs r12, r12, #0
    blt 3f
2:  requantize r6, r7, r12, lr
    str r6, [r4], #4
    cmp r6, r5
    it gt
    movgt r5, r6
    subs r3, r3, #1
    bne 1b
    mov r0, r5
    pop {r4-r7, pc}
3:  rsb r12, r12, #0
    lsl r6, r6, r12
    mov r12, #0
    b 2b
    .size tt_requantize_row, . - tt_requantize_row
