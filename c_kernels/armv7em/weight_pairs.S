/* void tt_weight_pairs(const tt_weight_pairs_of *s): see tt_weight_pairs.h. 37 (38) instructions for
 * 32 multiply-accumulates: two pixels' gradients of two output channels become two pairs.
 * r0: dy, r1: its step, r2: x, r4-r7 and r8-r11: sums */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ X_END, 4
    .equ SUMS, 8
    .equ SUMS_STEP, 12

    .macro channel first, second
    ldr lr, [r2], #4
    smlad \first, r12, lr, \first
    smlad \second, r3, lr, \second
    .endm

    .macro step
#if TT_GRADIENT_BITS == 16
    ldr r12, [r0]
    ldr lr, [r0, r1]
    add r0, r0, r1, lsl #1
    pkhtb r3, lr, r12, asr #16
    pkhbt r12, r12, lr, lsl #16
#else
    ldrh r12, [r0]
    ldrh lr, [r0, r1]
    add r0, r0, r1, lsl #1
    orr r12, r12, lr, lsl #16
    sxtb16 r3, r12, ror #8
    sxtb16 r12, r12
#endif
    channel r4, r8
    channel r5, r9
    channel r6, r10
    channel r7, r11
    .endm

    .section .text.tt_weight_pairs, "ax", %progbits
    .global tt_weight_pairs
    .type tt_weight_pairs, %function
    .thumb_func
tt_weight_pairs:
    push {r4-r11, lr}
    ldm r0, {r0-r5}
    push {r2-r5}
    add r12, r4, r5
    ldm r12, {r8-r11}
    mov r12, r4
    sub r3, r3, r2
    ldm r12, {r4-r7}
    tst r3, #16 /* an odd number of pairs: begin with the second step */
    bne 2f
1:  step
2:  step
    ldr r3, [sp, #X_END]
    cmp r2, r3
    bne 1b
    ldrd r0, r1, [sp, #SUMS]
    stm r0, {r4-r7}
    add r0, r1
    stm r0, {r8-r11}
    add sp, sp, #16
    pop {r4-r11, pc}
    .size tt_weight_pairs, . - tt_weight_pairs
