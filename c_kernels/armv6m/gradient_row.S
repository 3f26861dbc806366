/* void tt_gradient_row(const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums):
 * see src/tt_tile.h. Cortex-M0: 41 cycles for 8 multiply-accumulates. Sums in r8-r11. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ FRAME_SUMS, 36

    .macro step
    ldmia r0!, {r2, r3}
    ldr r4, [r1, r3]
    sxtb r5, r4
    muls r5, r2
    add r8, r5
    lsls r5, r4, #16
    asrs r5, r5, #24
    muls r5, r2
    add r9, r5
    lsls r5, r4, #8
    asrs r5, r5, #24
    muls r5, r2
    add r10, r5
    asrs r4, r4, #24
    muls r4, r2
    add r11, r4
    .endm

/* r12: first factor, r6: their end, r7: sums, lr: quads left */
    .section .text.tt_gradient_row, "ax", %progbits
    .global tt_gradient_row
    .type tt_gradient_row, %function
    .thumb_func
tt_gradient_row:
    save_r4_to_r11
    mov r12, r0
    lsls r6, r1, #3
    adds r6, r6, r0
    mov r1, r2
    mov lr, r3
    ldr r7, [sp, #FRAME_SUMS]
1:  mov r0, r12
    movs r4, #0
    mov r8, r4
    mov r9, r4
    mov r10, r4
    mov r11, r4
    cmp r0, r6
    beq 3f
2:  step
    step
    cmp r0, r6
    bne 2b
3:  mov r2, r8
    mov r3, r9
    mov r4, r10
    mov r5, r11
    stmia r7!, {r2, r3, r4, r5}
    adds r1, #4
    mov r3, lr
    subs r3, #1
    mov lr, r3
    bne 1b
    restore_r4_to_r11_and_return
    .size tt_gradient_row, . - tt_gradient_row
