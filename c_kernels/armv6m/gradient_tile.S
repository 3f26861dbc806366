/* void tt_gradient_tile(const int32_t *g, const int8_t *w, const tt_tile *tile, int32_t *sums):
 * see src/tt_tile.h. Cortex-M0: 67 cycles for 16 multiply-accumulates; factors of 16 bits leave no
 * room for a second lane. Sums in r9-r12. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .equ TILE_STRIDE, 0
    .equ TILE_N, 4
    .equ TILE_COUNT, 8

    .equ FRAME_G, 0
    .equ FRAME_QUADS, 4 /* end of the part of g that is taken four at a time */
    .equ FRAME_END, 8
    .equ FRAME_SUMS, 12
    .equ FRAME_LEFT, 16

    .macro step
    ldrsb r2, [r1, r3]
    add r3, r8
    ldmia r0!, {r4, r5, r6, r7}
    muls r4, r2
    add r9, r4
    muls r5, r2
    add r10, r5
    muls r6, r2
    add r11, r6
    muls r7, r2
    add r12, r7
    .endm

    .section .text.tt_gradient_tile, "ax", %progbits
    .global tt_gradient_tile
    .type tt_gradient_tile, %function
    .thumb_func
tt_gradient_tile:
    push {r4-r7, lr}
    mov r4, r8
    mov r5, r9
    mov r6, r10
    mov r7, r11
    push {r4-r7}
    sub sp, #20
    str r0, [sp, #FRAME_G]
    str r3, [sp, #FRAME_SUMS]
    ldr r4, [r2, #TILE_STRIDE]
    mov r8, r4
    ldr r4, [r2, #TILE_N]
    lsls r5, r4, #4
    adds r5, r0
    str r5, [sp, #FRAME_END]
    lsrs r4, r4, #2
    lsls r4, r4, #6
    adds r4, r0
    str r4, [sp, #FRAME_QUADS]
    ldr r4, [r2, #TILE_COUNT]
    str r4, [sp, #FRAME_LEFT]
.Lcolumn:
    movs r3, #0
    mov r9, r3
    mov r10, r3
    mov r11, r3
    mov r12, r3
    ldr r0, [sp, #FRAME_G]
    ldr r4, [sp, #FRAME_QUADS]
    mov lr, r4
    cmp r0, lr
    beq .Lrest
.Lquad:
    step
    step
    step
    step
    cmp r0, lr
    bne .Lquad
.Lrest:
    ldr r4, [sp, #FRAME_END]
    cmp r0, r4
    beq .Lstore
    step
    b .Lrest
.Lstore:
    ldr r3, [sp, #FRAME_SUMS]
    mov r4, r9
    mov r5, r10
    mov r6, r11
    mov r7, r12
    stmia r3!, {r4, r5, r6, r7}
    str r3, [sp, #FRAME_SUMS]
    adds r1, #1
    ldr r4, [sp, #FRAME_LEFT]
    subs r4, #1
    str r4, [sp, #FRAME_LEFT]
    bne .Lcolumn
    add sp, #20
    pop {r4-r7}
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r11, r7
    pop {r4-r7, pc}
    .size tt_gradient_tile, . - tt_gradient_tile
