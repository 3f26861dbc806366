/* void tt_slide(const int32_t *plane, const int32_t *coefficients, const tt_slide_shape *shape,
 * int32_t *sums): see packed/tt_slide.h. Cortex-M0: 16 cycles for 4
 * multiply-accumulates, about 60 for a group of 4 sums. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .equ SHAPE_N, 0
    .equ SHAPE_STEP, 4
    .equ SHAPE_ROWS, 8
    .equ SHAPE_ROW_STEP, 12
    .equ SHAPE_GROUPS, 16
    .equ SHAPE_GROUP_STEP, 20

    .equ FRAME_COEFFICIENTS, 0
    .equ FRAME_ROW_STEP, 4
    .equ FRAME_NEXT, 8 /* from behind a group's words to the next one's */
    .equ FRAME_END, 12 /* of the sums */
    .equ FRAME_SUMS, 16
    .equ FRAME_QUADS, 20
    .equ FRAME_ENTRY, 24

    .equ STEP_BYTES, 22 /* of the macro: where a row's first step is among four follows from it */

    .macro step
    ldmia r1!, {r2}
    ldmia r0!, {r3, r4, r5, r6}
    add r0, r8
    muls r3, r2
    add r9, r3
    muls r4, r2
    add r10, r4
    muls r5, r2
    add r11, r5
    muls r6, r2
    add r12, r6
    .endm

/* r8: from behind a step's words to the next one's, r9-r12: sums, lr: end of the coefficients */
    .section .text.tt_slide, "ax", %progbits
    .global tt_slide
    .type tt_slide, %function
    .thumb_func
tt_slide:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    sub sp, #32
    str r1, [sp, #FRAME_COEFFICIENTS]
    str r3, [sp, #FRAME_SUMS]
    ldr r4, [r2, #SHAPE_GROUPS]
    lsls r4, r4, #4
    adds r4, r4, r3
    str r4, [sp, #FRAME_END]
    ldr r4, [r2, #SHAPE_N]
    ldr r5, [r2, #SHAPE_ROW_STEP]
    str r5, [sp, #FRAME_ROW_STEP]
    ldr r6, [r2, #SHAPE_STEP]
    muls r6, r4
    adds r5, r5, r6
    ldr r6, [r2, #SHAPE_ROWS]
    muls r5, r6
    ldr r3, [r2, #SHAPE_GROUP_STEP]
    subs r3, r3, r5
    str r3, [sp, #FRAME_NEXT]
    muls r6, r4
    lsls r6, r6, #2
    adds r6, r6, r1
    mov lr, r6
    ldr r5, [r2, #SHAPE_STEP]
    subs r5, #16
    mov r8, r5
    adds r5, r4, #3
    lsrs r5, r5, #2
    str r5, [sp, #FRAME_QUADS]
    lsls r5, r5, #2
    subs r5, r5, r4
    movs r6, #STEP_BYTES
    muls r5, r6
    str r5, [sp, #FRAME_ENTRY]
.Lgroup:
    ldr r1, [sp, #FRAME_COEFFICIENTS]
    movs r3, #0
    mov r9, r3
    mov r10, r3
    mov r11, r3
    mov r12, r3
    cmp r1, lr
    beq .Lfinish
    ldr r7, [sp, #FRAME_ROW_STEP]
    ldr r2, [sp, #FRAME_ENTRY]
    cmp r2, #STEP_BYTES
    bne .Lrow
    ldr r2, [sp, #FRAME_QUADS]
    cmp r2, #1
    bne .Lrow
.Lthree: /* the most common kernels */
    step
    step
    step
    adds r0, r0, r7
    cmp r1, lr
    bne .Lthree
    b .Lfinish
.Lrow: /* n mod 4 steps first */
    ldr r7, [sp, #FRAME_QUADS]
    ldr r2, [sp, #FRAME_ENTRY]
    add pc, r2
    nop
.Lquad:
    step
    step
    step
    step
    subs r7, #1
    bne .Lquad
    ldr r2, [sp, #FRAME_ROW_STEP]
    adds r0, r0, r2
    cmp r1, lr
    bne .Lrow
.Lfinish:
    ldr r1, [sp, #FRAME_NEXT]
    adds r0, r0, r1
    ldr r6, [sp, #FRAME_SUMS]
    ldmia r6!, {r1, r2, r3, r4}
    subs r6, #16
    add r1, r9
    add r2, r10
    add r3, r11
    add r4, r12
    stmia r6!, {r1, r2, r3, r4}
    str r6, [sp, #FRAME_SUMS]
    ldr r1, [sp, #FRAME_END]
    cmp r6, r1
    beq .Ldone
    b .Lgroup
.Ldone:
    add sp, #32
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    .size tt_slide, . - tt_slide
