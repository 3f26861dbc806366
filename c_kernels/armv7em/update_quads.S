/* const int32_t *tt_update_quads(const tt_update_quads_of *q): see tt_update_quads.h. 63 cycles for four weights,
 * 10 more where one of them carries.
 * r0: sums, r1: w, r2: fraction, r3: dither, r4: steps, r5-r7: a step, r8-r11: sums, deltas, lr: TT_DITHER_STEP */
    .syntax unified
    .cpu cortex-m4
    .thumb

    /* floor(sum * mantissa / 2^16) + dither, in units of 2^(16 - shift) */
    .macro scale v
    add r3, r3, lr
    lsr r12, r3, r6
    smmla \v, \v, r5, r12
    .endm

    .section .text.tt_update_quads, "ax", %progbits
    .global tt_update_quads
    .type tt_update_quads, %function
    .thumb_func
tt_update_quads:
    push {r4-r11, lr}
    add r12, r0, #20
    ldm r12, {r8-r10}
    push {r8-r10}
    ldm r0, {r0-r4}
    movw lr, #0xe667
    movt lr, #0x6a09
    mov r12, #0
    msr APSR_nzcvq, r12
1:  ldmia r0!, {r8-r11}
    ldmia r4!, {r5-r7}
    scale r8
    scale r9
    scale r10
    scale r11
    bics r12, r7, r8 /* what both floors cut off, and tt_divided may not, could carry into a delta */
    ittt ne
    bicsne r12, r7, r9
    bicsne r12, r7, r10
    bicsne r12, r7, r11
    beq 9f
    rsb r12, r6, #32
    asr r8, r8, r12
    asr r9, r9, r12
    asr r10, r10, r12
    asr r11, r11, r12
    ssat r8, #8, r8 /* what is too large sets Q */
    ssat r9, #8, r9
    ssat r10, #8, r10
    ssat r11, #8, r11
    bfi r8, r9, #8, #8
    bfi r8, r10, #16, #8
    bfi r8, r11, #24, #8
    ldr r9, [r2]
    ldr r10, [r1]
    usub8 r11, r9, r8 /* the fractions */
    qsub8 r12, r9, r8
    cmp r11, r12
    bne 3f
2:  mov r12, #0x80808080
    ssub8 r12, r12, r10 /* sets GE where a weight is -128 */
    mrs r12, APSR
    lsls r12, r12, #4 /* Q and GE */
    bne 9f
    str r11, [r2]
    str r10, [r1]
    ldm sp, {r8-r10}
    add r1, r1, r8
    add r2, r2, r9
    add r3, r3, r10
    cmp r6, #0
    bge 1b
8:  add sp, sp, #12
    pop {r4-r11, pc}
9:  sub r0, r0, #16
    b 8b
3:  eor r9, r11, r12 /* bit 7 says that it carries, that of r12 to where */
    and r9, r9, #0x80808080
    and r8, r12, r9
    lsr r8, r8, #7 /* down */
    eor r9, r8, r9, lsr #7
    uadd8 r10, r10, r9 /* what leaves +-127 becomes -128 */
    qsub8 r10, r10, r8
    b 2b
    .size tt_update_quads, . - tt_update_quads
