/* void tt_scale_rows(const tt_mantissa *dy, const uint16_t *scale, int32_t *g, const tt_scaling *s): see
 * tt_columns.h. Cortex-M0: 9.5 cycles a factor. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ S_ROWS, 0
    .equ S_CHANNELS, 4
    .equ S_HEADROOM, 8

    .macro load to
#if TT_GRADIENT_BITS == 16
    ldrsh \to, [r0, r3]
#else
    ldrsb \to, [r0, r3]
#endif
    adds r0, r0, r3
    muls \to, r4
    add \to, r11
    asrs \to, \to, #15
    .endm

    .macro two
    load r5
    load r6
    stmia r2!, {r5, r6}
    .endm

/* r0: dy, a row before the next; r3: a row; r4, r7: scale and headroom; r8: where scales end, r9: all rows but one
 * element, r10: the first pair, r11: one half */
    .section .text.tt_scale_rows, "ax", %progbits
    .global tt_scale_rows
    .type tt_scale_rows, %function
    .balign 4
    .thumb_func
tt_scale_rows:
    save_r4_to_r11
    ldr r7, [r3, #S_HEADROOM]
    ldr r4, [r3, #S_ROWS]
    ldr r3, [r3, #S_CHANNELS]
    lsls r5, r3, #1
    adds r6, r1, r5
    mov r8, r6
#if TT_GRADIENT_BITS == 16
    mov r3, r5
#endif
    subs r0, r0, r3
    movs r5, #1
    lsls r6, r5, #14
    mov r11, r6
    mov r6, r3
    muls r6, r4
#if TT_GRADIENT_BITS == 16
    subs r6, #2
#else
    subs r6, #1
#endif
    mov r9, r6
    adr r5, .Lsix
    cmp r4, #4
    bne 1f
    adr r5, .Lfour
1:  mov r10, r5
.Lchannel:
    ldrh r4, [r1]
    adds r1, #2
    lsls r4, r7
    mov pc, r10
    .balign 4
.Lsix:
    two
    .balign 4
.Lfour:
    two
    two
    mov r5, r9
    subs r0, r0, r5
    cmp r1, r8
    bne .Lchannel
    restore_r4_to_r11_and_return
    .size tt_scale_rows, . - tt_scale_rows
