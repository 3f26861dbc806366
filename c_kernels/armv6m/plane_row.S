/* One row of a depthwise convolution, two outputs in a word: see packed/tt_plane_row.h.
 *
 * Cortex-M0: two taps of two outputs take 12 cycles. The carry of the shift by 16 rounds: it leaves the
 * high lane, whatever sign the low one has. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .equ ROW_STEP, 0
    .equ ROW_PAIR_STEP, 4
    .equ ROW_PAIRS, 8
    .equ ROW_KERNEL_H, 12
    .equ ROW_START, 16

    .equ FRAME_LEFT, 0
    .equ FRAME_START, 4

    .macro two_taps
    ldmia r0!, {r2, r3}
    ldmia r1!, {r4, r5}
    muls r2, r4
    muls r3, r5
    adds r2, r3
    adds r6, r2
    asrs r2, r2, #16
    adcs r7, r2
    .endm

    .macro one_tap
    ldmia r0!, {r2}
    ldmia r1!, {r4}
    muls r2, r4
    adds r6, r2
    asrs r2, r2, #16
    adcs r7, r2
    .endm

/* r8: taps, r9: their end, r10: from a row's end to the next row, r11: the pair's first word,
   r12: from pair to pair, lr: sums */
    .macro plane_row n
    .section .text.tt_plane_row_\n, "ax", %progbits
    .global tt_plane_row_\n
    .type tt_plane_row_\n, %function
    .thumb_func
tt_plane_row_\n:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    sub sp, #8
    mov r11, r0
    mov r8, r1
    mov lr, r3
    ldr r4, [r2, #ROW_STEP]
    subs r4, #(4 * \n)
    mov r10, r4
    ldr r4, [r2, #ROW_PAIR_STEP]
    mov r12, r4
    ldr r4, [r2, #ROW_KERNEL_H]
    movs r5, #(4 * \n)
    muls r4, r5
    adds r4, r1
    mov r9, r4
    ldr r4, [r2, #ROW_PAIRS]
    str r4, [sp, #FRAME_LEFT]
    ldr r4, [r2, #ROW_START]
    str r4, [sp, #FRAME_START]
1:  mov r0, r11
    mov r1, r8
    ldr r7, [sp, #FRAME_START]
    lsls r6, r7, #16
    adds r6, r6, r7
2:  .rept \n / 2
    two_taps
    .endr
    .if \n & 1
    one_tap
    .endif
    add r0, r10
    cmp r1, r9
    bne 2b
    lsls r2, r7, #16
    subs r6, r6, r2
    mov r2, lr
    stmia r2!, {r6, r7}
    mov lr, r2
    add r11, r12
    ldr r4, [sp, #FRAME_LEFT]
    subs r4, #1
    str r4, [sp, #FRAME_LEFT]
    bne 1b
    add sp, #8
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    .size tt_plane_row_\n, . - tt_plane_row_\n
    .endm

    plane_row 3
    plane_row 5
    plane_row 7
