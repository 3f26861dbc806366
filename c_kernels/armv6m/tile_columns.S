/* int32_t tt_tile_columns(tt_columns *t) and, of 16 bits, void tt_add_columns(tt_columns *t): see tt_columns.h.
 * Cortex-M0: 188 cycles for 48 multiply-accumulates of 6 rows, 67 for 16 of 4; factors of 16 bits leave no room
 * for a second lane. The sums of 6 rows lie in r8-r12 and lr, of 4 rows in the last four of these. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    .equ T_G, 0
    .equ T_W, 12
    .equ T_OUT, 16
    .equ T_SHIFT, 28
    .equ T_COLUMNS, 40
    .equ T_ROWS, 44
    .equ T_N, 48
    .equ T_SUMS, 52

    .equ FRAME_T, 0
    .equ FRAME_ENTER, 4 /* where to go for a column's sums, */
    .equ FRAME_LEAVE, 8 /* and with them */
    .equ FRAME_STEP, 12 /* of 4 rows: the first in the loop */

    .equ FOUR_BYTES, 22

    /* r0: g, r1: stride, r2: where g ends, r3: a stride before w */
    .macro six
    ldrsb r4, [r3, r1]
    adds r3, r3, r1
    ldmia r0!, {r5, r6, r7}
    muls r5, r4
    add r8, r5
    muls r6, r4
    add r9, r6
    muls r7, r4
    add r10, r7
    ldmia r0!, {r5, r6, r7}
    muls r5, r4
    add r11, r5
    muls r6, r4
    add r12, r6
    muls r7, r4
    add lr, r7
    .endm

    /* the same, but g ends at r8 */
    .macro four
    ldrsb r2, [r3, r1]
    adds r3, r3, r1
    ldmia r0!, {r4, r5, r6, r7}
    muls r4, r2
    add r10, r4
    muls r5, r2
    add r11, r5
    muls r6, r2
    add r12, r6
    muls r7, r2
    add lr, r7
    .endm

#if TT_GRADIENT_BITS == 16
    .equ MANTISSA, 2

    /* r0: out, r1: from row to row, r4: what is added, r5: shift, r6: limit, r7: twice the limit */
    .macro put sum
    mov r2, \sum
    asrs r3, r2, #31 /* toward zero */
    ands r3, r4
    adds r2, r2, r3
    asrs r2, r5
    adds r3, r2, r6
    cmp r3, r7 /* -limit <= r2 <= limit? */
    bhi .Lspill
    strh r2, [r0]
    adds r0, r0, r1
    .endm
#else
    .equ MANTISSA, 1
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
    bhi .Lspill
    subs r2, #BIAS
    strb r2, [r0]
    adds r0, r0, r1
    .endm

    .macro put sum
    mov r2, \sum
    put_it
    .endm

    /* r6: of the column's first index, r3: from row to row */
    .macro hashes
    ldr r2, =0x9e3779b9
    mov r3, r1
    muls r3, r2
    muls r2, r0
    adds r6, r6, r2
    .endm
#endif

    .macro next_mantissas
    ldmia r3!, {r0, r1, r4, r5, r6, r7}
    adds r2, r0, #MANTISSA
    subs r3, #24
    str r2, [r3]
    .endm

#if TT_GRADIENT_BITS == 16
    /* r0: out, r1: from row to row, r4: what is kept of out */
    .macro next_sums
    ldmia r3!, {r0, r1, r4}
    adds r2, r0, #4
    subs r3, #12
    str r2, [r3]
    .endm

    .macro accumulate sum more
    ldr r2, [r0]
    ands r2, r4
    add r2, \sum
    adds r2, r2, \more
    str r2, [r0]
    adds r0, r0, r1
    .endm
#endif

    .section .text.tt_tile_columns, "ax", %progbits
    .global tt_tile_columns
    .type tt_tile_columns, %function
#if TT_GRADIENT_BITS == 16
    .global tt_add_columns
    .type tt_add_columns, %function
    .balign 4
    .thumb_func
tt_add_columns:
    adr r3, .Ladd
    adr r2, .Ladd_four
    b .Lbegin
#endif
    .balign 4
    .thumb_func
tt_tile_columns:
    adr r3, .Lput
    adr r2, .Lput_four
.Lbegin:
#if TT_GRADIENT_BITS == 8
    ldr r1, [r0, #T_SHIFT]
    cmp r1, #MOST_SHIFT
    bls 1f
    adr r3, .Lkeep
    mov r2, r3
1:
#endif
    save_r4_to_r11
    sub sp, #16
    str r0, [sp, #FRAME_T]
    ldr r4, [r0, #T_N]
    rsbs r4, r4, #0 /* so many steps fewer in the first round: modulo 8 or 4 */
    ldr r5, [r0, #T_ROWS]
    cmp r5, #4
    beq 1f
    lsls r4, r4, #29
    lsrs r4, r4, #24
    adr r5, .Lsix
    adds r4, r4, r5
    b 2f
1:  mov r3, r2
    lsls r4, r4, #30
    lsrs r4, r4, #30
    movs r5, #FOUR_BYTES
    muls r4, r5
    adr r5, .Lfour
    adds r4, r4, r5
    str r4, [sp, #FRAME_STEP]
    adr r4, .Lenter_four
2:  str r4, [sp, #FRAME_ENTER]
    str r3, [sp, #FRAME_LEAVE]

    mov r4, r0
.Lcolumn: /* r4: t */
    movs r5, #0
    mov r8, r5
    mov r9, r5
    mov r10, r5
    mov r11, r5
    mov r12, r5
    mov lr, r5
    ldmia r4!, {r0, r1, r2, r3}
    adds r5, r3, #1
    subs r4, #4
    str r5, [r4]
    ldr r5, [sp, #FRAME_ENTER]
    mov pc, r5

    .balign 4
.Lenter_four:
    mov r8, r2
    ldr r5, [sp, #FRAME_STEP]
    mov pc, r5
    .balign 4
.Lfour:
    four
    four
    four
    four
    cmp r0, r8
    bne .Lfour
    b .Lleave
    .balign 4
.Lsix:
    .rept 8
    six
    .endr
    cmp r0, r2
    beq .Lleave
    b .Lsix
.Lleave:
    ldr r3, [sp, #FRAME_T]
    adds r3, #T_OUT
    ldr r2, [sp, #FRAME_LEAVE]
    mov pc, r2

    .balign 4
.Lput_four:
    next_mantissas
#if TT_GRADIENT_BITS == 8
    hashes
    mov r8, r3
#endif
    b 3f
    .balign 4
.Lput:
    next_mantissas
#if TT_GRADIENT_BITS == 16
    put r8
#else
    hashes
    mov r2, r8
    mov r8, r3
    put_it
#endif
    put r9
3:  put r10
    put r11
    put r12
    put lr
.Lnext:
    ldr r4, [sp, #FRAME_T]
    ldr r0, [r4, #T_COLUMNS]
    subs r0, #1
    str r0, [r4, #T_COLUMNS]
    beq .Lreturn
    b .Lcolumn

.Lspill:
#if TT_GRADIENT_BITS == 8 /* the column once more, as one of its sums is lost */
    adr r2, .Lkeep
    str r2, [sp, #FRAME_LEAVE]
    ldr r4, [sp, #FRAME_T]
    ldr r2, [r4, #T_W]
    subs r2, #1
    str r2, [r4, #T_W]
    b .Lcolumn
    .balign 4
.Lkeep:
#endif
    ldr r3, [sp, #FRAME_T]
    ldr r0, [r3, #T_COLUMNS]
    adds r3, #T_SUMS
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    stmia r3!, {r4, r5, r6, r7}
    mov r4, r12
    mov r5, lr
    stmia r3!, {r4, r5}
.Lreturn:
    add sp, #16
    restore_r4_to_r11_and_return

#if TT_GRADIENT_BITS == 16
    .balign 4
.Ladd_four:
    next_sums
    adds r3, #T_SUMS + 8 - T_OUT
    b 4f
    .balign 4
.Ladd:
    next_sums
    adds r3, #T_SUMS - T_OUT
    ldmia r3!, {r5, r6}
    accumulate r8, r5
    accumulate r9, r6
4:  ldmia r3!, {r5, r6}
    accumulate r10, r5
    accumulate r11, r6
    ldmia r3!, {r5, r6}
    accumulate r12, r5
    accumulate lr, r6
    b .Lnext
    .size tt_add_columns, . - tt_add_columns
#else
    .ltorg
#endif
    .size tt_tile_columns, . - tt_tile_columns
