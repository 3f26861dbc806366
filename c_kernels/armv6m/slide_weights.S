/* void tt_slide_weights(const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy, int32_t *sums):
 * see packed/tt_slide.h. Cortex-M0: 13 cycles for three, 19 for five multiply-accumulates. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    /* tt_slide_taps */
    .equ TAPS_WIDTH, 0
    .equ TAPS_HEIGHT, 4
    .equ TAPS_PITCH, 8
    .equ TAPS_COLUMNS, 12
    .equ TAPS_ROWS, 16
    .equ TAPS_STEP, 20
    .equ TAPS_ROW_STEP, 24

    .equ FRAME_TAP, 0 /* where the row of taps begins in the plane */
    .equ FRAME_DY, 4
    .equ FRAME_SUMS, 8
    .equ FRAME_WIDTH, 12 /* in bytes, as the following */
    .equ FRAME_PITCH, 16
    .equ FRAME_COLUMNS, 20
    .equ FRAME_NEXT, 24 /* from behind a row's words to the next row */
    .equ FRAME_ROW_END, 28
    .equ FRAME_END, 32
    .equ FRAME_ENTRY, 36
    .equ FRAME_HEIGHT, 40 /* to come */

    .macro step width
    ldmia r1!, {r2}
    .if \width == 5
    ldmia r0!, {r3-r7}
    .else
    ldmia r0!, {r3-r5}
    .endif
    add r0, r8
    muls r3, r2
    add r9, r3
    muls r4, r2
    add r10, r4
    muls r5, r2
    add r11, r5
    .if \width == 5
    muls r6, r2
    add r12, r6
    muls r7, r2
    add lr, r7
    .endif
    .endm

    .equ THREE_BYTES, 18 /* of a step */
    .equ FIVE_BYTES, 26

    .macro steps width
    step \width
    step \width
    step \width
    step \width
    ldr r2, [sp, #FRAME_ROW_END]
    cmp r1, r2
    .endm

/* r8: from behind a step's words to the next one's; r9-r12, lr: sums */
    .section .text.tt_slide_weights, "ax", %progbits
    .global tt_slide_weights
    .type tt_slide_weights, %function
    .thumb_func
tt_slide_weights:
    save_r4_to_r11
    sub sp, #44
    str r1, [sp, #FRAME_TAP]
    str r2, [sp, #FRAME_DY]
    str r3, [sp, #FRAME_SUMS]
    ldr r1, [r0, #TAPS_COLUMNS]
    negs r3, r1
    movs r4, #3
    ands r3, r4 /* steps to leave out at first */
    ldr r4, [r0, #TAPS_WIDTH]
    lsls r5, r4, #2
    str r5, [sp, #FRAME_WIDTH]
    ldr r6, [r0, #TAPS_STEP]
    subs r5, r6, r5
    mov r8, r5
    cmp r4, #5
    beq 1f
    movs r4, #THREE_BYTES
    adr r5, .Lthree
    b 2f
1:  movs r4, #FIVE_BYTES
    adr r5, .Lfive
2:  muls r3, r4
    adds r5, r5, r3
    str r5, [sp, #FRAME_ENTRY]
    ldr r4, [r0, #TAPS_ROW_STEP]
    muls r6, r1
    subs r4, r4, r6
    str r4, [sp, #FRAME_NEXT]
    lsls r1, r1, #2
    str r1, [sp, #FRAME_COLUMNS]
    ldr r3, [r0, #TAPS_ROWS]
    muls r1, r3
    adds r1, r1, r2
    str r1, [sp, #FRAME_END]
    ldr r1, [r0, #TAPS_PITCH]
    str r1, [sp, #FRAME_PITCH]
    ldr r1, [r0, #TAPS_HEIGHT]
    str r1, [sp, #FRAME_HEIGHT]
.Ltaps:
    movs r2, #0
    mov r9, r2
    mov r10, r2
    mov r11, r2
    mov r12, r2
    mov lr, r2
    ldr r0, [sp, #FRAME_TAP]
    ldr r1, [sp, #FRAME_DY]
.Lrow:
    ldr r2, [sp, #FRAME_COLUMNS]
    adds r2, r2, r1
    str r2, [sp, #FRAME_ROW_END]
    ldr r2, [sp, #FRAME_ENTRY]
    mov pc, r2
    .balign 4
.Lfive:
    steps 5
    bne .Lfive
    b .Lrow_end
    .balign 4
.Lthree:
    steps 3
    bne .Lthree
.Lrow_end:
    ldr r2, [sp, #FRAME_NEXT]
    adds r0, r0, r2
    ldr r2, [sp, #FRAME_END]
    cmp r1, r2
    bne .Lrow

    mov r1, r9
    mov r2, r10
    mov r3, r11
    mov r4, r12
    mov r5, lr
    ldr r0, [sp, #FRAME_SUMS]
    mov r6, r0
    stmia r6!, {r1-r5} /* of three sums the next ones replace the rest */
    ldr r1, [sp, #FRAME_WIDTH]
    adds r0, r0, r1
    str r0, [sp, #FRAME_SUMS]
    ldr r0, [sp, #FRAME_TAP]
    ldr r1, [sp, #FRAME_PITCH]
    adds r0, r0, r1
    str r0, [sp, #FRAME_TAP]
    ldr r0, [sp, #FRAME_HEIGHT]
    subs r0, #1
    str r0, [sp, #FRAME_HEIGHT]
    beq 3f
    b .Ltaps
3:  add sp, #44
    restore_r4_to_r11_and_return
    .size tt_slide_weights, . - tt_slide_weights
