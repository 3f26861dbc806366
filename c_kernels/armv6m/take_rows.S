/* void tt_take_rows(const tt_mantissa *dy, int32_t step, int32_t *g, tt_taken *t): see tt_columns.h; for
 * mantissas of 16 bits only. Cortex-M0: 6 cycles a factor. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

#if TT_GRADIENT_BITS == 16
    .equ T_N, 0
    .equ T_ROWS, 4
    .equ T_TOTALS, 8

    .macro take to total
    ldrsh \to, [r0, r7]
    adds r0, #2
    add \total, \to
    .endm

/* r0: dy, r1: from the end of a pixel's rows to the next, r3: where g ends, r7: 0 */
    .section .text.tt_take_rows, "ax", %progbits
    .global tt_take_rows
    .type tt_take_rows, %function
    .thumb_func
tt_take_rows:
    save_r4_to_r11
    push {r3}
    movs r7, #0
    mov r8, r7
    mov r9, r7
    mov r10, r7
    mov r11, r7
    mov r12, r7
    mov lr, r7
    ldr r4, [r3, #T_ROWS]
    ldr r3, [r3, #T_N]
    muls r3, r4
    lsls r3, r3, #2
    adds r3, r3, r2
    subs r1, r1, r4
    lsls r1, r1, #1
    cmp r4, #4
    beq 2f
1:  take r4, r8
    take r5, r9
    take r6, r10
    stmia r2!, {r4, r5, r6}
    take r4, r11
    take r5, r12
    take r6, lr
    stmia r2!, {r4, r5, r6}
    adds r0, r0, r1
    cmp r2, r3
    bne 1b
    b 3f
2:  take r4, r10
    take r5, r11
    stmia r2!, {r4, r5}
    take r4, r12
    take r5, lr
    stmia r2!, {r4, r5}
    adds r0, r0, r1
    cmp r2, r3
    bne 2b
3:  pop {r3}
    adds r3, #T_TOTALS
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    stmia r3!, {r4, r5, r6, r7}
    mov r4, r12
    mov r5, lr
    stmia r3!, {r4, r5}
    restore_r4_to_r11_and_return
    .size tt_take_rows, . - tt_take_rows
#endif
