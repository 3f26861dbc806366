/* void tt_dot_words(const int32_t *words, const int8_t *w, int32_t n, int32_t *sums): see row_dot.c.
 * Cortex-M0: 18.5 cycles for 4 multiply-accumulates. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"

/* four weights in r0; r1 is lost */
    .macro row sum
    eors r0, r7
    lsrs r1, r0, #24
    muls r1, r5
    add \sum, r1
    lsrs r1, r0, #16
    muls r1, r4
    add \sum, r1
    lsrs r1, r0, #8
    muls r1, r3
    add \sum, r1
    muls r0, r2
    add \sum, r0
    .endm

    .section .text.tt_dot_words, "ax", %progbits
    .global tt_dot_words
    .type tt_dot_words, %function
    .thumb_func
tt_dot_words:
    save_low_take_high
    push {r3-r7}
    mov lr, r0
    mov r12, r2
    mov r6, r1
    lsls r7, r2, #2
    adds r7, r7, r0 /* end of words */
    subs r5, r2, #4
    lsls r4, r2, #1
    adds r5, r5, r4
    negs r5, r5 /* back to the first row */
    push {r5, r7}
    ldmia r3!, {r0, r1, r2, r4}
    mov r8, r0
    mov r9, r1
    mov r10, r2
    mov r11, r4
    ldr r7, =0x80808080
1:  mov r0, lr
    ldmia r0!, {r2, r3, r4, r5}
    mov lr, r0
    ldr r0, [r6]
    add r6, r12
    row r8
    ldr r0, [r6]
    add r6, r12
    row r9
    ldr r0, [r6]
    add r6, r12
    row r10
    ldr r0, [r6]
    ldr r1, [sp]
    adds r6, r6, r1
    row r11
    ldr r1, [sp, #4]
    cmp lr, r1
    bne 1b
    add sp, #8
    pop {r3-r7}
    mov r0, r8
    mov r1, r9
    mov r2, r10
    mov r8, r4
    mov r9, r5
    mov r10, r6
    mov r4, r11
    mov r11, r7
    stmia r3!, {r0, r1, r2, r4}
    pop {r4-r7, pc}
    .ltorg
    .size tt_dot_words, . - tt_dot_words
