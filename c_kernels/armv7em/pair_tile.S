/* Convolutions in pairs of 16 bits: see tt_pair_tile.h. */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ INPUTS, 0
    .equ INPUTS_END, 4
    .equ Y, 8
    .equ Y_END, 12
    .equ Y_STEP, 16
    .equ CLIP, 20
    .equ CLIP_AT, 24
    .equ ENTRY, 28

/* Two inputs of both pixels with four channels. */
    .macro step
    ldmia r0!, {r10, r11}
    ldmia r1!, {r12, lr}
    smlad r2, r10, r12, r2
    smlad r6, r11, r12, r6
    smlad r3, r10, lr, r3
    smlad r7, r11, lr, r7
    ldmia r1!, {r12, lr}
    smlad r4, r10, r12, r4
    smlad r8, r11, r12, r8
    smlad r5, r10, lr, r5
    smlad r9, r11, lr, r9
    .endm

/* The first one: the second pixel's sums begin with what the first one's do. */
    .macro first_step
    ldmia r0!, {r10, r11}
    ldmia r1!, {r12, lr}
    smlad r6, r11, r12, r2
    smlad r2, r10, r12, r2
    smlad r7, r11, lr, r3
    smlad r3, r10, lr, r3
    ldmia r1!, {r12, lr}
    smlad r8, r11, r12, r4
    smlad r4, r10, r12, r4
    smlad r9, r11, lr, r5
    smlad r5, r10, lr, r5
    .endm

/* A channel's sums of both pixels to outputs that are not clamped yet. */
    .macro requantize a, b
    ldmia r1!, {r10, r11, r12}
    add lr, r11, \a, asr #31
    smmlar \a, \a, r10, lr
    add lr, r11, \b, asr #31
    smmlar \b, \b, r10, lr
    asr \a, \a, r12
    asr \b, \b, r12
    .endm

    .macro store v, to, i
    ssat \v, #8, \v
    strb \v, [\to, #\i]
    .endm

/* The same; bit i of r0 says that nothing was clamped. */
    .macro store_noting v, to, i
    ssat lr, #8, \v
    strb lr, [\to, #\i]
    cmp lr, \v
    it eq
    orreq r0, r0, #(1 << \i)
    .endm

/* The four bits of r0 to the mask, from the bit r12 on; r1, r2 and lr are lost. */
    .macro note
    ldr lr, [sp, #CLIP]
    add lr, lr, r12, lsr #3
    and r2, r12, #7
    lsl r0, r0, r2
    ldrb r2, [lr]
    orr r2, r2, r0
    strb r2, [lr]
    lsrs r0, r0, #8
    beq 7f
    ldrb r2, [lr, #1]
    orr r2, r2, r0
    strb r2, [lr, #1]
7:
    .endm

    .section .text.tt_pair_tiles, "ax", %progbits
    .balign 4 /* for adr: its distance depends on it */
    .global tt_pair_tiles
    .type tt_pair_tiles, %function
    .thumb_func
tt_pair_tiles:
    push {r0, r4-r11, lr}
    ldmia r0, {r1-r8}
0:  mov r0, r3
1:  ldr r7, [r1], #4
    ldr r9, [r2], #4
    sxtab16 r10, r4, r7
    sxtab16 r11, r4, r9
    sxtab16 r12, r4, r7, ror #8
    sxtab16 lr, r4, r9, ror #8
    stmia r8!, {r10-r12, lr}
    subs r0, #1
    bne 1b
    add r1, r1, r6
    add r2, r2, r6
    subs r5, #1
    bne 0b
    ldr r0, [sp]
    mov r3, r8
    adds r0, #24
    ldmia r0, {r1, r2, r4-r8}
    add r5, r5, r4
    sub r8, r4, r8
    sub r9, r3, r2
    adr r10, 3f
    tst r9, #16 /* of eight inputs the last four are missing */
    it ne
    adrne r10, 4f
    orr r9, r10, #1
    push {r2-r9}
1:  ldmia r1!, {r2-r5}
    ldr r0, [sp, #INPUTS]
    first_step
    ldr pc, [sp, #ENTRY]
2:  step
3:  step
    step
4:  step
    ldr r12, [sp, #INPUTS_END]
    cmp r0, r12
    bne 2b
    requantize r2, r6
    requantize r3, r7
    requantize r4, r8
    requantize r5, r9
    ldr r10, [sp, #Y]
    ldr r11, [sp, #Y_STEP]
    ldr r0, [sp, #CLIP]
    add r11, r11, r10
    cmp r0, #0
    bne 6f
    store r2, r10, 0
    store r3, r10, 1
    store r4, r10, 2
    store r5, r10, 3
    store r6, r11, 0
    store r7, r11, 1
    store r8, r11, 2
    store r9, r11, 3
5:  ldr r12, [sp, #Y_END]
    add r10, r10, #4
    str r10, [sp, #Y]
    cmp r10, r12
    bne 1b
    add sp, #32
    pop {r0, r4-r11, pc}
6:  movs r0, #0
    store_noting r2, r10, 0
    store_noting r3, r10, 1
    store_noting r4, r10, 2
    store_noting r5, r10, 3
    ldr r12, [sp, #CLIP_AT]
    note
    movs r0, #0
    store_noting r6, r11, 0
    store_noting r7, r11, 1
    store_noting r8, r11, 2
    store_noting r9, r11, 3
    ldr r3, [sp, #CLIP_AT]
    ldr r12, [sp, #Y_STEP]
    add r12, r12, r3
    adds r3, #4
    str r3, [sp, #CLIP_AT]
    note
    b 5b
    .size tt_pair_tiles, . - tt_pair_tiles

/* Four rows of weights, r1 apart: to [r2][2][4]. */
    .section .text.tt_pair_weights, "ax", %progbits
    .global tt_pair_weights
    .type tt_pair_weights, %function
    .thumb_func
tt_pair_weights:
    push {r4-r11, lr}
    add r4, r1, r1, lsl #1
1:  ldr r9, [r0, r1]
    ldr r10, [r0, r1, lsl #1]
    ldr r11, [r0, r4]
    ldr r8, [r0], #4
    sxtb16 r5, r8
    sxtb16 r6, r9
    sxtb16 r7, r10
    sxtb16 r12, r11
    sadd16 r5, r5, r5
    sadd16 r6, r6, r6
    sadd16 r7, r7, r7
    sadd16 r12, r12, r12
    stmia r3!, {r5, r6, r7, r12}
    sxtb16 r8, r8, ror #8
    sxtb16 r9, r9, ror #8
    sxtb16 r10, r10, ror #8
    sxtb16 r11, r11, ror #8
    sadd16 r8, r8, r8
    sadd16 r9, r9, r9
    sadd16 r10, r10, r10
    sadd16 r11, r11, r11
    stmia r3!, {r8-r11}
    subs r2, #1
    bne 1b
    pop {r4-r11, pc}
    .size tt_pair_weights, . - tt_pair_weights
