/* Softmax cross-entropy: src/cross_entropy.c and src/tt_exponential.h say what is computed. All of it is one
 * function; each loop takes two classes at a time and is entered in the middle where their number is odd. */
    .syntax unified
    .cpu cortex-m4
    .thumb

#include "tt_begin.inc"
#include "tt_requantize.inc"

/* n = (n - 1) / 2, how often a loop of two is repeated; carry: whether n was even. */
    .macro halve n
    sub \n, \n, #1
    lsrs \n, \n, #1
    .endm

/* e = exp(x - the largest), stored; x and k are lost. Stages of the polynomial are K - floor(q * f / 2^16): the first
 * leaves one in the upper half of a word, the second its negative, the third 2^16 less, again in the upper half. */
    .macro exponential x, k, e
    sub \x, r6, \x
    usat \x, #17, \x /* 32, whose exponential is 0 */
    umull \x, \k, \x, r2
    lsr \x, \x, #16
    mls \e, \x, r4, r5
    smlawt \e, \x, \e, r7
    mla \e, \e, \x, r9
    smlatt \e, \e, r8, r8
    lsr \e, \e, \k
    str \e, [r3], #4
    .endm

/* The mantissa of the probability that e becomes. r2: reciprocal, r3: the sum, r4: to, r5: shift;
 * of 8 bits: r0: hash of the index, r8: mask, lr: what the hash grows by */
    .macro probability e
    umull r12, \e, \e, r2
    add r3, r3, \e
#if TT_GRADIENT_BITS == 8
    mvn r12, #0x55555555 /* as tt_grad_cut */
    eor r12, r12, r0, asr #31
    add r0, r0, lr
    and r12, r12, r8
    add \e, \e, r12
    lsr \e, \e, r5
    strb \e, [r4], #1
#else
    lsr \e, \e, r5
    strh \e, [r4], #2
#endif
    .endm

/* void tt_softmax_cross_entropy(const tt_cross_entropy *p, const int32_t *sums, const int32_t *multiplier,
 * const int8_t *shift, int32_t label, tt_grad *d_logits, int32_t *loss, int32_t *scratch) */
    .set P, 0 /* on the stack */
    .set DISTANCE, 4
    .set LABEL, 48
    .set D_LOGITS, 52
    .set LOSS, 56
    .set SCRATCH, 60
    .set CLASSES, 0 /* of p */
    .set LIMIT, 2

    begin tt_softmax_cross_entropy
    push {r0-r2, r4-r11, lr} /* 8 bytes aligned for what it calls */

    /* logits. r1: sums, r2: multiplier, r3: shift, r4: to, r6: the largest */
    ldrsh r5, [r0, #CLASSES]
    ldr r4, [sp, #SCRATCH]
    mov r6, #0x80000000
    halve r5
    bcc .Lodd_logits
1:  ldr r7, [r1], #4
    ldr r8, [r2], #4
    ldrsb r9, [r3], #1
    ldr r10, [r1], #4
    ldr r11, [r2], #4
    ldrsb r12, [r3], #1
    rsbs r9, r9, #0
    blt .Lleft
.Lscaled:
    requantize r7, r8, r9, lr
    str r7, [r4], #4
    cmp r7, r6
    it gt
    movgt r6, r7
.Lsecond_logit:
    rsbs r12, r12, #0
    blt .Lsecond_left
.Lsecond_scaled:
    requantize r10, r11, r12, lr
    str r10, [r4], #4
    cmp r10, r6
    it gt
    movgt r6, r10
    subs r5, r5, #1
    bpl 1b

    /* exponentials. r0, lower half of r1: the sum, above it the count; r3: x */
    ldr r4, [sp, #LABEL]
    ldr r3, [sp, #SCRATCH]
    ldrsh r1, [r0, #CLASSES]
    ldr r7, [r3, r4, lsl #2]
    mov r0, #0
    adr r12, .Lconstants
    sub r7, r6, r7
    str r7, [sp, #DISTANCE]
    ldm r12, {r2, r4, r5, r7, r8, r9}
    halve r1
    lsl r1, r1, #16
    bcc .Lodd_exponentials
1:  ldrd r10, r11, [r3]
    exponential r10, r12, lr
.Lsecond_exponential:
    exponential r11, r10, r12
    add lr, lr, r12
    adds r0, r0, lr
    adc r1, r1, #0
    subs r1, r1, #0x10000
    bcs 1b

    /* r9, r2: k and floor(V / 2^9) of the sum */
    lsr r2, r0, #9
    orrs r2, r2, r1, lsl #23
    beq .Lmost
    clz r3, r2
    rsb r9, r3, #11
    lsr r2, r2, r9
.Lnormal:
    sub r0, r2, #1 << 20
    lsr r1, r0, #4
    movw r3, #2108
    mul r3, r3, r1
    movw r4, #8917
    sub r4, r4, r3, lsr #16
    mul r4, r4, r1
    movw r3, #18971
    sub r3, r3, r4, lsr #16
    mul r3, r3, r1
    movw r4, #32238
    sub r4, r4, r3, lsr #16
    mul r4, r4, r1
    movw r3, #65503
    sub r3, r3, r4, lsr #16
    smlawb r0, r0, r3, r0 /* r3 < 2^16 is a negative half */
    ldr r1, [sp, #DISTANCE]
    ldr r3, .Lln_2
    ldr r4, .Lmost_logit
    ldr r5, [sp, #LOSS]
    mla r0, r9, r3, r0
    sub r4, r4, r0, asr #8
    cmp r1, r4
    bge .Lsaturated
    add r0, r0, r1, lsl #8
.Lloss:
    str r0, [r5]

    /* r2: 2^(61 - k) / V, of 16 bits: the upper words of its products with exponentials are probabilities */
    lsr r1, r2, #5
    mov r2, #0x80000000
    udiv r2, r2, r1
    rsb r1, r9, #16
    lsls r2, r2, r1
    beq .Lone

    /* gradient. r0: label, lr: d_logits, r11: limit, r8: classes, r9: the label's probability, r10: exponentials, r3: the
     * sum of the others' probabilities, at first what it should be, r5: by how much longer it is than the limit */
.Lgradient:
    ldr r1, [sp, #P]
    ldr r0, [sp, #LABEL]
    ldr r10, [sp, #SCRATCH]
    ldr lr, [sp, #D_LOGITS]
    ldrsh r11, [r1, #LIMIT]
    ldrsh r8, [r1, #CLASSES]
    ldr r9, [r10, r0, lsl #2]
    umull r12, r9, r9, r2
    rsb r3, r9, #1 << 29
    clz r5, r3
    clz r4, r11
    sub r5, r4, r5
.Lprobabilities:
    sub r1, r8, #1
    add r4, lr, #4
    mov r3, #0
#if TT_GRADIENT_BITS == 8
    movw lr, #0x79b9
    movt lr, #0x9e37
    mov r0, #0
    mov r8, #1
    lsl r8, r8, r5
    sub r8, r8, #1
#endif
    lsrs r1, r1, #1
    bcc .Lodd_probabilities
1:  ldrd r6, r7, [r10], #8
    probability r6
.Lsecond_probability:
    probability r7
    subs r1, r1, #1
    bpl 1b
    sub r3, r3, r9
    sub r4, r5, #1 /* whether it fits now, and not if shifted by less */
    lsr r4, r3, r4
    sub r4, r4, r11
#if TT_GRADIENT_BITS == 8
    cmp r4, r11
    bhs .Lother_shift
    cmp r5, #1
    beq .Lother_shift
.Ldone:
    ldr r0, [sp, #LABEL]
    mul r7, lr, r0
    ldr lr, [sp, #D_LOGITS]
    mvn r12, #0x55555555
    eor r12, r12, r7, asr #31
    and r12, r12, r8
    add r3, r3, r12
    lsr r3, r3, r5
    rsb r3, r3, #0
    add r4, lr, r0
    strb r3, [r4, #4]
#else
    sub r4, r4, #1
    cmp r4, r11
    bhi .Lother_shift
.Ldone:
    lsr r3, r3, r5
    rsb r3, r3, #0
    add r4, lr, r0, lsl #1
    strh r3, [r4, #4]
#endif
    sub r4, r5, #29
    str r4, [lr]
    cbz r5, .Lsmall
    add sp, sp, #12
    pop {r4-r11, pc}
.Lsmall: /* the largest of all may be small */
    ldr r0, [sp, #P]
    ldrsh r1, [r0, #CLASSES]
    mov r0, lr
    mov r2, r11
    mvn r3, #28
    bl tt_grad_normalize
    add sp, sp, #12
    pop {r4-r11, pc}

.Lodd_logits: /* where a loop begins with the second of two */
    ldr r10, [r1], #4
    ldr r11, [r2], #4
    ldrsb r12, [r3], #1
    b .Lsecond_logit
.Lodd_exponentials:
    ldr r11, [r3]
    mov lr, #0
    b .Lsecond_exponential
.Lodd_probabilities:
    ldr r7, [r10], #4
    b .Lsecond_probability
.Lleft: /* shifts to the left */
    rsb r9, r9, #0
    lsl r7, r7, r9
    mov r9, #0
    b .Lscaled
.Lsecond_left:
    rsb r12, r12, #0
    lsl r10, r10, r12
    mov r12, #0
    b .Lsecond_scaled
.Lmost: /* 2^41 */
    mov r9, #12
    mov r2, #1 << 20
    b .Lnormal
.Lsaturated:
    mvn r0, #0x80000000
    b .Lloss
.Lone: /* 2^32: half of it, and twice the exponentials */
    ldr r0, [sp, #P]
    ldr r1, [sp, #SCRATCH]
    ldrsh r0, [r0, #CLASSES]
    mov r2, #0x80000000
1:  ldr r3, [r1]
    lsl r3, r3, #1
    str r3, [r1], #4
    subs r0, r0, #1
    bne 1b
    b .Lgradient
.Lother_shift: /* by as many bits as it is longer, if at all, or one more */
    clz r6, r3
    clz r4, r11
    sub r4, r4, r6
    usat r4, #5, r4
    lsr r6, r3, r4
#if TT_GRADIENT_BITS == 8
    rsbs r7, r4, #0
    sbc r7, r11, #0 /* rounding up adds at most one unit */
    cmp r6, r7
#else
    cmp r6, r11
#endif
    it gt
    addgt r4, r4, #1
    cmp r4, r5
    beq .Ldone
    mov r5, r4
    ldr r1, [sp, #P]
    ldr r10, [sp, #SCRATCH]
    ldr lr, [sp, #D_LOGITS]
    ldrsh r8, [r1, #CLASSES]
    b .Lprobabilities
    .balign 4
.Lconstants: /* as in src/tt_exponential.h, arranged for the macro above */
    .word 23637 << 6, 2565, (15111 << 16) - 1, -45313, 1 << 29, 65535
.Lln_2:
    .word 726817
.Lmost_logit:
    .word 0x7fffffff >> 8
    .size tt_softmax_cross_entropy, . - tt_softmax_cross_entropy
