/* int32_t tt_swar_outputs(const int32_t *sums, int32_t n, const tt_swar_scale *scale, int8_t *y,
 * int32_t step): see packed/tt_swar.h. Cortex-M0: 24 cycles an output. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .section .text.tt_swar_outputs, "ax", %progbits
    .global tt_swar_outputs
    .type tt_swar_outputs, %function
    .thumb_func
tt_swar_outputs:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    push {r4-r6}
    mov r12, r0
    lsls r1, r1, #2
    adds r1, r1, r0
    mov lr, r1
    ldmia r2!, {r4, r5, r6, r7}
    mov r8, r6
    mov r9, r7
    ldr r6, [sp, #32]
    mov r10, r6
1:  cmp r0, lr
    beq 4f
    ldmia r0!, {r1}
    asrs r1, r4
    sxth r2, r1
    cmp r2, r1
    bne 3f
    muls r1, r5
    add r1, r8
    mov r2, r1
    add r2, r9
    asrs r1, r1, #21
    asrs r2, r2, #21
    cmp r1, r2
    bne 5f
    sxtb r2, r1
    cmp r2, r1
    bne 3f
2:  strb r1, [r3]
    add r3, r10
    b 1b
3:  asrs r2, r1, #31 /* beyond int8: 127 or -128 */
    movs r1, #127
    eors r1, r2
    b 2b
5:  subs r0, #4 /* undecided */
4:  mov r1, r12
    subs r0, r0, r1
    lsrs r0, r0, #2
    pop {r4-r6}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    pop {r4-r7, pc}
    .size tt_swar_outputs, . - tt_swar_outputs
