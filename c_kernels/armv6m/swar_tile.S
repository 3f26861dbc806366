/* void tt_swar_tile_1(tt_swar_job *job), _2, _3: packed/tt_swar.h says what they compute.
 *
 * Cortex-M0, with memory of one cycle: four inputs and 3 pairs of channels take 73 cycles for 24
 * multiply-accumulates. The sums live in high registers, T in r8-r10, H in r11, r12 and lr. With p =
 * a word of two weights * its input + the same of the next input, a product in two lanes,
 *     T += p + TT_LANES,  H += (p + TT_LANES) >> 16;  in the end low lane = T - 2^16 * H, high lane = H.
 *
 * An output takes 24 cycles more. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    /* tt_swar_job */
    .equ JOB_X, 0
    .equ JOB_X_STEP, 4
    .equ JOB_Y, 8
    .equ JOB_Y_STEP, 12
    .equ JOB_PIXELS, 16
    .equ JOB_DEPTH, 20
    .equ JOB_GROUP, 24
    .equ JOB_CLIP, 28
    .equ JOB_CLIP_AT, 32
    .equ JOB_CLIP_STEP, 36
    .equ GROUP_START, 96

    /* the frame */
    .equ FRAME_END, 0
    .equ FRAME_JOB, 4

/* two inputs, in r3 and r4, for two channels */
    .macro pair t, h
    ldmia r1!, {r5, r6}
    muls r5, r3
    muls r6, r4
    adds r5, r6
    adds r5, r7
    add \t, r5
    lsrs r5, r5, #16
    add \h, r5
    .endm

    .macro pairs n
    pair r8, r11
    .if \n > 1
    pair r9, r12
    .endif
    .if \n > 2
    pair r10, lr
    .endif
    .endm

    .macro begin t, h
    ldmia r2!, {r3, r4}
    mov \t, r3
    mov \h, r4
    .endm

    .macro low_lane t, h
    mov r0, \t
    mov r3, \h
    lsls r3, r3, #16
    subs r0, r3
    .endm

/* The sum r0 to y [r1]; table at r2, bits of what was not clamped in r7. */
    .macro requantize n, index
    ldmia r2!, {r3, r4, r5, r6}
    asrs r0, r3
    sxth r3, r0
    cmp r3, r0
    bne .Lclamp_\n\()_\index
    muls r0, r4
    adds r0, r5
    adds r6, r0
    asrs r0, r0, #21
    asrs r6, r6, #21
    cmp r0, r6
    bne .Lexact_\n\()_\index
    sxtb r3, r0
    cmp r3, r0
    bne .Lclamp_\n\()_\index
.Lstore_\n\()_\index:
    strb r0, [r1, #\index]
.Lnext_\n\()_\index:
    .endm

    .macro rare n, index
.Lclamp_\n\()_\index: /* beyond int8: 127 or -128 */
    asrs r3, r0, #31
    movs r0, #127
    eors r0, r3
    movs r3, #(1 << \index)
    bics r7, r3
    b .Lstore_\n\()_\index
    .endm

    .macro decide n, index
    movs r3, #\index
    mov r4, lr
    bl exact
    mov lr, r4
    b .Lnext_\n\()_\index
    .endm

    .macro rare_pair n, index, odd, t, h
    rare \n, \index
.Lexact_\n\()_\index:
    low_lane \t, \h
    decide \n, \index
    rare \n, \odd
.Lexact_\n\()_\odd:
    mov r0, \h
    decide \n, \odd
    .endm

    .macro tile n
    .section .text.tt_swar_tile_\n, "ax", %progbits
    .global tt_swar_tile_\n
    .type tt_swar_tile_\n, %function
    .thumb_func
tt_swar_tile_\n:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    sub sp, #8
    str r0, [sp, #FRAME_JOB]
    mov r2, r0
.Lpixel_\n:
    ldr r0, [r2, #JOB_X]
    ldr r3, [r2, #JOB_DEPTH]
    adds r3, r0
    str r3, [sp, #FRAME_END]
    ldr r3, [r2, #JOB_X_STEP]
    adds r3, r0
    str r3, [r2, #JOB_X]
    ldr r2, [r2, #JOB_GROUP]
    adds r2, #GROUP_START
    begin r8, r11
    .if \n > 1
    begin r9, r12
    .endif
    .if \n > 2
    begin r10, lr
    .endif
    mov r1, r2
    .if \n < 3
    adds r1, #(8 * (3 - \n))
    .endif
    ldr r7, =0x7f007f00 /* TT_LANES */
.Lquad_\n:
    ldmia r0!, {r2}
    sxtb r3, r2
    lsls r4, r2, #16
    asrs r4, r4, #24
    pairs \n
    lsls r3, r2, #8
    asrs r3, r3, #24
    asrs r4, r2, #24
    pairs \n
    ldr r5, [sp, #FRAME_END]
    cmp r0, r5
    bne .Lquad_\n
    b .Lrequantize_\n
    /* what is rare has to lie within reach of a conditional branch */
    rare_pair \n, 0, 1, r8, r11
    .if \n > 1
    rare_pair \n, 2, 3, r9, r12
    .endif
.Lrequantize_\n:
    ldr r2, [sp, #FRAME_JOB]
    ldr r1, [r2, #JOB_Y]
    ldr r3, [r2, #JOB_Y_STEP]
    adds r3, r1
    str r3, [r2, #JOB_Y]
    ldr r2, [r2, #JOB_GROUP]
    movs r7, #((1 << (2 * \n)) - 1)
    low_lane r8, r11
    requantize \n, 0
    mov r0, r11
    requantize \n, 1
    .if \n > 1
    low_lane r9, r12
    requantize \n, 2
    mov r0, r12
    requantize \n, 3
    .endif
    .if \n > 2
    low_lane r10, lr
    requantize \n, 4
    mov r0, lr
    requantize \n, 5
    .endif

    ldr r2, [sp, #FRAME_JOB]
    ldr r3, [r2, #JOB_CLIP]
    cmp r3, #0
    beq .Lcounted_\n
    ldr r4, [r2, #JOB_CLIP_AT]
    ldr r5, [r2, #JOB_CLIP_STEP]
    adds r5, r4
    str r5, [r2, #JOB_CLIP_AT]
    lsrs r5, r4, #3
    adds r3, r5
    movs r5, #7
    ands r4, r5
    lsls r7, r4
    ldrb r5, [r3]
    orrs r5, r7
    strb r5, [r3]
    lsrs r7, r7, #8
    beq .Lcounted_\n
    ldrb r5, [r3, #1]
    orrs r5, r7
    strb r5, [r3, #1]
.Lcounted_\n:
    ldr r3, [r2, #JOB_PIXELS]
    subs r3, #1
    str r3, [r2, #JOB_PIXELS]
    beq .Ldone_\n
    b .Lpixel_\n
.Ldone_\n:
    add sp, #8
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    .if \n > 2
    rare_pair \n, 4, 5, r10, lr
    .endif
    .ltorg
    .size tt_swar_tile_\n, . - tt_swar_tile_\n
    .endm

    tile 1
    tile 2
    tile 3

/* r0: sum, r3: channel of the group, r4: the tile's lr, r1 y, r7 bits; keeps all but r0, r3, r5, r6.
   Stores the output. */
    .section .text.tt_swar_exact_call, "ax", %progbits
    .type exact, %function
    .thumb_func
exact:
    mov r5, r12
    push {r1, r2, r3, r4, r5, lr}
    sub sp, #4
    mov r2, r0
    mov r1, r3
    ldr r0, [sp, #(28 + FRAME_JOB)]
    bl tt_swar_exact
    add sp, #4
    pop {r1, r2, r3, r4, r5, r6}
    mov r12, r5
    strb r0, [r1, r3]
    lsrs r0, r0, #9 /* bit 8: clamped */
    bcc 1f
    movs r0, #1
    lsls r0, r3
    bics r7, r0
1:  bx r6
    .size exact, . - exact
