/* void tt_copy_rows(int8_t *to, int32_t to_step, const int8_t *from, int32_t from_step, int32_t n,
 * int32_t rows): see packed/tt_swar.h. Cortex-M0: 4 cycles a byte, or 11 for four words where all is
 * aligned to words. */
    .syntax unified
    .cpu cortex-m0
    .thumb

    .macro bytes at
    .if \at >= 0
    ldrb r6, [r2, #\at]
    strb r6, [r0, #\at]
    bytes (\at - 1)
    .endif
    .endm

/* r12, lr: from the end of a row to the next */
    .section .text.tt_copy_rows, "ax", %progbits
    .global tt_copy_rows
    .type tt_copy_rows, %function
    .thumb_func
tt_copy_rows:
    push {r4-r7, lr}
    ldr r4, [sp, #20]
    ldr r5, [sp, #24]
    mov r6, r0
    orrs r6, r1
    orrs r6, r2
    orrs r6, r3
    orrs r6, r4
    subs r1, r1, r4
    subs r3, r3, r4
    mov r12, r1
    mov lr, r3
    lsls r6, r6, #30
    beq 5f
1:  mov r3, r4 /* a row of bytes */
2:  cmp r3, #16
    blo 3f
    movs r7, #16
    b 4f
3:  mov r7, r3
4:  movs r6, #16
    subs r6, r6, r7
    lsls r6, r6, #2
    adr r1, 8f
    adds r1, r1, r6
    adds r1, #1
    bx r1
    .balign 4
8:  bytes 15
    adds r0, r0, r7
    adds r2, r2, r7
    subs r3, r3, r7
    bne 2b
    add r0, r12
    add r2, lr
    subs r5, #1
    bne 1b
    pop {r4-r7, pc}

5:  push {r5} /* a row of words */
6:  mov r3, r4
    subs r3, #16
    blo 1f
2:  ldmia r2!, {r1, r5, r6, r7}
    stmia r0!, {r1, r5, r6, r7}
    subs r3, #16
    bhs 2b
1:  adds r3, #16
    beq 3f
2:  ldmia r2!, {r1}
    stmia r0!, {r1}
    subs r3, #4
    bne 2b
3:  add r0, r12
    add r2, lr
    pop {r5}
    subs r5, #1
    push {r5}
    bne 6b
    pop {r5}
    pop {r4-r7, pc}
    .size tt_copy_rows, . - tt_copy_rows
