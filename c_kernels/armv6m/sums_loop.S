/* void tt_sums_loop(tt_divided_sums *p, const int32_t *sums, int32_t n, int8_t *w, int8_t *fraction): see
 * tt_sums.h. Cortex-M0: 34 cycles for a weight whose integer stays. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ P_DITHER, 0
    .equ P_STEP, 4
    .equ P_REST, 8
    .equ P_MANTISSA, 12
    .equ P_SMALL_BEFORE, 16
    .equ P_SMALL_SHIFT, 20
    .equ P_BEFORE, 24
    .equ P_SHIFT, 28

    .equ FRAME_P, 0
    .equ FRAME_BEFORE, 4
    .equ FRAME_SMALL_BEFORE, 8
    .equ FRAME_SMALL_SHIFT, 12
    .equ FRAME_SMALL_DITHER, 16 /* 32 less that */
    .equ FRAME_FRACTION, 56

/* r2: sums; r4: fraction; r5: mantissa, r6: shift, r3: 32 - shift, r7: shift before; r8: dither, r9: its step; r10: rest,
 * r11: from sum to sum; r12: from the fraction to w; lr: where the fraction ends */
    .section .text.tt_sums_loop, "ax", %progbits
    .global tt_sums_loop
    .type tt_sums_loop, %function
    .thumb_func
tt_sums_loop:
    save_r4_to_r11
    sub sp, #20
    str r0, [sp, #FRAME_P]
    ldr r4, [sp, #FRAME_FRACTION]
    adds r2, r2, r4
    mov lr, r2
    subs r3, r3, r4
    mov r12, r3
    mov r2, r1
    movs r3, #32
    ldr r6, [r0, #P_SMALL_SHIFT]
    str r6, [sp, #FRAME_SMALL_SHIFT]
    subs r6, r3, r6
    str r6, [sp, #FRAME_SMALL_DITHER]
    ldr r6, [r0, #P_SMALL_BEFORE]
    str r6, [sp, #FRAME_SMALL_BEFORE]
    ldr r6, [r0, #P_SHIFT]
    subs r3, r3, r6
    ldr r7, [r0, #P_BEFORE]
    str r7, [sp, #FRAME_BEFORE]
    ldr r5, [r0, #P_DITHER]
    mov r8, r5
    ldr r5, =0x6a09e667
    mov r9, r5
    ldr r5, [r0, #P_REST]
    mov r10, r5
    ldr r5, [r0, #P_STEP]
    mov r11, r5
    ldr r5, [r0, #P_MANTISSA]
.Lnext:
    ldr r0, [r2]
    add r2, r11
    add r0, r10
    add r8, r9
    sxth r1, r0
    cmp r1, r0
    beq .Lsmall
.Llarge:
    uxth r1, r0
    asrs r0, r0, #16
    muls r1, r5
    muls r0, r5
    lsrs r1, r1, #16
    adds r0, r0, r1
    asrs r0, r7
    mov r1, r8
    lsrs r1, r3
    adds r0, r0, r1
    asrs r0, r6
.Lmove:
    beq .Ldone
    ldrb r1, [r4]
    sxtb r1, r1
    subs r1, r1, r0
    strb r1, [r4]
    adds r1, #128
    asrs r1, r1, #8
    bne .Lcarry
.Ldone:
    adds r4, #1
    cmp r4, lr
    bne .Lnext
    ldr r0, [sp, #FRAME_P]
    mov r1, r8
    str r1, [r0, #P_DITHER]
    add sp, #20
    restore_r4_to_r11_and_return

.Lsmall:
    lsls r1, r0, #17
    beq .Llarge /* -2^15 is not small, of 0 it does not matter */
    muls r0, r5
    ldr r1, [sp, #FRAME_SMALL_BEFORE]
    asrs r0, r1
    mov r7, r8
    ldr r1, [sp, #FRAME_SMALL_DITHER]
    lsrs r7, r1
    adds r0, r0, r7
    ldr r7, [sp, #FRAME_BEFORE]
    ldr r1, [sp, #FRAME_SMALL_SHIFT]
    asrs r0, r1
    b .Lmove

.Lcarry: /* r1 to the integer */
    mov r7, r12
    ldrsb r0, [r4, r7]
    adds r0, r0, r1
    movs r1, #127
    cmp r0, r1
    bgt .Lsaturate
    cmn r0, r1
    blt .Lsaturate
    strb r0, [r4, r7]
    ldr r7, [sp, #FRAME_BEFORE]
    b .Ldone
.Lsaturate:
    asrs r0, r0, #31
    eors r1, r0
    subs r1, r1, r0
    strb r1, [r4, r7]
    movs r1, #0
    strb r1, [r4]
    ldr r7, [sp, #FRAME_BEFORE]
    b .Ldone
    .ltorg
    .size tt_sums_loop, . - tt_sums_loop
