/* uint32_t tt_clip_mantissas(const tt_mantissa *from, const uint8_t *clip, tt_mantissa *to, int32_t bytes):
 * see src/tt_gradient.h. Cortex-M0: for mantissas of 16 bits 4 cycles each where all eight are kept, else 8;
 * of 8 bits 12. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#if TT_GRADIENT_BITS == 16

    .macro both v /* the next two bits of r3 */
    lsrs r3, r3, #1
    sbcs r6, r6 /* -1 unless the bit was 1 */
    uxth r6, r6
    bics \v, r6
    lsrs r3, r3, #1
    sbcs r6, r6
    lsls r6, r6, #16
    bics \v, r6
    .endm

    .macro note v
    lsls r6, \v, #1
    eors r6, \v
    orrs r7, r6
    .endm

    .macro four_kept
    ldmia r0!, {r4, r5}
    stmia r2!, {r4, r5}
    note r4
    note r5
    .endm

    .macro four_clipped
    ldmia r0!, {r4, r5}
    both r4
    both r5
    stmia r2!, {r4, r5}
    note r4
    note r5
    .endm

/* r3: bits; r7: where v and 2v differ, two lanes; r12: end of clip, lr: 255 */
    .section .text.tt_clip_mantissas, "ax", %progbits
    .global tt_clip_mantissas
    .type tt_clip_mantissas, %function
    .thumb_func
tt_clip_mantissas:
    push {r4-r7, lr}
    adds r3, r3, r1
    mov r12, r3
    movs r7, #255
    mov lr, r7
    movs r7, #0
    b 3f
1:  four_kept
    four_kept
    cmp r1, r12
    beq 4f
2:  ldrb r3, [r1]
    adds r1, #1
    cmp r3, lr
    beq 1b
    four_clipped
    four_clipped
3:  cmp r1, r12
    bne 2b
4:  uxth r0, r7
    lsrs r7, r7, #16
    orrs r0, r7
    lsrs r0, r0, #1
    pop {r4-r7, pc}
    .size tt_clip_mantissas, . - tt_clip_mantissas

#else

/* r3: bits, and above them a 1 that ends a byte; r5: magnitudes; r12: end of clip */
    .section .text.tt_clip_mantissas, "ax", %progbits
    .global tt_clip_mantissas
    .type tt_clip_mantissas, %function
    .thumb_func
tt_clip_mantissas:
    push {r4-r7, lr}
    adds r3, r3, r1
    mov r12, r3
    movs r5, #0
    movs r7, #0
    b 3f
1:  movs r4, #128
    lsls r4, r4, #1
    ldrb r3, [r1]
    adds r1, #1
    orrs r3, r4
    lsrs r3, r3, #1
2:  sbcs r6, r6
    ldrsb r4, [r0, r7]
    adds r0, #1
    bics r4, r6
    strb r4, [r2]
    adds r2, #1
    asrs r6, r4, #31
    eors r4, r6
    orrs r5, r4
    lsrs r3, r3, #1
    bne 2b
3:  cmp r1, r12
    bne 1b
    mov r0, r5
    pop {r4-r7, pc}
    .size tt_clip_mantissas, . - tt_clip_mantissas

#endif
