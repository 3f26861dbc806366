/* int32_t tt_requantize_row(const int32_t *x, const int32_t *multiplier, const int8_t *shift, int32_t n,
 * int32_t *y): see tt_plain.h. 21 cycles a value. */
    .syntax unified
    .cpu cortex-m4
    .thumb

/* r4: y, r5: the largest, r8: 2^30 */
    .section .text.tt_requantize_row, "ax", %progbits
    .global tt_requantize_row
    .type tt_requantize_row, %function
    .thumb_func
tt_requantize_row:
    push {r4-r8, lr}
    ldr r4, [sp, #24]
    mov r5, #0x80000000
    mov r8, #0x40000000
1:  ldr r6, [r0], #4
    ldr r7, [r1], #4
    ldrsb r12, [r2], #1
    rsbs r12, r12, #0
    blt 3f
2:  smull lr, r6, r6, r7
    adds lr, lr, r8
    adc r6, r6, #0
    lsl r6, r6, #1
    orr r6, r6, lr, lsr #31
    adds r6, r6, r6, asr #31 /* halves away from zero; a shift by 0 leaves the carry, which puts back the 1 */
    asrs r6, r6, r12
    adc r6, r6, #0
    str r6, [r4], #4
    cmp r6, r5
    it gt
    movgt r5, r6
    subs r3, r3, #1
    bne 1b
    mov r0, r5
    pop {r4-r8, pc}
3:  rsb r12, r12, #0
    lsl r6, r6, r12
    mov r12, #0
    b 2b
    .size tt_requantize_row, . - tt_requantize_row
