/* void tt_slide_pairs(const tt_slide_pairs_of *s): see tt_slide_pairs.h. A row of two pairs of coefficients (3
 * taps) takes 16 instructions for four sums, one of three pairs (5 taps) 22,
 * others 8 a pair.
 * r0: coefficients, r1: the row of the plane, r2: pitch, r3-r5: of the plane, r6-r9: coefficients,
 * r10-lr: sums */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ PLANE, 0
    .equ PITCH, 4
    .equ COEFFICIENTS, 8
    .equ END, 12
    .equ SUMS, 16
    .equ GROUPS, 20
    .equ PAIRS, 24

    .macro multiply here, next, even, odd
    smlad r10, \here, \even, r10
    smlad r11, \here, \odd, r11
    smlad r12, \next, \even, r12
    smlad lr, \next, \odd, lr
    .endm

    .macro next_row where
    ldr r6, [sp, #END]
    cmp r0, r6
    bne \where
    .endm

    .section .text.tt_slide_pairs, "ax", %progbits
    .global tt_slide_pairs
    .type tt_slide_pairs, %function
    .thumb_func
tt_slide_pairs:
    push {r4-r11, lr}
    ldm r0, {r1-r7}
    push {r1-r7}
1:  ldm sp, {r1, r2, r3}
    mov r0, r3
    add r4, r1, #8
    str r4, [sp, #PLANE]
    mov r10, #0
    mov r11, #0
    mov r12, #0
    mov lr, #0
    ldr r6, [sp, #END]
    cmp r0, r6
    beq 6f
    ldr r7, [sp, #PAIRS]
    cmp r7, #3
    beq 3f
    cmp r7, #2
    bne 4f
2:  ldr r3, [r1]
    ldr r4, [r1, #4]
    ldr r5, [r1, #8]
    add r1, r2
    ldmia r0!, {r6-r9}
    multiply r3, r4, r6, r7
    multiply r4, r5, r8, r9
    next_row 2b
    b 6f
3:  ldr r3, [r1]
    ldr r4, [r1, #4]
    ldr r5, [r1, #8]
    ldmia r0!, {r6-r9}
    multiply r3, r4, r6, r7
    ldr r3, [r1, #12]
    add r1, r2
    multiply r4, r5, r8, r9
    ldmia r0!, {r6, r7}
    multiply r5, r3, r6, r7
    next_row 3b
    b 6f
4:  ldr r9, [sp, #PAIRS]
    mov r5, r1
    ldr r3, [r1]
    add r1, r2
5:  ldr r4, [r5, #4]
    ldmia r0!, {r6, r7}
    multiply r3, r4, r6, r7
    subs r9, #1
    beq 7f
    ldr r3, [r5, #8]!
    ldmia r0!, {r6, r7}
    multiply r4, r3, r6, r7
    subs r9, #1
    bne 5b
7:  next_row 4b
6:  ldr r0, [sp, #SUMS]
    stmia r0!, {r10, r11, r12, lr}
    str r0, [sp, #SUMS]
    ldr r0, [sp, #GROUPS]
    subs r0, #1
    str r0, [sp, #GROUPS]
    bne 1b
    add sp, #28
    pop {r4-r11, pc}
    .size tt_slide_pairs, . - tt_slide_pairs
