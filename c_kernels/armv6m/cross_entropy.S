/* Softmax cross-entropy, all of it in one function: src/cross_entropy.c and src/tt_exponential.h say what is
 * computed. */
    .syntax unified
    .cpu cortex-m0
    .thumb

#include "tt_registers.inc"
#include "tt_requantize.inc"

/* x = exp(x - r12), its sum in r5 and the lower half of r7. lr: from where on it is 0, r6: 2^16 */
    .macro exponential which
    ldr r2, [r0]
    mov r1, r12
    subs r1, r1, r2
    cmp r1, lr
    bhs .Lfar_\which
    mov r2, r8
    muls r1, r2
    lsrs r1, r1, #10 /* in powers of 2, units of 2^-16 */
    uxth r2, r1
    mov r3, r9
    muls r3, r2
    lsrs r3, r3, #16
    mov r4, r10
    subs r4, r4, r3
    muls r4, r2
    lsrs r4, r4, #16
    mov r3, r11
    subs r3, r3, r4
    muls r3, r2
    lsrs r3, r3, #16
    subs r4, r6, r3
    lsls r4, r4, #13
    lsrs r1, r1, #16
    lsrs r4, r1
.Lstore_\which:
    stmia r0!, {r4}
    adds r5, r5, r4
    bcs .Lcarry_\which
.Lnext_\which:
    .endm

    .macro exponential_rest which
.Lfar_\which:
    movs r4, #0
    b .Lstore_\which
.Lcarry_\which:
    adds r7, #1
    b .Lnext_\which
    .endm

/* Of what exponential r4 becomes. r2: reciprocal, r3: k; r5 is lost. */
    .macro probability
    lsrs r5, r4, #16
    muls r5, r2
    uxth r4, r4
    muls r4, r2
    lsrs r4, r4, #16
    adds r4, r4, r5
    lsrs r4, r3
    .endm

/* void tt_softmax_cross_entropy(const tt_cross_entropy *p, const int32_t *sums, const int32_t *multiplier,
 * const int8_t *shift, int32_t label, tt_grad *d_logits, int32_t *loss, int32_t *scratch) */
    .set LABELS, 0 /* on the stack: the label's distance, then its probability */
    .set CLASSES, 4
    .set LIMIT, 8
    .set LABEL, 48
    .set D_LOGITS, 52
    .set LOSS, 56
    .set SCRATCH, 60

    .section .text.tt_softmax_cross_entropy, "ax", %progbits
    requantize_row_rest
    .global tt_softmax_cross_entropy
    .type tt_softmax_cross_entropy, %function
    .thumb_func
tt_softmax_cross_entropy:
    save_r4_to_r11
    movs r4, #0
    ldrsh r4, [r0, r4]
    movs r5, #2
    ldrsh r5, [r0, r5]
    push {r3, r4, r5}

    /* logits */
    mov r6, r1
    adds r7, r3, r4
    mov r3, r2
    negs r4, r4
    ldr r1, [sp, #SCRATCH]
    subs r1, r1, r6
    subs r1, #4
    mov lr, r1
    requantize_row

    /* exponentials, 32 cycles a value. r0: x, r5, lower half of r7: the sum, above it the count;
     * r6: 2^16, lr: from where on they are 0 */
    adr r1, .Lconstants
    ldmia r1!, {r2, r3, r4, r5, r6}
    mov r8, r2
    mov r9, r3
    mov r10, r4
    mov r11, r5
    mov lr, r6
    ldr r0, [sp, #SCRATCH]
    ldr r1, [sp, #LABEL]
    lsls r1, r1, #2
    ldr r1, [r0, r1]
    mov r2, r12
    subs r2, r2, r1
    str r2, [sp, #LABELS]
    movs r5, #0
    movs r6, #1
    lsls r6, r6, #16
    ldr r7, [sp, #CLASSES]
    subs r7, #1
    lsls r7, r7, #15 /* halved: what is left over nobody asks for */
    lsls r1, r7, #16
    bpl 2f
1:  exponential first
2:  exponential second
    subs r7, r7, r6
    bcs 1b

    /* r7, r0: k and floor(V / 2^9) of the sum */
    lsrs r0, r5, #9
    lsls r1, r7, #23
    movs r7, #0
    orrs r0, r1
    beq .Lmost
    b 2f
    exponential_rest first
    exponential_rest second
.Lmost: /* 2^41 */
    movs r7, #12
    movs r0, #1
    lsls r0, r0, #20
    b .Lnormal
.Lsaturated:
    movs r1, #0
    mvns r1, r1
    lsrs r1, r1, #1
    b .Lloss
1:  lsrs r0, r0, #1
    adds r7, #1
2:  lsrs r1, r0, #21
    bne 1b
.Lnormal:
    movs r1, #1
    lsls r1, r1, #20
    subs r1, r0, r1
    lsrs r2, r1, #4
    adr r3, .Llogarithm
    ldmia r3!, {r4, r5, r6}
    muls r4, r2
    lsrs r4, r4, #16
    subs r5, r5, r4
    muls r5, r2
    lsrs r5, r5, #16
    subs r6, r6, r5
    muls r6, r2
    lsrs r6, r6, #16
    ldmia r3!, {r4, r5}
    subs r4, r4, r6
    muls r4, r2
    lsrs r4, r4, #16
    subs r5, r5, r4
    lsrs r2, r1, #16
    muls r2, r5
    uxth r1, r1
    muls r1, r5
    lsrs r1, r1, #16
    adds r1, r1, r2
    ldmia r3!, {r4, r5, r6}
    muls r4, r7
    adds r1, r1, r4
    asrs r4, r1, #8
    subs r5, r5, r4
    ldr r2, [sp, #LABELS]
    cmp r2, r5
    bge .Lsaturated
    lsls r2, r2, #8
    adds r1, r1, r2
.Lloss:
    ldr r2, [sp, #LOSS]
    str r1, [r2]

    /* r2: tt_reciprocal_of_total(V) */
    lsrs r1, r0, #5
    ldmia r3!, {r2}
    muls r6, r1
    lsrs r6, r6, #16
    subs r2, r2, r6
    movs r3, #1
    lsls r3, r3, #31
    movs r4, r2
    muls r4, r1
    subs r4, r3, r4
    asrs r4, r4, #13
    muls r4, r2
    asrs r4, r4, #18
    adds r2, r2, r4
    movs r4, r2
    muls r4, r1
    subs r4, r3, r4
    asrs r4, r4, #8
    muls r4, r2
    asrs r4, r4, #23
    adds r2, r2, r4
    movs r4, r2
    muls r4, r1
    subs r4, r3, r4
    movs r5, #0
    cmp r4, r1
    adcs r2, r5

    /* gradient. r3: k, r7: shift; r4: the sum of the others' probabilities, at first what it should be */
    movs r3, r7
    ldr r0, [sp, #SCRATCH]
    ldr r1, [sp, #LABEL]
    lsls r1, r1, #2
    ldr r4, [r0, r1]
    probability
    str r4, [sp, #LABELS]
    movs r5, #1
    lsls r5, r5, #29
    subs r4, r5, r4
    movs r7, #255 /* none yet */
.Lagain:
    ldr r6, [sp, #LIMIT]
#if TT_GRADIENT_BITS == 8
    subs r6, #1 /* rounding up adds at most one unit */
#endif
    movs r1, #29 - TT_GRADIENT_BITS
1:  movs r5, r4
    lsrs r5, r1
    cmp r5, r6
    bhi 2f
    subs r1, #1
    bpl 1b
2:  adds r1, #1
    movs r5, r4
    lsrs r5, r1
    cmp r5, r6
    bhi 2b
#if TT_GRADIENT_BITS == 8
    cmp r1, #1
    bne 3f
    adds r6, #1 /* which without a shift none does */
    cmp r4, r6
    bhi 3f
    movs r1, #0
3:
#endif
    cmp r1, r7
    beq .Ldone
    movs r7, r1

    /* probabilities, 16 cycles a value where mantissas have 16 bits. r0: exponentials, r6: end of the mantissas,
     * r1: from there, r8: the sum */
    movs r5, #0
    mov r8, r5
#if TT_GRADIENT_BITS == 8
    mov r9, r5 /* hash of the index */
    ldr r4, =0x9e3779b9
    mov r10, r4
    movs r4, #1
    lsls r4, r7
    subs r4, #1
    mov r11, r4
    ldr r4, =0xaaaaaaaa
    mov r12, r4
#endif
    ldr r0, [sp, #SCRATCH]
    ldr r1, [sp, #CLASSES]
    ldr r6, [sp, #D_LOGITS]
    adds r6, #4
#if TT_GRADIENT_BITS == 16
    lsls r1, r1, #1
#endif
    adds r6, r6, r1
    negs r1, r1
1:  ldmia r0!, {r4}
    probability
    add r8, r4
#if TT_GRADIENT_BITS == 16
    lsrs r4, r7
    strh r4, [r6, r1]
    adds r1, #2
#else
    mov r5, r9 /* as tt_grad_cut */
    add r9, r10
    asrs r5, r5, #31
    mov lr, r0
    mov r0, r12
    eors r5, r0
    mov r0, r11
    ands r5, r0
    mov r0, lr
    adds r4, r4, r5
    lsrs r4, r7
    strb r4, [r6, r1]
    adds r1, #1
#endif
    bne 1b
    mov r4, r8
    ldr r1, [sp, #LABELS]
    subs r4, r4, r1
    b .Lagain

.Ldone:
    ldr r0, [sp, #D_LOGITS]
    ldr r1, [sp, #LABEL]
#if TT_GRADIENT_BITS == 8
    ldr r5, =0x9e3779b9
    muls r5, r1
    asrs r5, r5, #31
    ldr r6, =0xaaaaaaaa
    eors r5, r6
    movs r6, #1
    lsls r6, r7
    subs r6, #1
    ands r5, r6
    adds r4, r4, r5
    lsrs r4, r7
    negs r4, r4
    adds r1, r1, r0
    strb r4, [r1, #4]
#else
    lsrs r4, r7
    negs r4, r4
    lsls r1, r1, #1
    adds r1, r1, r0
    strh r4, [r1, #4]
#endif
    movs r1, r7
    subs r1, #29
    str r1, [r0]
    cmp r7, #0
    beq .Lsmall
.Lend:
    add sp, #12
    restore_r4_to_r11_and_return

.Lsmall: /* the largest of all may be small */
    ldr r1, [sp, #CLASSES]
    ldr r2, [sp, #LIMIT]
    movs r3, #28
    mvns r3, r3
    bl tt_grad_normalize
    b .Lend
#if TT_GRADIENT_BITS == 8
    .ltorg
#endif
    .balign 4
.Lconstants: /* src/tt_exponential.h has all of them */
    .word 23637, 2565, 15110, 45313, 22 << 12
.Llogarithm: /* then ln(2), the largest loss / 2^8, and those of a reciprocal */
    .word 2108, 8917, 18971, 32238, 65503, 726817, 0x7fffffff >> 8, 61681, 92521
    .size tt_softmax_cross_entropy, . - tt_softmax_cross_entropy
