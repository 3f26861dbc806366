# Cortex-M7 with a double precision FPU. Stands for STM32F76x, H7.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an500
CFLAGS += -mthumb -mcpu=cortex-m7 -mfpu=fpv5-d16 -mfloat-abi=hard
CFLAGS += -DQEMU_SOC_MPS2 -DBED_PSRAM -DBED_ENABLE_FPU -DMICROPY_HW_MCU_NAME='"Cortex-M7DP"'
LDSCRIPT = $(BOARD_DIR)/../cortexm.ld
LDFLAGS += -L$(BOARD_DIR)/../mem_mps2
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
MPY_CROSS_FLAGS += -march=armv7emdp
