/* Weight gradients of depthwise convolutions in pairs of 16 bits: see tt_tap_pairs.h. */
    .syntax unified
    .cpu cortex-m4
    .thumb

#include "tt_begin.inc"

/* r0: elements, r1: to, r2: from one to the next, r3: from a row's end to the next one, r4: columns, r5: rows,
 * r6: zeros behind each, r7: what is added, r8: three steps */
    .macro pack name, load
    begin \name
    push {r4-r11, lr}
    ldm r0, {r0-r7}
    add r8, r2, r2, lsl #1
1:  subs r10, r4, #4
    blt 3f
2:  \load r9, [r0]
    \load r11, [r0, r2]
    \load r12, [r0, r2, lsl #1]
    \load lr, [r0, r8]
    add r0, r0, r2, lsl #2
    pkhbt r9, r9, r11, lsl #16
    pkhbt r12, r12, lr, lsl #16
    sadd16 r9, r9, r7
    sadd16 r12, r12, r7
    str r9, [r1], #4
    str r12, [r1], #4
    subs r10, #4
    bge 2b
3:  adds r10, #4
    beq 5f
4:  \load r9, [r0]
    add r0, r2
    add r9, r7
    strh r9, [r1], #2
    subs r10, #1
    bne 4b
5:  add r9, r1, r6, lsl #1
6:  str r10, [r1], #4
    cmp r1, r9
    blo 6b
    mov r1, r9
    add r0, r3
    subs r5, #1
    bne 1b
    mov r0, r1
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

    pack tt_tap_rows_8, ldrsb
#if TT_GRADIENT_BITS == 16
    pack tt_tap_rows_16, ldrsh
#endif

/* A pair of the gradient for five taps: 8 instructions for 10 multiply-accumulates. a, b: the pairs of inputs that it
 * meets first, c: the next one; r12: the columns between two of them, in reverse, which odd taps take. */
    .macro five a, b, c
    ldr lr, [r0], #4
    ldr \c, [r1], #4
    smlad r4, lr, \a, r4
    smladx r5, lr, r12, r5
    smlad r6, lr, \b, r6
    pkhbt r12, \c, \b
    smladx r7, lr, r12, r7
    smlad r8, lr, \c, r8
    .endm

    begin tt_tap_pairs_5
    push {r3-r11, lr}
    add r2, r0, r2, lsl #2
    mov r4, #0
    mov r5, r4
    mov r6, r4
    mov r7, r4
    mov r8, r4
    ldm r1!, {r9, r10}
    pkhbt r12, r10, r9
1:  five r9, r10, r11
    five r10, r11, r9
    five r11, r9, r10
    cmp r0, r2
    blo 1b
    pop {r0}
    stm r0, {r4-r8}
    pop {r4-r11, pc}
    .size tt_tap_pairs_5, . - tt_tap_pairs_5

/* The same for three taps, two pairs of the gradient at a time. */
    .macro three a, b, c
    ldr r7, [r0], #4
    ldr r8, [r0], #4
    ldr \b, [r1], #4
    ldr \c, [r1], #4
    smlad r4, r7, \a, r4
    pkhbt r12, \b, \a
    smladx r5, r7, r12, r5
    smlad r6, r7, \b, r6
    smlad r4, r8, \b, r4
    pkhbt r12, \c, \b
    smladx r5, r8, r12, r5
    smlad r6, r8, \c, r6
    .endm

    begin tt_tap_pairs_3
    push {r4-r11, lr}
    add r2, r0, r2, lsl #2
    mov r4, #0
    mov r5, r4
    mov r6, r4
    ldr r9, [r1], #4
1:  three r9, r10, r11
    three r11, r10, r9
    cmp r0, r2
    blo 1b
    stm r3, {r4-r6}
    pop {r4-r11, pc}
    .size tt_tap_pairs_3, . - tt_tap_pairs_3
