# Cortex-M0 on QEMU's microbit (nRF51). Stands for RP2040-class chips: armv6m, no FPU, no hardware divide.
QEMU_ARCH = arm
QEMU_MACHINE = microbit
CFLAGS += -mthumb -mcpu=cortex-m0 -mfloat-abi=soft
CFLAGS += -DQEMU_SOC_NRF51 -DMICROPY_HW_MCU_NAME='"Cortex-M0"'
LDSCRIPT = $(BOARD_DIR)/../cortexm.ld
LDFLAGS += -L$(BOARD_DIR)/../mem_nrf51
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb1.o
MPY_CROSS_FLAGS += -march=armv6m
