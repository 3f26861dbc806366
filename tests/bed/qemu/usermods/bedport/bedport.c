// What MicroPython's qemu port lacks for a test bed, added from outside its tree as a user C module:
// FPU enable, a clock, stdin polling, a ROMFS segment, and a RAM disk on / that survives soft resets.
#include <string.h>
#include "py/runtime.h"
#include "py/mphal.h"
#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/stream.h"
#include "extmod/vfs.h"
#include "extmod/vfs_lfs.h"
#include "shared/runtime/pyexec.h"
#include "uart.h"

#define REG(a) (*(volatile uint32_t *)(a))

/* ---- memory map --------------------------------------------------------------------------
   ROM_BASE: ROMFS segment, DISK_BASE: RAM disk. Both lie outside the firmware's own RAM. */
#if defined(QEMU_SOC_NRF51)             // flash and SRAM are made larger on QEMU's command line
#define ROM_BASE    0x00080000u
#define ROM_SIZE    0x00080000u
#define DISK_BASE   0x20040000u
#else
#if defined(QEMU_SOC_VIRT)
#define ROM_BASE    0x81000000u
#elif defined(BED_PSRAM)                // mps2-an500: 16 MB there
#define ROM_BASE    0x60000000u
#else
#define ROM_BASE    0x21000000u
#endif
#define ROM_SIZE    0x00400000u
#define DISK_BASE   (ROM_BASE + ROM_SIZE)
#endif
#define DISK_BLOCK  512
#define DISK_BLOCKS 2048

/* ---- clock ------------------------------------------------------------------------------- */
#if defined(QEMU_SOC_MPS2)
#define TICK_HZ 25000000u
static void tick_init(void) { REG(0x4002801c) = 0; }                // FPGAIO PRESCALE = 0: 25 MHz
static uint32_t tick32(void) { return REG(0x40028018); }             // FPGAIO COUNTER
#elif defined(QEMU_SOC_NRF51)
#define TICK_HZ 16000000u
static void tick_init(void) { REG(0x40008508) = 3; REG(0x40008510) = 0; REG(0x40008000) = 1; }
static uint32_t tick32(void) { REG(0x40008040) = 1; return REG(0x40008540); }
#elif defined(QEMU_SOC_VIRT)
#define TICK_HZ 10000000u
static void tick_init(void) {}
static uint32_t tick32(void) { return REG(0x0200bff8); }             // CLINT mtime, 10 MHz
#endif
static uint64_t tick64(void) {
    static uint32_t lo, hi;
    uint32_t now = tick32();
    if (now < lo) {
        hi++;
    }
    lo = now;
    return (uint64_t)hi << 32 | now;
}
// No 64-bit '/' here: libgcc's helper drags in .ARM.exidx sections, for which there is no unwinder.
static uint64_t udiv64(uint64_t n, uint32_t d) {
    uint64_t q = 0, r = 0;
    for (int i = 63; i >= 0; i--) {
        r = r << 1 | ((n >> i) & 1);
        if (r >= d) {
            r -= d;
            q |= 1ull << i;
        }
    }
    return q;
}
uint64_t mp_hal_time_ns(void) { return 0; }
mp_uint_t mp_hal_ticks_ms(void) { return (mp_uint_t)udiv64(tick64(), TICK_HZ / 1000); }
mp_uint_t mp_hal_ticks_us(void) { return (mp_uint_t)udiv64(tick64(), TICK_HZ / 1000000); }
mp_uint_t mp_hal_ticks_cpu(void) { return (mp_uint_t)tick64(); }
void mp_hal_delay_us(mp_uint_t us) {
    uint64_t end = tick64() + (uint64_t)us * (TICK_HZ / 1000000);
    while (tick64() < end) {
        mp_handle_pending(true);
    }
}
void mp_hal_delay_ms(mp_uint_t ms) {
    while (ms--) {
        mp_hal_delay_us(1000);
    }
}

/* ---- stdin with one character of look-ahead, so that it can be polled ----------------------- */
static int look_ahead = UART_RX_NO_CHAR;
uintptr_t __wrap_mp_hal_stdio_poll(uintptr_t poll_flags) {
    uintptr_t ret = 0;
    if (look_ahead < 0) {
        look_ahead = uart_rx_chr();
    }
    if ((poll_flags & MP_STREAM_POLL_RD) && look_ahead >= 0) {
        ret |= MP_STREAM_POLL_RD;
    }
    if (poll_flags & MP_STREAM_POLL_WR) {
        ret |= MP_STREAM_POLL_WR;
    }
    return ret;
}
int __wrap_mp_hal_stdin_rx_chr(void) {
    while (look_ahead < 0) {
        look_ahead = uart_rx_chr();
    }
    int c = look_ahead;
    look_ahead = UART_RX_NO_CHAR;
    return c;
}

/* ---- start ------------------------------------------------------------------------------------ */
int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv) {
    #ifdef BED_ENABLE_FPU
    REG(0xE000ED88) |= 0xf << 20;           // CPACR: the port's start-up code leaves the FPU off
    __asm volatile ("dsb\n isb");
    #endif
    tick_init();
    return __real_main(argc, argv);
}

/* ---- ROMFS segment ------------------------------------------------------------------------------ */
#if defined(QEMU_SOC_NRF51)
static void rom_erase(uint32_t off, uint32_t len) {
    REG(0x4001E504) = 2;                    // NVMC CONFIG: erase enable
    for (uint32_t p = off; p < off + len; p += 1024) {
        REG(0x4001E508) = ROM_BASE + p;
    }
    REG(0x4001E504) = 0;
}
static void rom_write(uint32_t off, const uint8_t *b, uint32_t len) {
    REG(0x4001E504) = 1;                    // NVMC CONFIG: write enable; flash takes whole words
    for (; len; len--, off++, b++) {
        uint32_t sh = (off & 3) * 8;
        REG(ROM_BASE + (off & ~3u)) = ~(0xffu << sh) | (uint32_t)*b << sh;
    }
    REG(0x4001E504) = 0;
}
#else
static void rom_erase(uint32_t off, uint32_t len) { memset((void *)(ROM_BASE + off), 0xff, len); }
static void rom_write(uint32_t off, const uint8_t *b, uint32_t len) { memcpy((void *)(ROM_BASE + off), b, len); }
#endif
static const mp_obj_array_t rom_view = {{&mp_type_memoryview}, 'B', 0, ROM_SIZE, (void *)ROM_BASE};

mp_obj_t mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args) {
    mp_int_t a = n_args > 2 ? mp_obj_get_int(args[2]) : 0;
    if (n_args > 1 && mp_obj_get_int(args[1]) != 0) {
        return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
    }
    switch (mp_obj_get_int(args[0])) {
        case MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS:
            return MP_OBJ_NEW_SMALL_INT(1);
        case MP_VFS_ROM_IOCTL_GET_SEGMENT:
            return MP_OBJ_FROM_PTR(&rom_view);
        case MP_VFS_ROM_IOCTL_WRITE_PREPARE:
            if (a > (mp_int_t)ROM_SIZE) {
                break;
            }
            rom_erase(0, a);
            return MP_OBJ_NEW_SMALL_INT(4); // alignment of the writes
        case MP_VFS_ROM_IOCTL_WRITE: {
            mp_buffer_info_t bi;
            mp_get_buffer_raise(args[3], &bi, MP_BUFFER_READ);
            if (a < 0 || a + bi.len > ROM_SIZE) {
                break;
            }
            rom_write(a, bi.buf, bi.len);
            return MP_OBJ_NEW_SMALL_INT(0);
        }
        case MP_VFS_ROM_IOCTL_WRITE_COMPLETE:
            return MP_OBJ_NEW_SMALL_INT(0);
    }
    return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
}

/* ---- RAM disk: a block device over memory that no soft reset clears ---------------------------- */
static mp_obj_t disk_rw(size_t n_args, const mp_obj_t *args, bool write) {
    mp_buffer_info_t bi;
    mp_get_buffer_raise(args[2], &bi, write ? MP_BUFFER_READ : MP_BUFFER_WRITE);
    size_t off = mp_obj_get_int(args[1]) * DISK_BLOCK + (n_args > 3 ? mp_obj_get_int(args[3]) : 0);
    if (off + bi.len > DISK_BLOCK * DISK_BLOCKS) {
        return MP_OBJ_NEW_SMALL_INT(-MP_EINVAL);
    }
    uint8_t *p = (uint8_t *)(uintptr_t)DISK_BASE + off;
    memcpy(write ? p : bi.buf, write ? bi.buf : p, bi.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static mp_obj_t disk_read(size_t n_args, const mp_obj_t *args) { return disk_rw(n_args, args, false); }
static mp_obj_t disk_write(size_t n_args, const mp_obj_t *args) { return disk_rw(n_args, args, true); }
static mp_obj_t disk_ioctl(mp_obj_t self, mp_obj_t op, mp_obj_t arg) {
    (void)self;
    (void)arg;
    switch (mp_obj_get_int(op)) {
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(DISK_BLOCKS);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(DISK_BLOCK);
    }
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_read_obj, 3, 4, disk_read);
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_write_obj, 3, 4, disk_write);
static MP_DEFINE_CONST_FUN_OBJ_3(disk_ioctl_obj, disk_ioctl);
static const mp_rom_map_elem_t disk_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&disk_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&disk_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&disk_ioctl_obj) },
};
static MP_DEFINE_CONST_DICT(disk_locals, disk_locals_table);
static MP_DEFINE_CONST_OBJ_TYPE(disk_type, MP_QSTR_RAMDisk, MP_TYPE_FLAG_NONE, locals_dict, &disk_locals);
static const mp_obj_base_t disk_obj = { &disk_type };

static mp_vfs_mount_t *root_mount(void) {
    mp_vfs_mount_t *m = MP_STATE_VM(vfs_mount_table);
    while (m != NULL && m->len != 1) {      // the mount point "/"
        m = m->next;
    }
    return m;
}
// Called before each REPL session: after mp_init() nothing but /rom is mounted.
static void mount_disk(void) {
    mp_obj_t dev = MP_OBJ_FROM_PTR(&disk_obj), lfs = MP_OBJ_FROM_PTR(&mp_type_vfs_lfs2);
    for (int attempt = 0; root_mount() == NULL && attempt < 2; attempt++) {
        nlr_buf_t nlr;
        if (nlr_push(&nlr) == 0) {
            if (attempt) {                  // first start: not formatted yet
                mp_call_function_1(mp_load_attr(lfs, MP_QSTR_mkfs), dev);
            }
            mp_obj_t args[2] = { mp_call_function_1(lfs, dev), MP_OBJ_NEW_QSTR(MP_QSTR__slash_) };
            mp_vfs_mount(2, args, (mp_map_t *)&mp_const_empty_map);
            MP_STATE_VM(vfs_cur) = root_mount();
            nlr_pop();
        }
    }
}
int __real_pyexec_friendly_repl(void);
int __real_pyexec_raw_repl(void);
int __wrap_pyexec_friendly_repl(void) { mount_disk(); return __real_pyexec_friendly_repl(); }
int __wrap_pyexec_raw_repl(void) { mount_disk(); return __real_pyexec_raw_repl(); }
