# Cortex-M4F. Stands for STM32F4/L4/G4: armv7em with single precision FPU.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an386
CFLAGS += -mthumb -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard
CFLAGS += -DQEMU_SOC_MPS2 -DBED_ENABLE_FPU -DMICROPY_HW_MCU_NAME='"Cortex-M4F"'
LDSCRIPT = $(BOARD_DIR)/../cortexm.ld
LDFLAGS += -L$(BOARD_DIR)/../mem_mps2
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
MPY_CROSS_FLAGS += -march=armv7emsp
