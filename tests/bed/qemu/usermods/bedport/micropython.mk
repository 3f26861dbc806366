BEDPORT_DIR := $(USERMOD_DIR)
SRC_USERMOD_C += $(BEDPORT_DIR)/bedport.c
# the functions of the qemu port that bedport.c replaces or extends
LDFLAGS_USERMOD += -Wl,--wrap=main,--wrap=mp_hal_stdio_poll,--wrap=mp_hal_stdin_rx_chr
LDFLAGS_USERMOD += -Wl,--wrap=pyexec_friendly_repl,--wrap=pyexec_raw_repl
