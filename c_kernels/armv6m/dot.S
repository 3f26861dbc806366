/* void tt_dot_4(const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset,
 * int32_t *sums): see src/tt_plain.h. Cortex-M0: 20.75 cycles for 4 multiply-accumulates. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .macro step
    ldrsb r6, [r0, r2]
    add r6, lr
    ldrsb r7, [r1, r2]
    muls r7, r6
    add r8, r7
    ldrsb r7, [r3, r2]
    muls r7, r6
    add r9, r7
    ldrsb r7, [r4, r2]
    muls r7, r6
    add r10, r7
    ldrsb r7, [r5, r2]
    muls r7, r6
    add r11, r7
    adds r2, #1
    .endm

    .section .text.tt_dot_4, "ax", %progbits
    .global tt_dot_4
    .type tt_dot_4, %function
    .thumb_func
tt_dot_4:
    save_low_take_high
    push {r2, r4-r7}
    ldr r4, [sp, #40] /* offset */
    mov lr, r4
    ldr r7, [sp, #44] /* sums */
    ldr r4, [r7]
    mov r8, r4
    ldr r4, [r7, #4]
    mov r9, r4
    ldr r4, [r7, #8]
    mov r10, r4
    ldr r4, [r7, #12]
    mov r11, r4
    adds r4, r1, r3
    adds r5, r4, r3
    mov r6, r3
    mov r3, r4
    mov r4, r5
    adds r5, r5, r6
    movs r6, #3
    bics r2, r6
    mov r12, r2 /* so many four at a time */
    movs r2, #0
    cmp r2, r12
    beq 2f
1:  step
    step
    step
    step
    cmp r2, r12
    bne 1b
2:  ldr r6, [sp]
    cmp r2, r6
    beq 3f
    step
    b 2b
3:  ldr r7, [sp, #44]
    mov r0, r8
    mov r1, r9
    mov r2, r10
    mov r3, r11
    stmia r7!, {r0, r1, r2, r3}
    pop {r2, r4-r7}
    put_high_and_return
    .size tt_dot_4, . - tt_dot_4
