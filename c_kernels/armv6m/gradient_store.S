/* int32_t tt_grad_store(const int32_t *sums, int32_t step, int32_t n, tt_mantissa *m, int32_t index,
 * int32_t shift, int32_t limit): see src/tt_gradient.h. Cortex-M0: 16 cycles for a mantissa of 16 bits. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .equ FRAME_INDEX, 32
    .equ FRAME_SHIFT, 36
    .equ FRAME_LIMIT, 40

/* r2: what is left, counted up to 0; r3: the end of m */
    .section .text.tt_grad_store, "ax", %progbits
    .global tt_grad_store
    .type tt_grad_store, %function
    .thumb_func
tt_grad_store:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    push {r4-r6}
    mov r12, r2
    lsls r1, r1, #2
    ldr r7, [sp, #FRAME_SHIFT]
    movs r6, #1
    lsls r6, r7
    subs r6, #1
    ldr r4, [sp, #FRAME_LIMIT]
#if TT_GRADIENT_BITS == 16
    mov r8, r4
    adds r4, r4, r4
    mov r9, r4
    lsls r2, r2, #1
    adds r3, r3, r2
    rsbs r2, r2, #0
1:  ldr r4, [r0]
    adds r0, r0, r1
    asrs r5, r4, #31 /* toward zero */
    ands r5, r6
    adds r4, r4, r5
    asrs r4, r7
    mov r5, r4
    add r5, r8
    cmp r5, r9 /* -limit <= r4 <= limit? */
    bhi 2f
    strh r4, [r3, r2]
    adds r2, #2
    bne 1b
2:  asrs r2, r2, #1
#else
    subs r5, r7, #1 /* carry: shift > 0 */
    sbcs r5, r5
    adds r5, #1
    subs r4, r4, r5
    mov r8, r4
    mov lr, r1
    ldr r4, =0x9e3779b9
    mov r10, r4
    ldr r5, [sp, #FRAME_INDEX]
    muls r5, r4
    mov r9, r5
    adds r3, r3, r2
    rsbs r2, r2, #0
    ldr r5, =0x55555555
    ands r5, r6 /* what is added, if the hash is not below 2^31 */
1:  ldr r4, [r0]
    add r0, lr
    asrs r1, r4, #31
    eors r4, r1
    subs r4, r4, r1
    mov r6, r4
    lsrs r6, r7
    cmp r6, r8
    bhi 2f
    mov r6, r9
    add r9, r10
    asrs r6, r6, #31
    beq 3f
    adds r4, r4, r5
    b 4f
3:  movs r6, #1
    lsls r6, r7
    subs r6, #1
    bics r6, r5
    adds r4, r4, r6
4:  lsrs r4, r7
    eors r4, r1
    subs r4, r4, r1
    strb r4, [r3, r2]
    adds r2, #1
    bne 1b
2:
#endif
    mov r0, r12
    adds r0, r0, r2
    pop {r4-r6}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    pop {r4-r7, pc}
#if TT_GRADIENT_BITS == 8
    .ltorg
#endif
    .size tt_grad_store, . - tt_grad_store
