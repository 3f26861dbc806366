/* void tt_product_quads(tt_product_quads_of *q): see tt_product_quads.h. 36 instructions for four weights that
 * stay as they are, 35 more where one moves.
 * r0: dither, r1: its step, r2: factor, r3: minus_zero, r4: decided, r5: x, r6-r9: deltas, lr: below */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ Q_DITHER, 0
    .equ Q_X, 20
    .equ Q_X_END, 24
    .equ Q_BELOW, 28
    .equ Q_TO_W, 32
    .equ Q_TO_FRACTION, 36

    .equ X_END, 0
    .equ TO_W, 4
    .equ TO_FRACTION, 8

    .macro delta to, byte, undecided
    add r0, r1
    subs r10, r0, lr
    sbc \to, \to, \to
    sxtab r11, r3, r12, ror #\byte
    smlal r10, \to, r11, r2
    cmp r10, r4
    bhs \undecided
    .endm

    .section .text.tt_product_quads, "ax", %progbits
    .global tt_product_quads
    .type tt_product_quads, %function
    .thumb_func
tt_product_quads:
    push {r0, r4-r11, lr}
    ldr lr, [r0, #Q_BELOW]
    ldr r6, [r0, #Q_X_END]
    ldr r7, [r0, #Q_TO_W]
    ldr r8, [r0, #Q_TO_FRACTION]
    ldm r0, {r0-r5}
    push {r6-r8}
    cmp r5, r6
    beq 8f
1:  ldr r12, [r5]
    delta r6, 0, 4f
    delta r7, 8, 5f
    delta r8, 16, 6f
    delta r9, 24, 7f
    pkhbt r6, r6, r8, lsl #16
    pkhbt r7, r7, r9, lsl #16
    orrs r10, r6, r7
    bne 3f
2:  ldr r10, [sp, #X_END]
    adds r5, #4
    cmp r5, r10
    bne 1b
    b 8f
3:  ldr r10, [sp, #TO_FRACTION]
    ldr r11, [r5, r10]
    ldr r10, [sp, #TO_W]
    ldr r12, [r5, r10]
    sxtb16 r8, r11
    sxtb16 r9, r11, ror #8
    ssub16 r6, r8, r6 /* the fractions */
    ssub16 r7, r9, r7
    mov r8, #0x00800080
    sadd16 r9, r6, r8
    sadd16 r8, r7, r8
    sxtb16 r9, r9, ror #8 /* what they carry */
    sxtb16 r8, r8, ror #8
    sxtab16 r9, r9, r12 /* the weights */
    sxtab16 r8, r8, r12, ror #8
    mov r12, #0x007f007f
    sadd16 r11, r9, r12
    ssub16 r10, r12, r9
    orr r11, r11, r10
    sadd16 r10, r8, r12
    orr r11, r11, r10
    ssub16 r10, r12, r8
    orr r11, r11, r10
    tst r11, #0xff00ff00
    bne 7f
    uxtb16 r6, r6
    uxtb16 r7, r7
    orr r6, r6, r7, lsl #8
    ldr r10, [sp, #TO_FRACTION]
    str r6, [r5, r10]
    uxtb16 r9, r9
    uxtb16 r8, r8
    orr r9, r9, r8, lsl #8
    ldr r10, [sp, #TO_W]
    str r9, [r5, r10]
    b 2b
7:  sub r0, r1
6:  sub r0, r1
5:  sub r0, r1
4:  sub r0, r1
8:  add sp, sp, #12
    pop {r12}
    str r0, [r12, #Q_DITHER]
    str r5, [r12, #Q_X]
    pop {r4-r11, pc}
    .size tt_product_quads, . - tt_product_quads
