/* void tt_gradient_row(const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums):
 * see src/tt_tile.h. Two factors become a pair, and so do the weights of both: 41 cycles for 16
 * multiply-accumulates. */
    .syntax unified
    .cpu cortex-m4
    .thumb

/* r4-r7: sums of four columns */
    .macro step
    ldmia r0!, {r8-r11}
    pkhbt r8, r8, r10, lsl #16
    ldr r9, [r2, r9]
    ldr r10, [r2, r11]
    pkhbt r11, r9, r10, lsl #16
    pkhtb r10, r10, r9, asr #16
    sxtb16 r9, r11
    smlad r4, r8, r9, r4
    sxtb16 r11, r11, ror #8
    smlad r5, r8, r11, r5
    sxtb16 r9, r10
    smlad r6, r8, r9, r6
    sxtb16 r10, r10, ror #8
    smlad r7, r8, r10, r7
    .endm

/* r1: the end of factors, r12: sums, lr: first factor */
    .section .text.tt_gradient_row, "ax", %progbits
    .global tt_gradient_row
    .type tt_gradient_row, %function
    .thumb_func
tt_gradient_row:
    push {r4-r11, lr}
    ldr r12, [sp, #36]
    mov lr, r0
    add r1, r0, r1, lsl #3
1:  mov r0, lr
    mov r4, #0
    mov r5, #0
    mov r6, #0
    mov r7, #0
    sub r8, r1, r0
    tst r8, #16 /* an odd number of pairs: begin with the second step */
    bne 3f
2:  step
3:  step
    cmp r0, r1
    bne 2b
    stmia r12!, {r4-r7}
    adds r2, #4
    subs r3, #1
    bne 1b
    pop {r4-r11, pc}
    .size tt_gradient_row, . - tt_gradient_row
