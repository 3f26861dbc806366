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

#include "tt_registers.inc"

    /* tt_swar_job begins with x, x_step, y, y_step, pixels, depth, group, clip */
    .equ JOB_Y, 8
    .equ JOB_CLIP, 28
    .equ JOB_CLIP_AT, 32
    .equ JOB_CLIP_STEP, 36
    .equ GROUP_STARTS, 96
    .equ GROUP_WEIGHTS, 120

    /* the frame */
    .equ FRAME_X, 0
    .equ FRAME_X_STEP, 4 /* from the end of a pixel to the next */
    .equ FRAME_Y, 8
    .equ FRAME_Y_STEP, 12
    .equ FRAME_PIXELS, 16
    .equ FRAME_WEIGHTS_END, 20
    .equ FRAME_GROUP, 24
    .equ FRAME_CLIP, 28
    .equ FRAME_JOB, 32

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
    ldmia r1!, {r2, r3}
    mov \t, r2
    mov \h, r3
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
    lsls r0, r0, #6
    asrs r0, r3
    sxth r3, r0
    cmp r3, r0
    bne .Lclamp_\n\()_\index
    muls r0, r4
    adds r0, r5
    lsls r3, r0, #11
    adds r3, r6
    bcs .Lexact_\n\()_\index
    asrs r0, r0, #21
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
    save_r4_to_r11
    ldr r1, [r0, #JOB_CLIP]
    mov r2, r0
    push {r1, r2}
    mov r7, r0
    ldmia r7!, {r0, r1, r2, r3, r4, r5, r6}
    subs r1, r1, r5
    .if \n == 1
    lsls r5, r5, #2
    .elseif \n == 2
    lsls r5, r5, #3
    .else
    lsls r7, r5, #2
    lsls r5, r5, #3
    adds r5, r5, r7
    .endif
    adds r5, r5, r6
    adds r5, #GROUP_WEIGHTS
    push {r0-r6}
    .if \n < 3
    mov lr, r5
    .endif
.Lpixel_\n:
    ldr r0, [sp, #FRAME_X]
    ldr r1, [sp, #FRAME_GROUP]
    adds r1, #GROUP_STARTS
    begin r8, r11
    .if \n > 1
    begin r9, r12
    .endif
    .if \n > 2
    begin r10, lr
    .else
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
    .if \n < 3
    cmp r1, lr
    .else
    ldr r5, [sp, #FRAME_WEIGHTS_END]
    cmp r1, r5
    .endif
    bne .Lquad_\n
    ldr r3, [sp, #FRAME_X_STEP]
    adds r0, r0, r3
    str r0, [sp, #FRAME_X]
    b .Lrequantize_\n
    /* what is rare has to lie within reach of a conditional branch */
    rare_pair \n, 0, 1, r8, r11
    .if \n > 1
    rare_pair \n, 2, 3, r9, r12
    .endif
.Lrequantize_\n:
    ldr r1, [sp, #FRAME_Y]
    ldr r2, [sp, #FRAME_GROUP]
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

    ldr r3, [sp, #FRAME_Y_STEP]
    adds r1, r1, r3
    str r1, [sp, #FRAME_Y]
    ldr r3, [sp, #FRAME_CLIP]
    cmp r3, #0
    bne .Lclip_\n
.Lnext_\n:
    ldr r3, [sp, #FRAME_PIXELS]
    subs r3, #1
    str r3, [sp, #FRAME_PIXELS]
    beq .Ldone_\n
    b .Lpixel_\n
.Ldone_\n:
    ldr r2, [sp, #FRAME_JOB]
    str r1, [r2, #JOB_Y]
    add sp, #36
    restore_r4_to_r11_and_return
.Lclip_\n:
    ldr r2, [sp, #FRAME_JOB]
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
    beq .Lnext_\n
    ldrb r5, [r3, #1]
    orrs r5, r7
    strb r5, [r3, #1]
    b .Lnext_\n
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
