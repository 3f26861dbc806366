/* void tt_dot_4(const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset,
 * int32_t *sums): see tt_plain.h. Four inputs of four channels take 26 instructions. */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ N, 0
    .equ OFFSET, 40
    .equ SUMS, 44

/* What four inputs, r10 and r11, and the weights w of a channel add to its sum. */
    .macro channel w, sum
    sxtb16 r2, \w
    smlad \sum, r10, r2, \sum
    sxtb16 \w, \w, ror #8
    smlad \sum, r11, \w, \sum
    .endm

/* Four inputs. Loads follow each other, as the second one is faster. */
    .macro step
    ldr r2, [r0], #4
    ldr lr, [r1, r3]
    ldr r9, [r1, r3, lsl #1]
    sxtab16 r10, r8, r2
    sxtab16 r11, r8, r2, ror #8
    channel lr, r5
    channel r9, r6
    add r9, r1, r3
    ldr r9, [r9, r3, lsl #1]
    ldr lr, [r1], #4
    channel r9, r7
    channel lr, r4
    .endm

/* r8: offset, twice; r12: the end of whole words */
    .section .text.tt_dot_4, "ax", %progbits
    .global tt_dot_4
    .type tt_dot_4, %function
    .thumb_func
tt_dot_4:
    push {r2, r4-r11, lr}
    ldr r12, [sp, #SUMS]
    ldr r8, [sp, #OFFSET]
    ldmia r12, {r4-r7}
    pkhbt r8, r8, r8, lsl #16
    bic r9, r2, #3
    add r12, r0, r9
    tst r2, #4 /* an odd number of words */
    bne 2f
    b 3f
1:  step
2:  step
3:  cmp r0, r12
    bne 1b
    ldr r2, [sp, #N]
    ands r2, r2, #3
    beq 5f
    sxth r8, r8
    add r9, r3, r3, lsl #1
4:  ldrsb r10, [r0], #1
    add r10, r10, r8
    ldrsb lr, [r1, r3]
    mla r5, r10, lr, r5
    ldrsb lr, [r1, r3, lsl #1]
    mla r6, r10, lr, r6
    ldrsb lr, [r1, r9]
    mla r7, r10, lr, r7
    ldrsb lr, [r1], #1
    mla r4, r10, lr, r4
    subs r2, #1
    bne 4b
5:  ldr r12, [sp, #SUMS]
    stmia r12, {r4-r7}
    pop {r2, r4-r11, pc}
    .size tt_dot_4, . - tt_dot_4
