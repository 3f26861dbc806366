/* void tt_plane_pack(const tt_plane_rows *rows, const int8_t *x, int32_t n, uint32_t *to): see
 * packed/tt_plane.h. Cortex-M0: 8 cycles for a word if the stride is 1, 9 if it is 2. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ ROWS_STRIDE, 0
    .equ ROWS_BEFORE, 4 /* then words, after, zero, x_step, x_row, row_step */

    .equ FRAME_BEFORE, 0
    .equ FRAME_WORDS, 4 /* in bytes */
    .equ FRAME_AFTER, 8
    .equ FRAME_END, 12 /* behind the last row */

    .macro take to
    ldrsb \to, [r0, r5]
    adds r0, r0, r5
    .endm

/* One word, whose high half is an input. */
    .macro word stride
    take r2
    lsls r1, r2, #16
    adds r1, r1, r4
    stmia r6!, {r1}
    .if \stride == 1
    mov r4, r2
    .else
    mov r4, r12
    mov r12, r2
    .endif
    .endm

    .macro two_words stride
    take r2
    lsls r1, r2, #16
    adds r1, r1, r4
    .if \stride == 1
    take r4
    lsls r3, r4, #16
    adds r2, r2, r3
    .else
    mov r4, r2
    take r3
    lsls r2, r3, #16
    add r2, r12
    mov r12, r3
    .endif
    stmia r6!, {r1, r2}
    .endm

/* r0: the last input, r5: to the next; r4: the low half of the next word and, for a stride of 2, r12 of the
   one behind it; r6: the next word, r7: end of those whose high half is an input; r8: the zero point; r9: an
   input before the row, r10: to the next row; lr: the row of the plane, r11: to the next one. */
    .macro row stride
.Lrow_\stride:
    mov r0, r9
    add r9, r10
    mov r6, lr
    add lr, r11
    ldr r7, [sp, #FRAME_WORDS]
    ldr r3, [sp, #FRAME_BEFORE]
    mov r4, r8
    .if \stride == 1
    cmp r3, #0
    beq 2f
    take r4
    .else
    mov r12, r4
    b 1f
0:  mov r4, r12
    take r2
    mov r12, r2
1:  subs r3, #1
    bpl 0b
    .endif
2:  lsls r3, r7, #29
    add r7, r6
    bpl 4f
    word \stride
    b 4f
3:  two_words \stride
4:  cmp r6, r7
    bne 3b
    ldr r3, [sp, #FRAME_AFTER]
    mov r2, r8
    lsls r2, r2, #16
    b 6f
5:  adds r1, r2, r4
    stmia r6!, {r1}
    .if \stride == 2
    mov r4, r12
    .endif
6:  subs r3, #1
    bpl 5b
    ldr r3, [sp, #FRAME_END]
    cmp lr, r3
    bne .Lrow_\stride
    .endm

    .section .text.tt_plane_pack, "ax", %progbits
    .global tt_plane_pack
    .type tt_plane_pack, %function
    .thumb_func
tt_plane_pack:
    save_r4_to_r11
    sub sp, #20
    mov lr, r3
    mov r9, r1
    mov r12, r2
    mov r11, r0
    adds r0, #ROWS_BEFORE
    ldmia r0!, {r1, r2, r3, r4, r5, r6, r7}
    mov r8, r4
    mov r10, r6
    mov r4, r9
    subs r4, r4, r5
    mov r9, r4
    mov r4, r12
    muls r4, r7
    add r4, lr
    lsls r2, r2, #2
    mov r0, sp
    stmia r0!, {r1, r2, r3, r4}
    mov r0, r11
    mov r11, r7
    ldr r0, [r0, #ROWS_STRIDE]
    cmp r0, #1
    bne .Lrow_2
    row 1
    b 7f
    row 2
7:  add sp, #20
    restore_r4_to_r11_and_return
    .size tt_plane_pack, . - tt_plane_pack
