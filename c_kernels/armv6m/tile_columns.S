/* int32_t tt_tile_columns(tt_columns *t): see tt_columns.h.
 * Cortex-M0: 276 cycles for 72 multiply-accumulates of 6 rows, 67 for 16 of 4; factors of 16 bits leave no room
 * for a second lane. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_columns.inc"
#include "tt_registers.inc"

    /* the frame: what t begins with, then */
    .equ F_W, 12
    .equ F_LAST, 16
    .equ F_END, 20
    .equ F_OUT, 24
    .equ F_SHIFT, 36 /* of 8 bits */
    .equ F_LIMIT, 40 /* of 16 bits */
    .equ F_T, 48     /* the rest of t, */
    .equ F_ENTER, 52 /* where to go for a column's sums, */
    .equ F_STEP, 56  /* of an odd number of factors: and then, */
    .equ F_LEAVE, 60 /* of 8 bits: and with them; */
    .equ F_FIRST, 64 /* and the first of them */

    .equ T_ROWS, 0 /* in the rest */
    .equ T_N, 4
    .equ T_SUMS, 8

#if TT_GRADIENT_BITS == 16
    /* Toward zero: floor((x + s) / 2^shift) - s, s being -1 for what is below 0. r0: out, r1: from row to row, r5:
     * shift, r7: two rows; to r6 goes what has as many bits as any of the mantissas. */
    .macro put_it at s
    asrs \s, r2, #31
    adds r2, r2, \s
    asrs r2, r5
    subs r4, r2, \s
    strh r4, [\at]
    eors \s, r2
    .endm

    .macro put_first sum
    mov r2, \sum
    put_it r0, r6
    .endm

    .macro put sum at
    mov r2, \sum
    put_it "\at", r3
    orrs r6, r3
    .endm

    /* r3: where the column has ended */
    .macro begin_mantissas
    add r7, sp, #F_OUT
    ldmia r7, {r0, r1, r5, r7}
    lsls r3, r3, #1
    adds r0, r0, r3
    .endm

    .macro end_mantissas
    ldr r5, [sp, #F_LIMIT]
    cmp r6, r5
    bgt 9f /* none of them counts */
    .endm
#else
    .equ BIAS, 126
    .equ MOST_SHIFT, 23 /* BIAS << 23 can be added to a sum, and what is below 0 is beyond 2 * BIAS */

    /* The sum r2, see tt_grad_cut: floor((x + r) / 2^shift) is the same as -floor((-x + mask - r) / 2^shift), and
     * mask - r the other pattern, so hash and sign decide together. r0: out, r1: from row to row, r4: mask, r5: shift,
     * r6: hash, r7: what is added, with the bias; r8: the hash from row to row. 127 is left to tt_grad_put. */
    .macro put_it
    mov r3, r2
    eors r3, r6
    add r6, r8
    asrs r3, r3, #31
    ands r3, r4
    eors r3, r7
    adds r2, r2, r3
    lsrs r2, r5
    cmp r2, #(2 * BIAS)
    bhi 9f
    subs r2, #BIAS
    strb r2, [r0]
    adds r0, r0, r1
    .endm

    .macro put sum
    mov r2, \sum
    put_it
    .endm

    .macro leave
    ldr r2, [sp, #F_LEAVE]
    mov pc, r2
    .endm

    /* r3: where the column has ended; r6: the hash of its first index; r8: from row to row, what was there is kept */
    .macro begin_mantissas
    mov r2, r3
    add r3, sp, #F_OUT
    ldmia r3!, {r0, r1, r4, r5, r6, r7}
    adds r0, r0, r2
    ldr r2, =0x9e3779b9
    mov r3, r1
    muls r3, r2
    muls r2, r0
    adds r6, r6, r2
    mov r2, r8
    str r2, [sp, #F_FIRST]
    mov r8, r3
    .endm
#endif

    .macro next_column none_left
    mov r4, sp
    ldmia r4!, {r0, r1, r2, r3, r5}
    cmp r3, r5
    beq \none_left
    adds r5, r3, #1
    str r5, [sp, #F_W]
    .endm

    .section .text.tt_tile_columns, "ax", %progbits
    .global tt_tile_columns
    .type tt_tile_columns, %function
    .balign 4
    .thumb_func
tt_tile_columns:
    save_r4_to_r11
    sub sp, #68
    mov r7, sp
    ldmia r0!, {r1, r2, r3, r4, r5, r6}
    stmia r7!, {r1, r2, r3, r4, r5, r6}
    ldmia r0!, {r1, r2, r3, r4, r5, r6}
    stmia r7!, {r1, r2, r3, r4, r5, r6}
    str r0, [sp, #F_T]
    ldr r4, [r0, #T_N]
    ldr r5, [r0, #T_ROWS]
    cmp r5, #4
    beq 1f
    /* so many fewer in the first round that with the first factor they are all: 1 to 12 */
    subs r4, #1
0:  subs r4, #12
    bpl 0b
    rsbs r4, r4, #0
    lsrs r7, r4, #1
    movs r5, #TWO_BYTES
    muls r7, r5
    adr r5, .Lsix
    adds r5, r5, r7
    str r5, [sp, #F_STEP]
    lsrs r4, r4, #1
    bcs 2f
    adr r5, .Lodd
    b 3f
2:  adds r5, #TWO_BYTES / 2 - 1
3:  str r5, [sp, #F_ENTER]
#if TT_GRADIENT_BITS == 8
    adr r5, .Lput
    ldr r4, [sp, #F_SHIFT]
    cmp r4, #MOST_SHIFT
    bls 4f
    adr r5, .Lkeep
4:  str r5, [sp, #F_LEAVE]
#endif
    b .Lcolumn
1:  rsbs r4, r4, #0 /* so many fewer in the first round, modulo 4 */
    lsls r4, r4, #30
    lsrs r4, r4, #30
    movs r5, #FOUR_BYTES
    muls r4, r5
    adr r5, .Lfour
    adds r4, r4, r5
    str r4, [sp, #F_ENTER]
#if TT_GRADIENT_BITS == 8
    adr r5, .Lput_four
    ldr r4, [sp, #F_SHIFT]
    cmp r4, #MOST_SHIFT
    bls 5f
    adr r5, .Lkeep
5:  str r5, [sp, #F_LEAVE]
#endif
    b .Lcolumn_four

    .balign 4
.Lodd:
    adds r3, r3, r1
    ldr r5, [sp, #F_STEP]
    mov pc, r5

.Lnone_left:
    movs r0, #0
    b .Lreturn

.Lcolumn:
    next_column .Lnone_left
    six mov 0
    ldr r5, [sp, #F_ENTER]
    mov pc, r5
    .balign 4
.Lsix:
    .rept 6
    six add 0
    six add 1
    .endr
    ldr r4, [sp, #F_END]
    cmp r0, r4
    beq 1f
    b .Lsix
1:
#if TT_GRADIENT_BITS == 16
    begin_mantissas
    put_first r8
    put r9, "r0, r1"
    put r10, "r0, r7"
    adds r0, r0, r1
    adds r0, r0, r7
    put r11, r0
    put r12, "r0, r1"
    put lr, "r0, r7"
    end_mantissas
    b .Lcolumn
9:
#else
    leave
    .balign 4
.Lput:
    begin_mantissas
    ldr r2, [sp, #F_FIRST]
    put_it
    put r9
    put r10
    put r11
    put r12
    put lr
    b .Lcolumn
9:  ldr r2, [sp, #F_FIRST]
    mov r8, r2
    .balign 4
#endif
.Lkeep:
    ldr r3, [sp, #F_T]
    adds r3, #T_SUMS
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    stmia r3!, {r4, r5, r6, r7}
    mov r4, r12
    mov r5, lr
    stmia r3!, {r4, r5}
    ldr r0, [sp, #F_LAST]
    ldr r3, [sp, #F_W]
    subs r0, r0, r3
    adds r0, #1
.Lreturn:
    add sp, #68
    restore_r4_to_r11_and_return

.Lfour_left:
    b .Lnone_left
.Lcolumn_four:
    next_column .Lfour_left
    movs r5, #0
    mov r10, r5
    mov r11, r5
    mov r12, r5
    mov lr, r5
    ldr r5, [sp, #F_END]
    mov r8, r5
    ldr r5, [sp, #F_ENTER]
    mov pc, r5
    .balign 4
.Lfour:
    four
    four
    four
    four
    cmp r0, r8
    bne .Lfour
#if TT_GRADIENT_BITS == 16
    begin_mantissas
    put_first r10
    put r11, "r0, r1"
    put r12, "r0, r7"
    adds r0, r0, r1
    put lr, "r0, r7"
    end_mantissas
#else
    leave
    .balign 4
.Lput_four:
    begin_mantissas
    put r10
    put r11
    put r12
    put lr
#endif
    b .Lcolumn_four
9:  b .Lkeep
#if TT_GRADIENT_BITS == 8
    .ltorg
#endif
    .size tt_tile_columns, . - tt_tile_columns
