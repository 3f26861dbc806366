/* void tt_gradient_pairs(const uint32_t *g, const int8_t *w, const tt_pair_columns *tile, int32_t *sums):
 * see tt_gradient_pairs.h. 39 instructions for 32 multiply-accumulates: two columns of weights, of which
 * two rows become pairs; SMLAD with those of four pixels. GCC does not keep eight sums in registers. */
    .syntax unified
    .cpu cortex-m4
    .thumb

    .equ W, 4
    .equ SUMS, 8
    .equ COLUMNS, 12
    .equ END, 16

    .macro pixel first, second
    ldr r12, [r0], #4
    smlad \first, r12, r3, \first
    smlad \second, r12, lr, \second
    .endm

    .macro step
    ldrh lr, [r1]
    ldrh r3, [r1, r2]
    add r1, r1, r2, lsl #1
    pkhbt r3, lr, r3, lsl #16
    sxtb16 lr, r3, ror #8
    sxtb16 r3, r3
    pixel r4, r8
    pixel r5, r9
    pixel r6, r10
    pixel r7, r11
    .endm

    .section .text.tt_gradient_pairs, "ax", %progbits
    .global tt_gradient_pairs
    .type tt_gradient_pairs, %function
    .thumb_func
tt_gradient_pairs:
    push {r4-r11, lr}
    ldm r2, {r2, r4, r5}
    add r6, r0, r4, lsl #4
    push {r0, r1, r3, r5, r6}
1:  ldr r0, [sp]
    ldr r1, [sp, #W]
    ldr r12, [sp, #END]
    mov r4, #0
    mov r5, #0
    mov r6, #0
    mov r7, #0
    mov r8, #0
    mov r9, #0
    mov r10, #0
    mov r11, #0
    subs r3, r12, r0
    beq 4f
    tst r3, #16 /* an odd number of pairs: begin with the second step */
    bne 3f
2:  step
3:  step
    ldr r12, [sp, #END]
    cmp r0, r12
    bne 2b
4:  ldr r3, [sp, #SUMS]
    stmia r3!, {r4-r11}
    str r3, [sp, #SUMS]
    ldr r1, [sp, #W]
    adds r1, #2
    str r1, [sp, #W]
    ldr r3, [sp, #COLUMNS]
    subs r3, #1
    str r3, [sp, #COLUMNS]
    bne 1b
    add sp, sp, #20
    pop {r4-r11, pc}
    .size tt_gradient_pairs, . - tt_gradient_pairs
