/* void tt_plane_band_outputs(const tt_plane_band *band): see packed/tt_plane.h.
 *
 * Cortex-M0, with memory of one cycle: two taps of two outputs take 12 cycles. The carry of the shift by
 * 16 rounds: it leaves the high lane, whatever sign the low one has. What is done once for two outputs
 * takes 63 cycles. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    /* tt_plane_band */
    .equ BAND_PLANE, 0
    .equ BAND_TAPS, 4
    .equ BAND_START, 8
    .equ BAND_SCALE, 12 /* then kernel_h, kernel_w, row_step, window_step */
    .equ BAND_STRIDE, 48
    .equ BAND_ROWS, 52
    .equ BAND_COLUMNS, 56
    .equ BAND_Y, 60
    .equ BAND_Y_STEP, 64
    .equ BAND_CLIP, 68
    .equ BAND_MAP, 72

    .equ FRAME_SUMS, 0
    .equ FRAME_SCALE, 8
    .equ FRAME_TAPS, 28 /* then what T and H begin with */
    .equ FRAME_Y_STEP, 40
    .equ FRAME_END, 44     /* of the words that pairs of outputs begin at */
    .equ FRAME_ROW_END, 48 /* of the words that outputs begin at */
    .equ FRAME_ODD, 52     /* the difference */
    .equ FRAME_WINDOW_STEP, 56
    .equ FRAME_NEXT, 60 /* from a row's end to the next row */
    .equ FRAME_LAST, 64 /* FRAME_ROW_END behind the last row */
    .equ FRAME_ENTRY, 68
    .equ FRAME_CLIP, 72
    .equ FRAME_BAND, 76

    .macro add_two
    muls r2, r4
    muls r3, r5
    adds r2, r3
    adds r6, r2
    asrs r2, r2, #16
    adcs r7, r2
    .endm

    .macro two_taps
    ldmia r0!, {r2, r3}
    ldmia r1!, {r4, r5}
    add_two
    .endm

    .macro one_tap
    ldmia r0!, {r2}
    ldmia r1!, {r4}
    muls r2, r4
    adds r6, r2
    asrs r2, r2, #16
    adcs r7, r2
    .endm

/* A sum to its output; the scale in r1-r5. */
    .macro requantize sum, index
    asrs \sum, r2
    sxth r0, \sum
    cmp r0, \sum
    bne .Lclamp_\index
    muls \sum, r3
    adds \sum, r4
    adds r0, \sum, r5
    asrs \sum, r1
    asrs r0, r1
    cmp r0, \sum
    bne .Lexact_\index
    sxtb r0, \sum
    cmp r0, \sum
    bne .Lclamp_\index
    .endm

/* Whether it matters which of two results it is, this or one more: unless both are beyond int8. */
    .macro matters result
    asrs r0, \result, #31
    subs r0, \result, r0
    adds r0, #128
    lsrs r0, r0, #8
    .endm

/* Beyond int8: 127 or -128. */
    .macro saturate sum
    asrs r0, \sum, #31
    movs \sum, #127
    eors \sum, r0
    ldr r0, [sp, #FRAME_CLIP]
    cmp r0, #0
    .endm

/* r8: from pair to pair, r9: end of the taps, r10: from a row's end to the next row of the plane, r11: the
   pair's first word, r12: where the taps begin, lr: y. r6: T, r7: H, then the two sums and outputs. */
    .section .text.tt_plane_band_outputs, "ax", %progbits
    .global tt_plane_band_outputs
    .type tt_plane_band_outputs, %function
    .thumb_func
tt_plane_band_outputs:
    save_r4_to_r11
    sub sp, #84
    str r0, [sp, #FRAME_BAND]
    movs r1, #BAND_SCALE
    adds r1, r1, r0
    ldmia r1!, {r2-r6}
    add r7, sp, #FRAME_SCALE
    stmia r7!, {r2-r6}
    ldmia r1!, {r2-r5} /* kernel_h, kernel_w, row_step, window_step */
    adr r6, .Lthree_by_three
    mov r1, r2
    muls r1, r3
    cmp r1, #9
    bne 1f
    cmp r3, #3
    beq 2f
1:  adr r6, .Lrow
    movs r7, #7
    subs r7, r7, r3
    lsls r7, r7, #3 /* 16 bytes of code for every two of them */
    adds r6, r6, r7
2:  str r6, [sp, #FRAME_ENTRY]
    mov r12, r6
    lsls r3, r3, #2
    subs r4, r4, r3
    mov r10, r4
    lsls r1, r1, #2
    ldr r2, [r0, #BAND_TAPS]
    adds r1, r1, r2
    mov r9, r1
    ldr r4, [r0, #BAND_START]
    lsls r3, r4, #16
    adds r3, r3, r4
    add r1, sp, #FRAME_TAPS
    stmia r1!, {r2, r3, r4}
    str r5, [sp, #FRAME_WINDOW_STEP]
    ldr r1, [r0, #BAND_STRIDE]
    lsls r1, r1, #2
    ldr r2, [r0, #BAND_COLUMNS]
    lsls r3, r2, #31
    lsrs r3, r3, #31
    muls r3, r1
    str r3, [sp, #FRAME_ODD]
    muls r2, r1
    lsls r1, r1, #1
    mov r8, r1
    subs r1, r5, r2
    str r1, [sp, #FRAME_NEXT]
    ldr r1, [r0, #BAND_PLANE]
    mov r11, r1
    adds r1, r1, r2
    str r1, [sp, #FRAME_ROW_END]
    subs r2, r1, r3
    str r2, [sp, #FRAME_END]
    ldr r2, [r0, #BAND_ROWS]
    muls r2, r5
    adds r1, r1, r2
    str r1, [sp, #FRAME_LAST]
    ldr r1, [r0, #BAND_Y]
    mov lr, r1
    ldr r1, [r0, #BAND_Y_STEP]
    str r1, [sp, #FRAME_Y_STEP]
    ldr r1, [r0, #BAND_CLIP]
    str r1, [sp, #FRAME_CLIP]
.Lpair:
    add r0, sp, #FRAME_TAPS
    ldmia r0!, {r1, r6, r7}
    mov r0, r11
    mov pc, r12
    .balign 4
.Lrow: /* seven taps; entered further down if there are five or three */
    two_taps
    two_taps
    two_taps
    one_tap
    add r0, r10
    cmp r1, r9
    beq .Lsums
    mov pc, r12

    .balign 4
.Lthree_by_three:
    two_taps
    ldmia r0!, {r2}
    add r0, r10
    ldmia r0!, {r3}
    ldmia r1!, {r4, r5}
    add_two
    two_taps
    add r0, r10
    two_taps
    one_tap
.Lsums:
    lsls r0, r7, #16
    subs r6, r6, r0
    mov r0, sp
    stmia r0!, {r6, r7}
    ldmia r0!, {r1-r5}
    requantize r6, 0
.Lsecond:
    requantize r7, 1
.Lstore:
    ldr r1, [sp, #FRAME_Y_STEP]
    mov r0, lr
    strb r6, [r0]
    strb r7, [r0, r1]
    add lr, r1
    add lr, r1
    add r11, r8
    ldr r0, [sp, #FRAME_END]
    cmp r11, r0
    bne .Lpair

    ldr r1, [sp, #FRAME_ROW_END]
    ldr r2, [sp, #FRAME_ODD]
    cmp r0, r1
    beq 1f
    str r1, [sp, #FRAME_END] /* the last two outputs once more */
    mov r0, r11
    subs r0, r0, r2
    mov r11, r0
    mov r0, lr
    ldr r1, [sp, #FRAME_Y_STEP]
    subs r0, r0, r1
    mov lr, r0
    b .Lpair
1:  ldr r3, [sp, #FRAME_WINDOW_STEP]
    adds r1, r1, r3
    str r1, [sp, #FRAME_ROW_END]
    subs r2, r1, r2
    str r2, [sp, #FRAME_END]
    ldr r2, [sp, #FRAME_NEXT]
    add r11, r2
    ldr r2, [sp, #FRAME_LAST]
    cmp r1, r2
    beq 2f
    b .Lpair
2:  add sp, #84
    restore_r4_to_r11_and_return

/* what is rare lies within reach of conditional branches */
.Lclamp_0:
    saturate r6
    beq .Lsecond
    movs r5, #0
    b .Lclipped
.Lclamp_1:
    saturate r7
    beq .Lstore
    ldr r5, [sp, #FRAME_Y_STEP]
    b .Lclipped
.Lexact_0:
    matters r6
    bne .Lclamp_0
    ldr r1, [sp, #FRAME_SUMS]
    movs r5, #0
    b .Lexact
.Lexact_1:
    matters r7
    bne .Lclamp_1
    ldr r1, [sp, #(FRAME_SUMS + 4)]
    ldr r5, [sp, #FRAME_Y_STEP]
.Lexact: /* the sum in r1, from y to the output in r5 */
    mov r4, lr
    ldr r0, [sp, #FRAME_BAND]
    bl tt_plane_exact
    mov lr, r4
    ldr r1, [sp, #FRAME_ENTRY]
    mov r12, r1
    cmp r5, #0
    bne 1f
    mov r6, r0
    b 2f
1:  mov r7, r0
2:  lsrs r0, r0, #9 /* carry: clamped */
    bcc .Lgo_on
    ldr r0, [sp, #FRAME_CLIP]
    cmp r0, #0
    beq .Lgo_on
.Lclipped: /* clear the bit of the output at lr + r5 in the mask, r0 */
    mov r1, lr
    adds r1, r1, r5
    ldr r2, [sp, #FRAME_BAND]
    ldr r2, [r2, #BAND_MAP]
    subs r1, r1, r2
    lsrs r2, r1, #3
    adds r0, r0, r2
    movs r2, #7
    ands r1, r2
    movs r2, #1
    lsls r2, r1
    ldrb r1, [r0]
    bics r1, r2
    strb r1, [r0]
.Lgo_on:
    cmp r5, #0
    add r0, sp, #FRAME_SCALE
    ldmia r0!, {r1-r5}
    beq .Lsecond
    b .Lstore
    .size tt_plane_band_outputs, . - tt_plane_band_outputs
