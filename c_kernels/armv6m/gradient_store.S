/* int32_t tt_grad_store(const tt_grad_writer *writer, int32_t index, int32_t index_step,
 * const int32_t *sums, int32_t step, int32_t n): see src/tt_gradient.h. Cortex-M0: 17 cycles for a
 * mantissa of 16 bits. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ WRITER_GRAD, 0
    .equ WRITER_SHIFT, 8
    .equ WRITER_LIMIT, 12
    .equ GRAD_MANTISSA, 4

    .equ FRAME_STEP, 36
    .equ FRAME_N, 40

/* r0: m, r1: its step; r2: what is left; r3: sums, r8: their step; r6: what is added, r7: shift */
    .section .text.tt_grad_store, "ax", %progbits
    .global tt_grad_store
    .type tt_grad_store, %function
    .thumb_func
tt_grad_store:
    save_r4_to_r11
    ldr r4, [sp, #FRAME_STEP]
    lsls r4, r4, #2
    mov r8, r4
    ldr r7, [r0, #WRITER_SHIFT]
    movs r6, #1
    lsls r6, r7
    subs r6, #1
    ldr r4, [r0, #WRITER_LIMIT]
    ldr r0, [r0, #WRITER_GRAD]
    adds r0, #GRAD_MANTISSA
#if TT_GRADIENT_BITS == 16
    mov r9, r4
    adds r4, r4, r4
    mov r10, r4
    lsls r1, r1, #1
    adds r0, r0, r1
    lsls r1, r2, #1
    ldr r2, [sp, #FRAME_N]
1:  ldr r4, [r3]
    add r3, r8
    asrs r5, r4, #31 /* toward zero */
    ands r5, r6
    adds r4, r4, r5
    asrs r4, r7
    mov r5, r4
    add r5, r9
    cmp r5, r10 /* -limit <= r4 <= limit? */
    bhi 2f
    strh r4, [r0]
    adds r0, r0, r1
    subs r2, #1
    bne 1b
2:
#else
    subs r5, r7, #1 /* carry: shift > 0 */
    sbcs r5, r5
    adds r5, #1
    subs r4, r4, r5
    mov r9, r4
    adds r0, r0, r1
    mov lr, r2
    ldr r4, =0x9e3779b9
    muls r1, r4
    mov r10, r1 /* hash of the index */
    muls r2, r4
    mov r11, r2
    ldr r2, [sp, #FRAME_N]
    ldr r5, =0x55555555
    ands r5, r6
    mov r12, r5 /* what is added, if the hash is not below 2^31 */
    bics r6, r5 /* otherwise */
1:  ldr r4, [r3]
    add r3, r8
    asrs r1, r4, #31
    eors r4, r1
    subs r4, r4, r1
    mov r5, r4
    lsrs r5, r7
    cmp r5, r9
    bhi 2f
    mov r5, r10
    add r10, r11
    asrs r5, r5, #31
    beq 3f
    add r4, r12
    b 4f
3:  adds r4, r4, r6
4:  lsrs r4, r7
    eors r4, r1
    subs r4, r4, r1
    strb r4, [r0]
    add r0, lr
    subs r2, #1
    bne 1b
2:
#endif
    ldr r0, [sp, #FRAME_N]
    subs r0, r0, r2
    restore_r4_to_r11_and_return
#if TT_GRADIENT_BITS == 8
    .ltorg
#endif
    .size tt_grad_store, . - tt_grad_store
