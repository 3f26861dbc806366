/* void tt_row_sums_aligned(const tt_mantissa *dy, int32_t dy_step, const int8_t *x, int32_t x_step,
 * int32_t n, int32_t zero, int32_t *sums): see tt_row_sums in src/tt_windows.h; x and x_step are
 * multiples of 4. Cortex-M0: 22.5 cycles for 4 multiply-accumulates. The zero point is taken off in the
 * end, from the sum of dy in r12. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ FRAME_N, 36
    .equ FRAME_ZERO, 40
    .equ FRAME_SUMS, 44

    .macro pixel
#if TT_GRADIENT_BITS == 16
    ldrsh r2, [r0, r7]
#else
    ldrsb r2, [r0, r7]
#endif
    adds r0, r0, r7
    add r12, r2
    ldr r3, [r1, r6]
    adds r1, r1, r6
    sxtb r4, r3
    muls r4, r2
    add r8, r4
    lsls r4, r3, #16
    asrs r4, r4, #24
    muls r4, r2
    add r9, r4
    lsls r4, r3, #8
    asrs r4, r4, #24
    muls r4, r2
    add r10, r4
    asrs r3, r3, #24
    muls r3, r2
    add r11, r3
    .endm

/* r0 and r1 are a step before dy and x */
    .section .text.tt_row_sums_aligned, "ax", %progbits
    .global tt_row_sums_aligned
    .type tt_row_sums_aligned, %function
    .thumb_func
tt_row_sums_aligned:
    save_r4_to_r11
    mov r7, r1
#if TT_GRADIENT_BITS == 16
    lsls r7, r7, #1
#endif
    mov r6, r3
    subs r0, r0, r7
    subs r1, r2, r6
    movs r2, #0
    mov r8, r2
    mov r9, r2
    mov r10, r2
    mov r11, r2
    mov r12, r2
    ldr r5, [sp, #FRAME_N]
    lsls r2, r5, #31
    muls r5, r7
    adds r5, r5, r0
    cmp r2, #0
    beq 2f
    pixel
    b 2f
1:  pixel
    pixel
2:  cmp r0, r5
    bne 1b
    ldr r4, [sp, #FRAME_ZERO]
    mov r5, r12
    muls r4, r5
    mov r0, r8
    subs r0, r0, r4
    mov r1, r9
    subs r1, r1, r4
    mov r2, r10
    subs r2, r2, r4
    mov r3, r11
    subs r3, r3, r4
    ldr r4, [sp, #FRAME_SUMS]
    stmia r4!, {r0, r1, r2, r3}
    restore_r4_to_r11_and_return
    .size tt_row_sums_aligned, . - tt_row_sums_aligned
