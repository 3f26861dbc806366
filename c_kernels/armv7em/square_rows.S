/* int32_t tt_square_rows(const tt_square_rows_of *s): see tt_square_rows.h. 45 cycles for two mantissas.
 * r0-r2: rows of the plane, r3: mantissas, r4-r9: taps, r12, lr: sums */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ STEP, 0
    .equ END, 4
    .equ SCALE, 8
    .equ PITCH, 16
    .equ WIDTH, 20
    .equ ROWS, 24

    .macro taps row, w, v
    ldrd r10, r11, [\row], #4
    smlad r12, r10, \w, r12
    smlatb lr, r10, \w, lr
    smlabt r12, r11, \v, r12
    smlad lr, r11, \v, lr
    .endm

    /* Toward zero; what does not fit sets Q. */
    .macro cut to, v
    add \to, \v, \v, asr #31
    asr \to, \to, r11
    ssat \to, #16, \to
    sub \to, \to, \v, asr #31
    .endm

    .section .text.tt_square_rows, "ax", %progbits
    .global tt_square_rows
    .type tt_square_rows, %function
    .thumb_func
tt_square_rows:
    push {r4-r11, lr}
    ldm r0!, {r4-r10}
    push {r4-r10}
    ldm r0, {r0, r3, r4-r9}
    ldr r10, [sp, #PITCH]
    add r1, r0, r10
    add r2, r1, r10
    mov r12, #0
    msr APSR_nzcvq, r12
1:  ldr r10, [sp, #WIDTH]
    add r10, r10, r0
    str r10, [sp, #END]
2:  mov r12, #0
    mov lr, #0
    taps r0, r4, r5
    taps r1, r6, r7
    taps r2, r8, r9
    ldrd r10, r11, [sp, #SCALE]
    smmul r12, r12, r10
    smmul lr, lr, r10
    cut r10, r12
    strh r10, [r3]
    cut r12, lr
    ldrd r10, r11, [sp, #STEP]
    strh r12, [r3, r10]
    add r3, r3, r10, lsl #1
    cmp r0, r11
    bne 2b
    mrs r10, APSR
    tst r10, #0x08000000
    bne 3f
    ldr r10, [sp, #PITCH]
    ldr r11, [sp, #WIDTH]
    sub r10, r10, r11
    add r0, r0, r10
    add r1, r1, r10
    add r2, r2, r10
    ldr r10, [sp, #ROWS]
    subs r10, r10, #1
    str r10, [sp, #ROWS]
    bne 1b
3:  ldr r0, [sp, #ROWS]
    add sp, sp, #28
    pop {r4-r11, pc}
    .size tt_square_rows, . - tt_square_rows
