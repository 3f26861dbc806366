/* Rows of values for the softmax: src/tt_exponential.h says what they compute. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

/* void tt_exponentials(int32_t *x, int32_t n, int32_t largest, tt_sum64 *sum): 34 cycles a value.
 * r5, r6: the sum; r7: what is left */
    .section .text.tt_exponentials, "ax", %progbits
    .global tt_exponentials
    .type tt_exponentials, %function
    .thumb_func
tt_exponentials:
    save_low_take_high
    push {r3-r7}
    mov r7, r1
    mov r12, r2
    adr r1, 5f
    ldmia r1!, {r2, r3, r4, r5, r6}
    mov r8, r2
    mov r9, r3
    mov r10, r4
    mov r11, r5
    mov lr, r6
    movs r5, #0
    movs r6, #0
1:  ldr r2, [r0]
    mov r1, r12
    subs r1, r1, r2
    lsrs r2, r1, #12
    cmp r2, #22
    bhs 4f
    mov r2, r8
    muls r1, r2
    lsrs r1, r1, #10 /* in powers of 2, units of 2^-16 */
    uxth r2, r1
    mov r3, r9
    muls r3, r2
    lsrs r3, r3, #16
    mov r4, r10
    subs r4, r4, r3
    muls r4, r2
    lsrs r4, r4, #16
    mov r3, r11
    subs r3, r3, r4
    muls r3, r2
    lsrs r3, r3, #16
    mov r4, lr
    subs r4, r4, r3
    lsls r4, r4, #13
    lsrs r1, r1, #16
    lsrs r4, r1
2:  stmia r0!, {r4}
    adds r5, r5, r4
    bcs 6f
3:  subs r7, #1
    bne 1b
    pop {r3}
    stmia r3!, {r5, r6}
    restore_r4_to_r11_and_return
4:  movs r4, #0
    b 2b
6:  adds r6, #1
    b 3b
    .balign 4
5:  .word 23637, 2565, 15110, 45313, 65536
    .size tt_exponentials, . - tt_exponentials

/* int32_t tt_probabilities(const int32_t *exps, int32_t n, uint32_t reciprocal, int32_t powers,
 * int32_t shift, tt_mantissa *m): 17 cycles a value where mantissas have 16 bits. r1: m, r6: the sum,
 * r7: shift, r8: end of exps */
    .section .text.tt_probabilities, "ax", %progbits
    .global tt_probabilities
    .type tt_probabilities, %function
    .thumb_func
tt_probabilities:
    save_r4_to_r11
    lsls r1, r1, #2
    adds r1, r1, r0
    mov r8, r1
    ldr r7, [sp, #36]
    ldr r1, [sp, #40]
    movs r6, #0
#if TT_GRADIENT_BITS == 8
    mov r9, r6 /* hash of the index */
    ldr r4, =0x9e3779b9
    mov r10, r4
    movs r4, #1
    lsls r4, r7
    subs r4, #1
    mov r11, r4
    ldr r4, =0xaaaaaaaa
    mov r12, r4
#endif
1:  ldmia r0!, {r4}
    lsrs r5, r4, #16
    muls r5, r2
    uxth r4, r4
    muls r4, r2
    lsrs r4, r4, #16
    adds r4, r4, r5
    lsrs r4, r3
    adds r6, r6, r4
#if TT_GRADIENT_BITS == 16
    lsrs r4, r7
    strh r4, [r1]
    adds r1, #2
#else
    mov r5, r9 /* as tt_grad_cut */
    add r9, r10
    asrs r5, r5, #31
    mov lr, r0
    mov r0, r12
    eors r5, r0
    mov r0, r11
    ands r5, r0
    mov r0, lr
    adds r4, r4, r5
    lsrs r4, r7
    strb r4, [r1]
    adds r1, #1
#endif
    cmp r0, r8
    bne 1b
    mov r0, r6
    restore_r4_to_r11_and_return
#if TT_GRADIENT_BITS == 8
    .ltorg
#endif
    .size tt_probabilities, . - tt_probabilities
