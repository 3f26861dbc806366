/* void tt_dot_2(const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset,
 * int32_t *sums): see tt_plain.h. Four inputs of two channels take 15 instructions. */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ OFFSET, 32
    .equ SUMS, 36

/* r8: offset, twice; r4, r5: sums */
    .section .text.tt_dot_2, "ax", %progbits
    .global tt_dot_2
    .type tt_dot_2, %function
    .thumb_func
tt_dot_2:
    push {r4-r10, lr}
    ldr r12, [sp, #SUMS]
    ldr r8, [sp, #OFFSET]
    ldm r12, {r4, r5}
    pkhbt r8, r8, r8, lsl #16
    subs r2, r2, #4
    blt 2f
1:  ldr r6, [r0], #4
    ldr r10, [r1, r3]
    ldr r9, [r1], #4
    sxtab16 r7, r8, r6
    sxtab16 r6, r8, r6, ror #8
    sxtb16 lr, r9
    smlad r4, r7, lr, r4
    sxtb16 lr, r9, ror #8
    smlad r4, r6, lr, r4
    sxtb16 lr, r10
    smlad r5, r7, lr, r5
    sxtb16 lr, r10, ror #8
    smlad r5, r6, lr, r5
    subs r2, r2, #4
    bge 1b
2:  adds r2, r2, #4
    beq 4f
    sxth r8, r8
3:  ldrsb r6, [r0], #1
    ldrsb r10, [r1, r3]
    ldrsb r9, [r1], #1
    add r6, r6, r8
    mla r4, r6, r9, r4
    mla r5, r6, r10, r5
    subs r2, r2, #1
    bne 3b
4:  stm r12, {r4, r5}
    pop {r4-r10, pc}
    .size tt_dot_2, . - tt_dot_2
