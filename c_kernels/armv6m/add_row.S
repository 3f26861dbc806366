/* uint32_t tt_add_row(const sum_of_two *sum, const int8_t *a, const int8_t *b, int8_t *y, int32_t n): see
 * add.c. Cortex-M0: 74 cycles an element.
 *
 * An input v of 9 bits, shifted up by 20, times m = high * 2^16 + low, in halves of 2^31 upward is
 *     v * high * 2^5 + ((v * low + 2^10) >> 11). */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ SUM_OFFSETS, 44

    /* the frame */
    .equ FRAME_CLAMPED, 0
    .equ FRAME_SUM, 4
    .equ FRAME_N, 44

/* r0 / 2^r4, halves away from zero; r5: 0. A shift by 0 leaves the carry, which puts back the 1. */
    .macro round value, scratch
    asrs \scratch, \value, #31
    adds \value, \value, \scratch
    asrs \value, r4
    adcs \value, r5
    .endm

/* The input at `from`, scaled, in `value`; v: a register for it. */
    .macro scaled value, v, from, offset
    mov \v, \from
    ldrsb \v, [\v, r7]
    add \v, \offset
    muls \value, \v
    muls \v, r3
    lsls \value, \value, #5
    asrs \v, \v, #11
    adcs \value, \v
    round \value, \v
    .endm

/* r8, r9, r10: the ends of a, b and y; r7: from there to the element, below 0; r11, r12: offsets of a and b;
 * lr: zero of y; r6: factors */
    .section .text.tt_add_row, "ax", %progbits
    .global tt_add_row
    .type tt_add_row, %function
    .thumb_func
tt_add_row:
    save_r4_to_r11
    movs r5, #0
    push {r0}
    push {r5}
    ldr r7, [sp, #FRAME_N]
    adds r1, r1, r7
    mov r8, r1
    adds r2, r2, r7
    mov r9, r2
    adds r3, r3, r7
    mov r10, r3
    adds r0, #SUM_OFFSETS
    ldmia r0!, {r1, r2, r3}
    mov r11, r1
    mov r12, r2
    mov lr, r3
    negs r7, r7
1:  ldr r6, [sp, #FRAME_SUM]
    ldmia r6!, {r2, r3, r4}
    mov r0, r2
    scaled r0, r1, r8, r11
    ldmia r6!, {r2, r3, r4}
    scaled r2, r1, r9, r12
    adds r0, r0, r2
    ldmia r6!, {r1, r3, r4}
    sxth r2, r0 /* signed halves, and the product, as tt_mul_high has them */
    asrs r0, r0, #16
    adcs r0, r5
    mov r5, r2
    muls r5, r3
    asrs r5, r5, #16
    muls r2, r1
    muls r3, r0
    adds r2, r2, r3
    adds r2, r2, r5
    muls r0, r1
    lsls r0, r0, #1
    asrs r2, r2, #15
    adcs r0, r2
    movs r5, #0
    round r0, r1
    add r0, lr
    ldmia r6!, {r1, r2}
    cmp r0, r1
    blt 4f
    cmp r0, r2
    bgt 3f
2:  mov r1, r10
    strb r0, [r1, r7]
    adds r7, #1
    bne 1b
    pop {r0}
    pop {r1}
    restore_r4_to_r11_and_return
3:  mov r1, r2
4:  mov r0, r1
    ldr r1, [sp, #FRAME_N]
    adds r1, r1, r7
    movs r2, #1
    lsls r2, r1
    ldr r1, [sp, #FRAME_CLAMPED]
    orrs r1, r2
    str r1, [sp, #FRAME_CLAMPED]
    b 2b
    .size tt_add_row, . - tt_add_row
