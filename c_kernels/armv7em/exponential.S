/* Rows of values for the softmax: src/tt_exponential.h says what they compute. */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .macro begin name
    .section .text.\name, "ax", %progbits
    .global \name
    .type \name, %function
    .thumb_func
\name:
    .endm

/* void tt_exponentials(int32_t *x, int32_t n, int32_t largest, tt_sum64 *sum): 23 cycles a value.
 * r4, r5: the sum; r6-r10: constants */
    begin tt_exponentials
    push {r3-r11, lr}
    movw r6, #23637
    movw r7, #2565
    movw r8, #15110
    movw r9, #45313
    mov r10, #65536
    mov r4, #0
    mov r5, #0
1:  ldr r12, [r0]
    sub r12, r2, r12
    cmp r12, #(22 << 12)
    bge 3f
    mul r12, r12, r6
    ubfx r11, r12, #10, #16 /* of the power of 2, in units of 2^-16, what is below 1 */
    lsr r12, r12, #26
    mul lr, r11, r7
    sub lr, r8, lr, lsr #16
    mul lr, r11, lr
    sub lr, r9, lr, lsr #16
    mul lr, r11, lr
    sub lr, r10, lr, lsr #16
    lsl lr, lr, #13
    lsr lr, lr, r12
2:  str lr, [r0], #4
    adds r4, r4, lr
    adc r5, r5, #0
    subs r1, r1, #1
    bne 1b
    pop {r3}
    stm r3, {r4, r5}
    pop {r4-r11, pc}
3:  mov lr, #0
    b 2b
    .size tt_exponentials, . - tt_exponentials

/* int32_t tt_probabilities(const int32_t *exps, int32_t n, uint32_t reciprocal, int32_t powers,
 * int32_t shift, tt_mantissa *m): 11 cycles a value where mantissas have 16 bits. r4: the sum, r5: shift,
 * r6: m */
    begin tt_probabilities
    push {r4-r10, lr}
    ldrd r5, r6, [sp, #32]
    mov r4, #0
    lsl r2, r2, #15 /* 2^31 at most; twice an exponential, 2^30 */
#if TT_GRADIENT_BITS == 8
    mov r8, #0 /* hash of the index */
    movw r9, #0x79b9
    movt r9, #0x9e37
    mov r10, #1
    lsl r10, r10, r5
    sub r10, r10, #1
#endif
1:  ldr r12, [r0], #4
    lsl r12, r12, #1
    umull lr, r12, r12, r2
    lsr r12, r12, r3
    add r4, r4, r12
#if TT_GRADIENT_BITS == 16
    lsr r12, r12, r5
    strh r12, [r6], #2
#else
    mvn lr, #0x55555555 /* as tt_grad_cut */
    eor lr, lr, r8, asr #31
    add r8, r8, r9
    and lr, lr, r10
    add r12, r12, lr
    lsr r12, r12, r5
    strb r12, [r6], #1
#endif
    subs r1, r1, #1
    bne 1b
    mov r0, r4
    pop {r4-r10, pc}
    .size tt_probabilities, . - tt_probabilities
