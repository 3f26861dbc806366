/* void tt_slide_input_rows(const tt_slide_input *job): see packed/tt_slide.h. Cortex-M0: 16 cycles for 4
 * multiply-accumulates, about 110 for what is done once for four mantissas
 * of 16 bits. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

    /* tt_slide_input */
    .equ JOB_PLANE, 0
    .equ JOB_PITCH, 4
    .equ JOB_HEIGHT, 8
    .equ JOB_TAPS, 12
    .equ JOB_TAP_ROWS, 16
    .equ JOB_N, 20
    .equ JOB_FIRST, 24
    .equ JOB_ROWS, 28
    .equ JOB_COLUMNS, 32
    .equ JOB_SCALE, 36
    .equ JOB_WRITER, 40
    .equ JOB_INDEX, 44
    .equ JOB_INDEX_STEP, 48
    .equ JOB_INDEX_ROW, 52
    .equ WRITER_GRAD, 0
    .equ WRITER_SHIFT, 8
    .equ WRITER_LIMIT, 12
    .equ GRAD_MANTISSA, 4

    .equ FRAME_SUMS, 0
    .equ FRAME_TAPS, 16 /* of the row: the first, and their end */
    .equ FRAME_TAPS_END, 20
    .equ FRAME_ENTRY, 24
    .equ FRAME_SCALE, 28
    .equ FRAME_SHIFT, 32
    .equ FRAME_LIMIT, 36 /* magnitudes are below; 0 if there are not four columns */
    .equ FRAME_TO, 40    /* mantissas */
    .equ FRAME_STEP, 44
    .equ FRAME_LAST, 48 /* where the last group of a row begins */
    .equ FRAME_JOB, 52
    .equ FRAME_FIRST, 56  /* row of the plane */
    .equ FRAME_ROW, 60    /* the same as an address */
    .equ FRAME_TO_ROW, 64 /* the row's first mantissa */
    .equ FRAME_ROWS, 68   /* to come */
    .equ FRAME_FITS, 72   /* the limit in any case */

    .equ MOST_TAPS, 7
    .equ STEP_BYTES, 22

    .macro products
    muls r3, r2
    add r9, r3
    muls r4, r2
    add r10, r4
    muls r5, r2
    add r11, r5
    muls r6, r2
    add r12, r6
    .endm

    .macro step
    ldmia r1!, {r2}
    ldmia r0!, {r3-r6}
    subs r0, #12
    products
    .endm

/* the last one of a row */
    .macro last_step
    ldmia r1!, {r2}
    ldmia r0!, {r3-r6}
    add r0, lr
    products
    .endm

/* floor(sum * r7 / 2^15); r5 is 2 * r7 */
    .macro scaled to, sum
    mov r6, \sum
    asrs \to, r6, #16
    muls \to, r5
    uxth r6, r6
    muls r6, r7
    lsrs r6, r6, #15
    adds \to, \to, r6
    .endm

/* |sum|, beside which r6 notes it; r5: the sign */
    .macro magnitude value, first
    asrs r5, \value, #31
    eors \value, r5
    subs \value, \value, r5
    .if \first
    mov r6, \value
    .else
    orrs r6, \value
    .endif
    .endm

#if TT_GRADIENT_BITS == 16
    .equ MANTISSA_LOG2, 1

    .macro store value, at:vararg
    strh \value, [\at]
    .endm

/* cut by r7 bits toward zero */
    .macro mantissa value, first=0
    magnitude \value, \first
    lsrs \value, r7
    eors \value, r5
    subs \value, \value, r5
    .endm
#else
    .equ MANTISSA_LOG2, 0
    .equ BIAS, 126
    .equ MOST_SHIFT, 23 /* BIAS << 23 can be added to a sum, and what is below 0 is beyond 2 * BIAS */
    .equ MANTISSA_MAX, 127

    /* in the place of sums, which are written for tt_slide_put alone; it may change them all */
    .equ FRAME_HASH_STEP, FRAME_SUMS
    .equ FRAME_HASH, FRAME_SUMS + 4  /* of address 0 */
    .equ FRAME_ROUND, FRAME_SUMS + 8 /* the pattern 0xaa.. and the bias, */
    .equ FRAME_OTHER, FRAME_SUMS + 12 /* and how much more 0x55.. adds */

    .macro store value, at:vararg
    strb \value, [\at]
    .endm

/* cut by r7 bits, rounded as the index' hash, r0, and the sign decide together: see tile_columns.S; r6:
 * FRAME_OTHER */
    .macro mantissa value
    mov r5, \value
    eors r5, r0
    asrs r5, r5, #31
    ands r5, r6
    adds \value, \value, r5
    ldr r5, [sp, #FRAME_ROUND]
    adds \value, \value, r5
    ldr r5, [sp, #FRAME_HASH_STEP]
    adds r0, r0, r5
    lsrs \value, r7
    cmp \value, #(2 * BIAS)
    bhi .Lput
    subs \value, #BIAS
    .endm
#endif

/* r8: where the group begins, r9-r12: its sums, lr: from behind a row's last words to the next row */
    .section .text.tt_slide_input_rows, "ax", %progbits
    .global tt_slide_input_rows
    .type tt_slide_input_rows, %function
    .thumb_func
tt_slide_input_rows:
    save_r4_to_r11
    sub sp, #76
    str r0, [sp, #FRAME_JOB]
    ldr r1, [r0, #JOB_WRITER]
    bl .Lread_writer
    ldr r2, [r0, #JOB_INDEX]
    lsls r2, r2, #MANTISSA_LOG2
    ldr r1, [r1, #WRITER_GRAD]
    adds r1, #GRAD_MANTISSA
    adds r1, r1, r2
    str r1, [sp, #FRAME_TO_ROW]
    ldr r1, [r0, #JOB_INDEX_STEP]
    lsls r1, r1, #MANTISSA_LOG2
    str r1, [sp, #FRAME_STEP]
    ldr r1, [r0, #JOB_SCALE]
    str r1, [sp, #FRAME_SCALE]
    ldr r1, [r0, #JOB_ROWS]
    str r1, [sp, #FRAME_ROWS]
    ldr r1, [r0, #JOB_N]
    adr r2, .Lthree
    cmp r1, #3
    beq 1f
    movs r3, #MOST_TAPS
    subs r3, r3, r1
    movs r2, #STEP_BYTES
    muls r3, r2
    adr r2, .Lseven
    adds r2, r2, r3
1:  str r2, [sp, #FRAME_ENTRY]
    ldr r2, [r0, #JOB_PITCH]
    ldr r3, [r0, #JOB_FIRST]
    str r3, [sp, #FRAME_FIRST]
    muls r3, r2
    ldr r4, [r0, #JOB_PLANE]
    adds r3, r3, r4
    str r3, [sp, #FRAME_ROW]
    lsls r1, r1, #2
    subs r2, r2, r1
    subs r2, #12
    mov lr, r2

.Lnext_row: /* the job in r0 */
    ldr r1, [sp, #FRAME_FIRST]
    ldr r2, [r0, #JOB_TAPS]
    ldr r3, [r0, #JOB_N]
    lsls r3, r3, #2
    ldr r4, [r0, #JOB_HEIGHT]
    subs r4, r4, r1 /* rows from here on */
    ldr r5, [r0, #JOB_TAP_ROWS]
    cmp r4, r5
    ble 1f
    mov r4, r5
1:  muls r4, r3
    adds r4, r4, r2
    str r4, [sp, #FRAME_TAPS_END]
    ldr r5, [sp, #FRAME_ROW]
    negs r4, r1
    bmi 2f
    muls r3, r4 /* rows above the plane */
    adds r2, r2, r3
    ldr r3, [r0, #JOB_PITCH]
    muls r3, r4
    adds r5, r5, r3
2:  str r2, [sp, #FRAME_TAPS]
    mov r8, r5
    ldr r2, [r0, #JOB_COLUMNS]
    lsls r2, r2, #2
    adds r2, r2, r5
    subs r2, #16
    str r2, [sp, #FRAME_LAST]
    ldr r2, [sp, #FRAME_TO_ROW]
    str r2, [sp, #FRAME_TO]

.Lgroup:
    movs r2, #0
    mov r9, r2
    mov r10, r2
    mov r11, r2
    mov r12, r2
    mov r0, r8
    ldr r1, [sp, #FRAME_TAPS]
    ldr r7, [sp, #FRAME_TAPS_END]
    cmp r1, r7
    bge .Lsums
    ldr r2, [sp, #FRAME_ENTRY]
    mov pc, r2
    .balign 4
.Lseven: /* entered further down if there are less */
    step
    step
    step
    step
    step
    step
    last_step
    ldr r2, [sp, #FRAME_ENTRY]
    cmp r1, r7
    beq .Lsums
    mov pc, r2
    .balign 4
.Lthree: /* the most common kernels */
    step
    step
    last_step
    cmp r1, r7
    bne .Lthree
.Lsums:
    ldr r7, [sp, #FRAME_SCALE]
    lsls r5, r7, #1
    scaled r1, r9
    scaled r2, r10
    scaled r3, r11
    scaled r4, r12
    ldr r7, [sp, #FRAME_SHIFT]
#if TT_GRADIENT_BITS == 8
    ldr r0, [sp, #FRAME_TO]
    ldr r5, =0x9e3779b9
    muls r0, r5
    ldr r5, [sp, #FRAME_HASH]
    adds r0, r0, r5
    ldr r6, [sp, #FRAME_OTHER]
    mantissa r1
    mantissa r2
    mantissa r3
    mantissa r4
    ldr r5, [sp, #FRAME_LIMIT]
    cmp r5, #0
    beq .Lfew
#else
    mantissa r1, 1
    mantissa r2
    mantissa r3
    mantissa r4
    lsrs r6, r7
    ldr r5, [sp, #FRAME_LIMIT]
    cmp r6, r5
    bhs .Lput
#endif
    ldr r0, [sp, #FRAME_TO]
    ldr r5, [sp, #FRAME_STEP]
    store r1, r0
    store r2, r0, r5
    adds r0, r0, r5
    adds r0, r0, r5
    store r3, r0
    store r4, r0, r5
    adds r0, r0, r5
    adds r0, r0, r5
    str r0, [sp, #FRAME_TO]
.Lstored:
    movs r0, #16
    add r8, r0
    ldr r0, [sp, #FRAME_LAST]
    cmp r8, r0
    bhi 3f
    b .Lgroup
3:  mov r1, r8
    subs r1, r1, r0
    cmp r1, #16
    bge 4f
    mov r8, r0 /* some of the last four once more */
    lsrs r1, r1, #2
    ldr r2, [sp, #FRAME_STEP]
    muls r1, r2
    ldr r0, [sp, #FRAME_TO]
    subs r0, r0, r1
    str r0, [sp, #FRAME_TO]
    b .Lgroup
4:  ldr r0, [sp, #FRAME_JOB]
    ldr r1, [sp, #FRAME_ROWS]
    subs r1, #1
    beq 5f
    str r1, [sp, #FRAME_ROWS]
    ldr r1, [sp, #FRAME_FIRST]
    adds r1, #1
    str r1, [sp, #FRAME_FIRST]
    ldr r1, [sp, #FRAME_ROW]
    ldr r2, [r0, #JOB_PITCH]
    adds r1, r1, r2
    str r1, [sp, #FRAME_ROW]
    ldr r1, [sp, #FRAME_TO_ROW]
    ldr r2, [r0, #JOB_INDEX_ROW]
    lsls r2, r2, #MANTISSA_LOG2
    adds r1, r1, r2
    str r1, [sp, #FRAME_TO_ROW]
    b .Lnext_row
5:  add sp, #76
    restore_r4_to_r11_and_return

#if TT_GRADIENT_BITS == 16
.Lput: /* what does not fit, or is less than four */
    ldr r5, [sp, #FRAME_FITS]
    cmp r6, r5
    bhs 6f
#else
.Lfew:
#endif
    ldr r0, [sp, #FRAME_JOB]
    ldr r5, [r0, #JOB_COLUMNS]
    ldr r0, [sp, #FRAME_TO]
    ldr r6, [sp, #FRAME_STEP]
    store r1, r0
    subs r5, #1
    beq .Lstored
    store r2, r0, r6
    subs r5, #1
    beq .Lstored
    adds r0, r0, r6
    store r3, r0, r6
    b .Lstored
#if TT_GRADIENT_BITS == 8
.Lput: /* what does not fit */
#endif
6:  mov r0, sp
    mov r1, r9
    mov r2, r10
    mov r3, r11
    mov r4, r12
    stmia r0!, {r1-r4}
    mov r7, lr
    ldr r0, [sp, #FRAME_JOB]
    ldr r1, [sp, #FRAME_TO]
    mov r2, sp
    bl tt_slide_put
    ldr r0, [sp, #FRAME_JOB]
    ldr r1, [r0, #JOB_WRITER]
    bl .Lread_writer
    mov lr, r7
    ldr r0, [sp, #FRAME_TO]
    ldr r1, [sp, #FRAME_STEP]
    lsls r1, r1, #2
    adds r0, r0, r1
    str r0, [sp, #FRAME_TO]
    b .Lstored

.Lread_writer: /* the job in r0, its writer in r1 */
    ldr r2, [r1, #WRITER_SHIFT]
    ldr r3, [r1, #WRITER_LIMIT]
#if TT_GRADIENT_BITS == 16
    str r2, [sp, #FRAME_SHIFT]
    adds r3, #1
    str r3, [sp, #FRAME_FITS]
#else
    cmp r3, #MANTISSA_MAX
    bne 6f
    cmp r2, #MOST_SHIFT
    bls 7f
6:  movs r2, #0 /* no sum fits: they are further from -2^31 than 2 * BIAS */
    movs r5, #1
    lsls r5, r5, #31
    movs r6, #0
    b 8f
7:  movs r4, #1
    lsls r4, r2
    subs r4, #1
    ldr r6, =0x55555555
    ands r6, r4
    subs r4, r4, r6
    movs r5, #BIAS
    lsls r5, r2
    adds r5, r5, r4
    subs r6, r6, r4
8:  str r2, [sp, #FRAME_SHIFT]
    str r5, [sp, #FRAME_ROUND]
    str r6, [sp, #FRAME_OTHER]
    ldr r4, =0x9e3779b9
    ldr r5, [r1, #WRITER_GRAD]
    adds r5, #GRAD_MANTISSA
    muls r5, r4
    rsbs r5, r5, #0
    str r5, [sp, #FRAME_HASH]
    ldr r5, [r0, #JOB_INDEX_STEP]
    muls r5, r4
    str r5, [sp, #FRAME_HASH_STEP]
#endif
    ldr r2, [r0, #JOB_COLUMNS]
    cmp r2, #4
    bge 8f
    movs r3, #0
8:  str r3, [sp, #FRAME_LIMIT]
    bx lr
#if TT_GRADIENT_BITS == 8
    .ltorg
#endif
    .size tt_slide_input_rows, . - tt_slide_input_rows
