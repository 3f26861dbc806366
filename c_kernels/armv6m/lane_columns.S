/* void tt_add_lanes(tt_adding *t): see tt_columns.h. Builds with mantissas of 16 bits have no use for it.
 * Cortex-M0, with memory of one cycle: 149 cycles for 48 multiply-accumulates of 6 rows, 57 for 16 of 4.
 *
 * Two rows lie in a word of g, its high and its low lane; how their sums T and H are kept apart is said in
 * swar_tile.S. Two mantissas times two inputs: 2 * 127 * 128 = 0x7f00 at most. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

#if TT_GRADIENT_BITS == 8
    .equ T_W, 12
    .equ T_LAST, 16
    .equ T_OUT, 20
    .equ T_END, 24
    .equ T_ROWS, 28
    .equ T_N, 32
    .equ T_STARTS, 36

    .equ FRAME_T, 0
    .equ FRAME_END, 4 /* of g */
    .equ FRAME_ENTER, 8

    .equ SIX_BYTES, 56
    .equ FOUR_BYTES, 40

    .macro pair t h
    ldmia r0!, {r5, r6}
    muls r5, r2
    muls r6, r4
    adds r5, r5, r6
    adds r5, r5, r7
    add \t, r5
    lsrs r5, r5, #16
    add \h, r5
    .endm

    /* r0: g, r1: stride, r3: a stride before w, r7: TT_LANES */
    .macro two_pixels
    ldrsb r2, [r3, r1]
    adds r3, r3, r1
    ldrsb r4, [r3, r1]
    adds r3, r3, r1
    .endm

    .macro six
    two_pixels
    pair r8, r9
    pair r10, r11
    pair r12, lr
    .endm

    .macro four
    two_pixels
    pair r10, r11
    pair r12, lr
    .endm

    /* r4: t, r0: out */
    .macro begin_sums
    ldr r4, [sp, #FRAME_T]
    ldr r0, [r4, #T_OUT]
    .endm

    .macro accumulate_pair t h
    mov r5, \h
    lsls r5, r5, #16
    mov r6, \t
    subs r6, r6, r5
    ldr r2, [r0]
    adds r2, r2, r6
    ldr r3, [r0, #4]
    add r3, \h
    stmia r0!, {r2, r3}
    .endm

    .section .text.tt_add_lanes, "ax", %progbits
    .global tt_add_lanes
    .type tt_add_lanes, %function
    .balign 4
    .thumb_func
tt_add_lanes:
    save_r4_to_r11
    sub sp, #12
    str r0, [sp, #FRAME_T]
    mov r4, r0
    ldr r7, =0x7f007f00 /* TT_LANES */
    ldr r1, [r4, #T_END]
    str r1, [sp, #FRAME_END]
    /* so many pairs of pixels fewer in the first round, modulo 4 or 2; half a pair if n is odd */
    ldr r2, [r4, #T_N]
    lsls r3, r2, #31
    lsrs r3, r3, #31
    adds r2, r2, r3
    lsrs r2, r2, #1
    rsbs r2, r2, #0
    ldr r1, [r4, #T_ROWS]
    cmp r1, #4
    beq 1f
    lsls r2, r2, #30
    lsrs r2, r2, #30
    movs r1, #SIX_BYTES
    adr r0, .Lsix
    b 2f
1:  lsls r2, r2, #31
    lsrs r2, r2, #31
    movs r1, #FOUR_BYTES
    adr r0, .Lfour
2:  muls r2, r1
    adds r2, r2, r0
    lsls r3, r3, #2 /* of what loads a pixel: 4 bytes */
    adds r2, r2, r3
    str r2, [sp, #FRAME_ENTER]

.Lcolumn: /* r4: t */
    mov r0, r4
    adds r0, #T_STARTS
    ldmia r0!, {r1, r2, r3}
    mov r8, r1
    mov r9, r2
    mov r10, r3
    ldmia r0!, {r1, r2, r3}
    mov r11, r1
    mov r12, r2
    mov lr, r3
    ldmia r4!, {r0, r1, r2, r3}
    adds r2, r3, #1
    subs r4, #4
    str r2, [r4]
    movs r2, #0 /* the missing pixel */
    ldr r5, [sp, #FRAME_ENTER]
    mov pc, r5

    .balign 4
.Lfour:
    four
    four
    ldr r5, [sp, #FRAME_END]
    cmp r0, r5
    bne .Lfour
    begin_sums
    b .Lsums
    .balign 4
.Lsix:
    .rept 4
    six
    .endr
    ldr r5, [sp, #FRAME_END]
    cmp r0, r5
    bne .Lsix
    begin_sums
    accumulate_pair r8, r9
.Lsums:
    accumulate_pair r10, r11
    accumulate_pair r12, lr
    str r0, [r4, #T_OUT]
    ldr r0, [r4, #T_W]
    ldr r1, [r4, #T_LAST]
    cmp r0, r1
    bne .Lagain
    add sp, #12
    restore_r4_to_r11_and_return
.Lagain:
    b .Lcolumn
    .ltorg
    .size tt_add_lanes, . - tt_add_lanes
#endif
