/* void tt_weight_pairs(const tt_weight_pairs_of *s): see tt_weight_pairs.h. 46 (48) cycles for 32
 * multiply-accumulates: two pixels' gradients of two output channels become two pairs.
 * r0: dy, r1: its step, or inputs, r2: x, r4-r7 and r8-r11: sums */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ STEP, 0
    .equ LAST, 4
    .equ SUMS, 8
    .equ SUMS_STEP, 12
    .equ ODD, 16

    .macro channels a, b, c, d
    ldr lr, [r2], #4
    ldr r1, [r2], #4
    smlad \a, r12, lr, \a
    smlad \c, r3, lr, \c
    smlad \b, r12, r1, \b
    smlad \d, r3, r1, \d
    .endm

/* Loads are cheap behind another: the end of x is compared on the way. */
    .macro step last
    ldr r1, [sp, #STEP]
    .if \last
    ldr r3, [sp, #LAST]
    .endif
#if TT_GRADIENT_BITS == 16
    ldr r12, [r0]
    ldr lr, [r0, r1]
#else
    ldrh r12, [r0]
    ldrh lr, [r0, r1]
#endif
    .if \last
    cmp r2, r3
    .endif
    add r0, r0, r1, lsl #1
#if TT_GRADIENT_BITS == 16
    pkhtb r3, lr, r12, asr #16
    pkhbt r12, r12, lr, lsl #16
#else
    orr r12, r12, lr, lsl #16
    sxtb16 r3, r12, ror #8
    sxtb16 r12, r12
#endif
    channels r4, r5, r8, r9
    channels r6, r7, r10, r11
    .endm

    .section .text.tt_weight_pairs, "ax", %progbits
    .global tt_weight_pairs
    .type tt_weight_pairs, %function
    .thumb_func
tt_weight_pairs:
    push {r4-r11, lr}
    ldm r0, {r0-r6}
    sub r3, r3, #16 /* where the last step begins */
    push {r1, r3-r6}
    add r12, r4, r5
    ldm r12, {r8-r11}
    ldm r4, {r4-r7}
    sub r3, r3, r2
    cmp r3, #0
    blt 3f
    tst r3, #16 /* an odd number of pairs: begin with the second step */
    beq 2f
1:  step 0
2:  step 1
    bne 1b
3:  ldr r1, [sp, #ODD]
    cbz r1, 4f
    mov r1, #0
    str r1, [sp, #STEP]
    str r1, [sp, #ODD]
    str r2, [sp, #LAST]
    b 2b
4:  ldrd r0, r1, [sp, #SUMS]
    stm r0, {r4-r7}
    add r0, r1
    stm r0, {r8-r11}
    add sp, sp, #20
    pop {r4-r11, pc}
    .size tt_weight_pairs, . - tt_weight_pairs

/* r12: the zero point's pair; two pixels' channels 0 and 2, then 1 and 3, are extended. */
    .section .text.tt_weight_inputs, "ax", %progbits
    .global tt_weight_inputs
    .type tt_weight_inputs, %function
    .thumb_func
tt_weight_inputs:
    push {r4-r9, lr}
    ldr r12, [sp, #28]
1:  ldr r4, [r0]
    ldr r5, [r0, r1]
    add r0, r0, r1, lsl #1
    sxtab16 r6, r12, r4
    sxtab16 r7, r12, r5
    sxtab16 r8, r12, r4, ror #8
    sxtab16 r9, r12, r5, ror #8
    pkhbt r4, r6, r7, lsl #16
    pkhbt r5, r8, r9, lsl #16
    pkhtb r6, r7, r6, asr #16
    pkhtb r7, r9, r8, asr #16
    stmia r2!, {r4-r7}
    cmp r2, r3
    bne 1b
    pop {r4-r9, pc}
    .size tt_weight_inputs, . - tt_weight_inputs
