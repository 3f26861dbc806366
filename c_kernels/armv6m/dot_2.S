/* void tt_dot_2(const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset,
 * int32_t *sums): see src/tt_plain.h. Cortex-M0: 12.75 cycles for 2 multiply-accumulates. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .macro step
    ldrsb r6, [r0, r2]
    add r6, lr
    ldrsb r7, [r1, r2]
    muls r7, r6
    add r8, r7
    ldrsb r7, [r3, r2]
    muls r7, r6
    adds r4, r4, r7
    adds r2, #1
    .endm

    .section .text.tt_dot_2, "ax", %progbits
    .global tt_dot_2
    .type tt_dot_2, %function
    .thumb_func
tt_dot_2:
    push {r4-r7, lr}
    mov r7, r8
    push {r2, r7}
    ldr r4, [sp, #28] /* offset */
    mov lr, r4
    ldr r7, [sp, #32] /* sums */
    ldr r5, [r7]
    mov r8, r5
    ldr r4, [r7, #4]
    adds r3, r3, r1
    movs r5, #3
    bics r2, r5
    movs r5, r2 /* so many four at a time */
    movs r2, #0
    cmp r2, r5
    beq 2f
1:  step
    step
    step
    step
    cmp r2, r5
    bne 1b
2:  ldr r5, [sp]
    cmp r2, r5
    beq 3f
    step
    b 2b
3:  ldr r7, [sp, #32]
    mov r0, r8
    str r0, [r7]
    str r4, [r7, #4]
    pop {r2, r7}
    mov r8, r7
    pop {r4-r7, pc}
    .size tt_dot_2, . - tt_dot_2
