/* Depthwise convolutions in pairs of 16 bits: see tt_pair_rows.h. */
    .syntax unified
    .cpu cortex-m4
    .thumb

#include "tt_begin.inc"

/* Two pixels of two channels at a time. r9, r10: the row's input and output */
    begin tt_pair_planes
    push {r4-r11, lr}
    ldmia r0, {r0-r8}
    pkhbt r6, r6, r6, lsl #16
1:  mov r9, r0
    mov r10, r1
    subs r11, r7, #2
    blt 3f
2:  ldrh r12, [r9]
    ldrh lr, [r9, r2]
    add r9, r9, r2, lsl #1
    orr r12, r12, lr, lsl #16
    sxtab16 lr, r6, r12, ror #8
    sxtab16 r12, r6, r12
    str lr, [r10, r5]
    str r12, [r10], #4
    subs r11, r11, #2
    bge 2b
3:  adds r11, r11, #1
    bmi 4f
    ldrh r12, [r9]
    sxtab16 lr, r6, r12, ror #8
    sxtab16 r12, r6, r12
    strh lr, [r10, r5]
    strh r12, [r10]
4:  add r0, r0, r3
    add r1, r1, r4
    subs r8, r8, #1
    bne 1b
    pop {r4-r11, pc}
    .size tt_pair_planes, . - tt_pair_planes

    .equ ROW, 0
    .equ TAPS, 4
    .equ END, 8
    .equ ROW_BYTES, 16
    .equ ADVANCE, 20
    .equ WIDTH, 24
    .equ ODD, 28
    .equ TAPS_BYTES, 32
    .equ START, 36
    .equ ROWS, 40
    .equ FRAME, 44

/* A row of taps for two outputs, r2 and r3; the plane's words are at r0. */
    .macro taps_5
    ldmia r0, {r4-r6}
    ldmia r1!, {r9, r10}
    smlad r2, r4, r9, r2
    smlatb r3, r4, r9, r3
    smlad r2, r5, r10, r2
    ldmia r1!, {r9, r10}
    smlabt r2, r6, r9, r2
    smlad r3, r6, r9, r3
    smlad r3, r5, r10, r3
    .endm

    .macro taps_7
    ldmia r0, {r4-r7}
    ldmia r1!, {r9, r10}
    smlad r2, r4, r9, r2
    smlatb r3, r4, r9, r3
    smlad r2, r5, r10, r2
    ldmia r1!, {r9, r10}
    smlad r2, r6, r9, r2
    smlabt r2, r7, r10, r2
    smlad r3, r7, r10, r3
    ldmia r1!, {r9, r10}
    smlad r3, r5, r9, r3
    smlad r3, r6, r10, r3
    .endm

    .macro taps_5_stride_2
    ldmia r0, {r4-r7}
    ldmia r1!, {r9, r10}
    smlad r2, r4, r9, r2
    smlad r3, r5, r9, r3
    smlad r2, r5, r10, r2
    smlad r3, r6, r10, r3
    ldmia r1!, {r9, r10}
    smlabt r2, r6, r9, r2
    smlabt r3, r7, r9, r3
    .endm

    .macro taps_7_stride_2
    ldmia r0, {r4-r7}
    ldmia r1!, {r9, r10}
    smlad r2, r4, r9, r2
    smlad r3, r5, r9, r3
    smlad r2, r5, r10, r2
    smlad r3, r6, r10, r3
    ldr r4, [r0, #16]
    ldmia r1!, {r9, r10}
    smlad r2, r6, r9, r2
    smlad r3, r7, r9, r3
    smlabt r2, r7, r10, r2
    smlabt r3, r4, r10, r3
    adds r1, #8
    .endm

/* r8: sums, r11: the plane where two outputs begin, r12: bytes of its rows, lr: the end of the taps */
    .macro rows suffix, step
    begin tt_pair_rows_\suffix
    push {r4-r11, lr}
    ldmia r2, {r4-r10}
    push {r0-r10}
    mov r8, r3
    mov r12, r4
    ldr r9, [sp, #TAPS_BYTES]
    add lr, r1, r9
1:  ldr r11, [sp, #ROW]
    ldr r4, [sp, #WIDTH]
    ldr r5, [sp, #ADVANCE]
    add r4, r4, r11
    add r5, r5, r11
    str r4, [sp, #END]
    str r5, [sp, #ROW]
2:  mov r0, r11
    ldr r1, [sp, #TAPS]
    ldr r2, [sp, #START]
    mov r3, r2
3:  taps_\suffix
    add r0, r0, r12
    cmp r1, lr
    bne 3b
    strd r2, r3, [r8], #8
    ldr r4, [sp, #END]
    add r11, r11, #\step
    cmp r11, r4
    bne 2b
    ldr r4, [sp, #ODD]
    ldr r5, [sp, #ROWS]
    sub r8, r8, r4
    subs r5, #1
    str r5, [sp, #ROWS]
    bne 1b
    add sp, #FRAME
    pop {r4-r11, pc}
    .size tt_pair_rows_\suffix, . - tt_pair_rows_\suffix
    .endm

    rows 5, 4
    rows 7, 4
    rows 5_stride_2, 8
    rows 7_stride_2, 8

/* One output: r4 (r5) is its sum, r6 the multiplier, r7 what is added, r8 the shift; r9 is lost. */
    .macro output v
    add r9, r7, \v, asr #31
    smmlar \v, \v, r6, r9
    asr \v, \v, r8
    .endm

/* Three rows of three taps whose weights stay in registers: r4-r9; r0-r2: the rows of the plane, r3: sums */
    .macro three_taps row, w, v
    ldrd r10, r11, [\row], #4
    smlad r12, r10, \w, r12
    smlatb lr, r10, \w, lr
    smlabt r12, r11, \v, r12
    smlad lr, r11, \v, lr
    .endm

    .macro three_taps_stride_2 row, w, v
    ldrd r10, r11, [\row], #8
    smlad r12, r10, \w, r12
    smlad lr, r11, \w, lr
    smlabt r12, r11, \v, r12
    ldr r10, [\row]
    smlabt lr, r10, \v, lr
    .endm

    .equ SQUARE_END, 0
    .equ SQUARE_ADVANCE, 4
    .equ SQUARE_WIDTH, 8
    .equ SQUARE_ODD, 12
    .equ SQUARE_START, 20
    .equ SQUARE_ROWS, 24
    .equ SQUARE_FRAME, 28

    .macro square suffix
    begin tt_pair_rows_3\suffix
    push {r4-r11, lr}
    ldmia r2, {r4-r10}
    push {r4-r10}
    sub r5, r5, r6
    str r5, [sp, #SQUARE_ADVANCE] /* from a row's end to the next one */
    mov r10, r4
    ldmia r1, {r4-r9}
    add r1, r0, r10
    add r2, r1, r10
1:  ldr r10, [sp, #SQUARE_WIDTH]
    add r10, r10, r0
    str r10, [sp, #SQUARE_END]
2:  ldr r12, [sp, #SQUARE_START]
    mov lr, r12
    three_taps\suffix r0, r4, r5
    three_taps\suffix r1, r6, r7
    three_taps\suffix r2, r8, r9
    strd r12, lr, [r3], #8
    ldr r10, [sp, #SQUARE_END]
    cmp r0, r10
    bne 2b
    ldr r10, [sp, #SQUARE_ADVANCE]
    ldr r11, [sp, #SQUARE_ODD]
    add r0, r0, r10
    add r1, r1, r10
    add r2, r2, r10
    sub r3, r3, r11
    ldr r10, [sp, #SQUARE_ROWS]
    subs r10, r10, #1
    str r10, [sp, #SQUARE_ROWS]
    bne 1b
    add sp, #SQUARE_FRAME
    pop {r4-r11, pc}
    .size tt_pair_rows_3\suffix, . - tt_pair_rows_3\suffix
    .endm

    square ""
    square _stride_2

/* [sp]: step, clip, at, above what is pushed */
    begin tt_pair_outputs
    push {r4-r11, lr}
    ldmia r2, {r6, r7, r8}
    ldrd r2, r10, [sp, #36]
    cmp r10, #0
    bne 4f
    subs r1, #2
    blt 2f
1:  ldmia r0!, {r4, r5}
    output r4
    output r5
    ssat r4, #8, r4
    ssat r5, #8, r5
    strb r4, [r3]
    strb r5, [r3, r2]
    add r3, r3, r2, lsl #1
    subs r1, #2
    bge 1b
2:  adds r1, #2
    beq 3f
    ldr r4, [r0]
    output r4
    ssat r4, #8, r4
    strb r4, [r3]
3:  pop {r4-r11, pc}
4:  ldr r11, [sp, #44]
    mov r12, #1
5:  ldr r4, [r0], #4
    output r4
    ssat r5, #8, r4
    strb r5, [r3]
    add r3, r3, r2
    cmp r5, r4
    bne 6f
    lsr r4, r11, #3
    ldrb r9, [r10, r4]
    and r5, r11, #7
    lsl r5, r12, r5
    orr r9, r9, r5
    strb r9, [r10, r4]
6:  add r11, r11, r2
    subs r1, #1
    bne 5b
    pop {r4-r11, pc}
    .size tt_pair_outputs, . - tt_pair_outputs
