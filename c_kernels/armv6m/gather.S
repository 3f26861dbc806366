/* void tt_gather_gradient(const tt_gather *g, const tt_mantissa *from, int32_t *to),
 * void tt_gather_input(const tt_gather *g, const int8_t *from, int32_t *to): see packed/tt_slide.h.
 * Cortex-M0: 7 cycles for a word. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .equ FRAME_ROWS, 0 /* to come; then as in tt_gather */
    .equ FRAME_BEFORE, 4
    .equ FRAME_AFTER, 8
    .equ FRAME_SKIP, 12

    .macro gradient to
#if TT_GRADIENT_BITS == 16
    ldrsh \to, [r0, r5]
#else
    ldrsb \to, [r0, r5]
#endif
    adds r0, r0, r5
    lsls \to, r4
    .endm

    .macro input to
    ldrsb \to, [r0, r5]
    adds r0, r0, r5
    subs \to, \to, r4
    .endm

    .macro zeros n
    ldr r1, [sp, #\n]
    movs r2, #0
    b 2f
1:  stmia r6!, {r2}
2:  subs r1, #1
    bpl 1b
    .endm

/* r0: the last element, r5: to the next; r4: operand; r6: the next word, r7: end of the row's; r8: an element
   before the row, r9: to the next row; r10: bytes of words in a row */
    .macro gather element, around
    .section .text.tt_gather_\element, "ax", %progbits
    .global tt_gather_\element
    .type tt_gather_\element, %function
    .thumb_func
tt_gather_\element:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    push {r4-r6}
    sub sp, #16
    mov r12, r2
    ldmia r0!, {r2-r5} /* operand, step, row_step, columns */
    mov r9, r4
    lsls r5, r5, #2
    mov r10, r5
    mov r4, r2
    mov r5, r3
    subs r1, r1, r5
    mov r8, r1
    ldmia r0!, {r1, r2, r3, r6}
    mov r0, sp
    stmia r0!, {r1, r2, r3, r6}
    mov r6, r12
.Lrow_\element:
    .if \around
    zeros FRAME_BEFORE
    .endif
    mov r0, r8
    add r8, r9
    mov r7, r10
    lsls r1, r7, #29
    add r7, r6
    bpl 4f
    \element r1
    stmia r6!, {r1}
    b 4f
3:  \element r1
    \element r2
    stmia r6!, {r1, r2}
4:  cmp r6, r7
    bne 3b
    .if \around
    zeros FRAME_AFTER
    .endif
    ldr r1, [sp, #FRAME_SKIP]
    adds r6, r6, r1
    ldr r1, [sp, #FRAME_ROWS]
    subs r1, #1
    str r1, [sp, #FRAME_ROWS]
    bne .Lrow_\element
    add sp, #16
    pop {r4-r6}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    pop {r4-r7, pc}
    .size tt_gather_\element, . - tt_gather_\element
    .endm

    gather gradient, 0
    gather input, 1
