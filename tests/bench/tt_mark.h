/* Where this is executed, the emulators note what native modules have cost so far (bed/qemu/nativecount.c). */
#if defined(__thumb__)
#define TT_MARK __asm__ volatile("mov r10, r10")
#elif defined(__riscv)
#define TT_MARK __asm__ volatile("xori zero, zero, 77")
#elif defined(__XTENSA__)
#define TT_MARK __asm__ volatile("_or a15, a15, a15")
#endif
