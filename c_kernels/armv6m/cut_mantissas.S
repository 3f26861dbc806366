/* void tt_cut_mantissas(tt_mantissa *m, int32_t n, int32_t shift): see src/tt_gradient.h; for mantissas of 16 bits
 * only. Cortex-M0: 5.9 cycles for a mantissa and a bit, which is how much a large gradient is cut by. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#if TT_GRADIENT_BITS == 16
    .equ FRAME_M, 0
    .equ FRAME_SHIFT, 4

    /* Two mantissas, each 2^15 more so that nothing is carried from one to the other: those below 0 and 1 are added,
     * then halved. r4: 0x80008000, r5: 0x00010001, r12: 0x40004000 */
    .macro halve two
    lsrs r6, \two, #15
    ands r6, r5
    eors \two, r4
    adds \two, \two, r6
    lsrs \two, \two, #1
    bics \two, r4
    add \two, r12
    eors \two, r4
    .endm

    .macro two
    ldmia r0!, {r1, r2}
    halve r1
    halve r2
    stmia r7!, {r1, r2}
    .endm

/* r0: from, r3: where m ends, r7: to; lr: where its words end */
    .section .text.tt_cut_mantissas, "ax", %progbits
    .global tt_cut_mantissas
    .type tt_cut_mantissas, %function
    .thumb_func
tt_cut_mantissas:
    cmp r1, #0
    ble .Lnothing
    push {r0, r2, r4-r7, lr}
    lsls r3, r1, #1
    adds r3, r3, r0
    ldr r5, =0x00010001
    lsls r4, r5, #15
    lsrs r6, r4, #1
    mov r12, r6
.Lbit:
    lsrs r1, r3, #2
    lsls r1, r1, #2
    mov lr, r1
    subs r1, r1, r0
    lsrs r1, r1, #3
    bcc 2f
    ldr r2, [r0]
    halve r2
    stmia r0!, {r2}
2:  mov r7, r0
    lsrs r1, r1, #1
    bcs 4f
    b 5f
3:  two
4:  two
5:  cmp r0, lr
    bne 3b
    cmp r0, r3
    beq .Lnext
    movs r2, #0
    ldrsh r1, [r0, r2]
    lsrs r2, r1, #31
    adds r1, r1, r2
    asrs r1, r1, #1
    strh r1, [r0]
.Lnext:
    ldr r0, [sp, #FRAME_M]
    ldr r1, [sp, #FRAME_SHIFT]
    subs r1, #1
    str r1, [sp, #FRAME_SHIFT]
    bgt .Lbit
    pop {r0, r2, r4-r7, pc}
.Lnothing:
    bx lr
    .ltorg
    .size tt_cut_mantissas, . - tt_cut_mantissas
#endif
