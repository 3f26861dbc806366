/* int32_t tt_gradient_pairs(const uint32_t *g, const int8_t *w, const tt_pair_columns *tile, void *to):
 * see tt_gradient_pairs.h. 48 cycles for 32 multiply-accumulates: two columns of weights, of which two rows
 * become pairs; SMLAD with those of four pixels. GCC does not keep eight sums in registers.
 * r0: g, r1: w, r2: its stride, or g, r4-r7 and r8-r11: sums */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ W, 4
    .equ STRIDE, 8
    .equ TO, 12
    .equ W_END, 16
    .equ ROW, 20
    .equ SHIFT, 24
    .equ LAST, 28

    .macro multiply first, sum, g, w
    .if \first
    smuad \sum, \g, \w
    .else
    smlad \sum, \g, \w, \sum
    .endif
    .endm

    .macro pixels first, a, b, c, d
    ldr r12, [r0], #4
    ldr r2, [r0], #4
    multiply \first, \a, r12, r3
    multiply \first, \c, r12, lr
    multiply \first, \b, r2, r3
    multiply \first, \d, r2, lr
    .endm

/* Loads are cheap behind another: the end of g is compared on the way. */
    .macro step first, last
    ldr r2, [sp, #STRIDE]
    .if \last
    ldr r12, [sp, #LAST]
    .endif
    ldrh lr, [r1]
    ldrh r3, [r1, r2]
    .if \last
    cmp r0, r12
    .endif
    add r1, r1, r2, lsl #1
    pkhbt r3, lr, r3, lsl #16
    sxtb16 lr, r3, ror #8
    sxtb16 r3, r3
    pixels \first, r4, r5, r8, r9
    pixels \first, r6, r7, r10, r11
    .endm

/* Toward zero; what does not fit sets Q. */
    .macro cut to, v
    add \to, \v, \v, asr #31
    asr \to, \to, r3
    ssat \to, #16, \to
    sub \to, \to, \v, asr #31
    .endm

    .macro mantissas first, second, at:vararg
    cut r12, \first
    cut lr, \second
    pkhbt r12, r12, lr, lsl #16
    str r12, [\at]
    .endm

    .section .text.tt_gradient_pairs, "ax", %progbits
    .global tt_gradient_pairs
    .type tt_gradient_pairs, %function
    .thumb_func
tt_gradient_pairs:
    push {r4-r11, lr}
    ldm r2, {r2, r4-r7}
    add r8, r0, r4, lsl #4
    sub r8, r8, #16 /* where the last step begins */
    add r5, r1, r5, lsl #1
    push {r0-r3, r5-r8}
    mov r12, #0
    msr APSR_nzcvq, r12
1:  ldr r0, [sp]
    ldr r12, [sp, #LAST]
    sub r12, r12, r0
    lsls r12, r12, #28
    step 1, 0
    bcs 3f /* an even number of pairs: go on with the second step */
2:  step 0, 0
3:  step 0, 1
    bne 2b
    ldr r0, [sp, #TO]
    ldr r1, [sp, #ROW]
#if TT_GRADIENT_BITS == 16
    ldr r3, [sp, #SHIFT]
    cmp r1, #0
    beq 4f
    add r2, r0, #4
    mantissas r4, r8, r0
    mantissas r5, r9, r0, r1
    mantissas r6, r10, r0, r1, lsl #1
    add r0, r0, r1
    mantissas r7, r11, r0, r1, lsl #1
    mrs r0, APSR
    ldr r1, [sp, #W]
    ldr r3, [sp, #W_END]
    tst r0, #0x08000000
    beq 5f
    b 6f
4:
#endif
    add r2, r0, #32
    stm r0, {r4-r11}
    ldr r1, [sp, #W]
    ldr r3, [sp, #W_END]
5:  str r2, [sp, #TO]
    adds r1, #2
    str r1, [sp, #W]
    cmp r1, r3
    bne 1b
6:  subs r0, r3, r1
    asrs r0, r0, #1
    add sp, sp, #32
    pop {r4-r11, pc}
    .size tt_gradient_pairs, . - tt_gradient_pairs
