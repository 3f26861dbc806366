# Cortex-M3. Stands for STM32F1/F2/L1: armv7m, no FPU.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an385
CFLAGS += -mthumb -mcpu=cortex-m3 -mfloat-abi=soft
CFLAGS += -DQEMU_SOC_MPS2 -DMICROPY_HW_MCU_NAME='"Cortex-M3"'
LDSCRIPT = $(BOARD_DIR)/../cortexm.ld
LDFLAGS += -L$(BOARD_DIR)/../mem_mps2
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
MPY_CROSS_FLAGS += -march=armv7m
