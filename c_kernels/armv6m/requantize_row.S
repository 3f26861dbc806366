/* int32_t tt_requantize_row(const int32_t *x, const int32_t *multiplier, const int8_t *shift, int32_t n,
 * int32_t *y): see src/tt_plain.h. Cortex-M0: 42 cycles a value, with both roundings exact. */
    .syntax unified
    .cpu cortex-m0
    .thumb

/* r6: x, r12 and lr: from there to the multiplier and to y; r7: shift;
 * r8: end of x; r9: the largest */
    .section .text.tt_requantize_row, "ax", %progbits
    .global tt_requantize_row
    .type tt_requantize_row, %function
    .thumb_func
tt_requantize_row:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    push {r4, r5}
    mov r6, r0
    mov r7, r2
    subs r1, r1, r0
    mov r12, r1
    ldr r1, [sp, #28]
    subs r1, r1, r0
    subs r1, #4
    mov lr, r1
    lsls r3, r3, #2
    adds r3, r3, r0
    mov r8, r3
    movs r4, #1
    lsls r4, r4, #31
    mov r9, r4
    movs r4, #0
1:  mov r1, r12
    ldr r1, [r6, r1]
    ldmia r6!, {r0}
    ldrsb r5, [r7, r4]
    adds r7, #1
    cmp r5, #0
    bgt 4f
    negs r5, r5
2:  sxth r2, r0 /* signed halves, and the product, as tt_mul_high has them */
    asrs r0, r0, #16
    adcs r0, r4
    sxth r3, r1
    asrs r1, r1, #16
    adcs r1, r4
    mov r4, r2
    muls r4, r3
    asrs r4, r4, #16
    muls r2, r1
    muls r3, r0
    adds r2, r2, r3
    adds r2, r2, r4
    muls r0, r1
    lsls r0, r0, #1
    asrs r2, r2, #15
    adcs r0, r2
    movs r4, #0
    asrs r1, r0, #31 /* halves away from zero; a shift by 0 leaves the carry, which puts back the 1 */
    adds r0, r0, r1
    asrs r0, r5
    adcs r0, r4
    mov r1, lr
    str r0, [r6, r1]
    cmp r0, r9
    ble 3f
    mov r9, r0
3:  cmp r6, r8
    bne 1b
    mov r0, r9
    pop {r4, r5}
    mov r8, r4
    mov r9, r5
    pop {r4-r7, pc}
4:  lsls r0, r5
    movs r5, #0
    b 2b
    .size tt_requantize_row, . - tt_requantize_row
