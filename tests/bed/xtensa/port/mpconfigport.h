#include <stddef.h>
#include <stdint.h>
#include <alloca.h>
#include <errno.h>
#define MICROPY_CONFIG_ROM_LEVEL    (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)
#define MICROPY_NLR_SETJMP          (1)
#define MICROPY_EMIT_XTENSAWIN      (1)
#define MICROPY_PERSISTENT_CODE_LOAD (1)
#define MICROPY_MALLOC_USES_ALLOCATED_SIZE (1)
#define MICROPY_MEM_STATS           (1)
#define MICROPY_READER_VFS          (1)
#define MICROPY_READER_POSIX        (1)
#define MICROPY_ENABLE_GC           (1)
#define MICROPY_LONGINT_IMPL        (MICROPY_LONGINT_IMPL_MPZ)
#define MICROPY_FLOAT_IMPL          (MICROPY_FLOAT_IMPL_FLOAT)
#define MICROPY_ENABLE_EMERGENCY_EXCEPTION_BUF (1)
#define MICROPY_USE_INTERNAL_ERRNO  (1)
#define MICROPY_ALLOC_PATH_MAX      (256)
#define MICROPY_HELPER_REPL         (1)
#define MICROPY_PY_SYS_PLATFORM     "qemu-xtensa"
#define MICROPY_PY_SYS_STDIO_BUFFER (1)
#define MICROPY_PY_SYS_EXIT         (1)
#define MICROPY_PY_SELECT           (1)
#define MICROPY_PY_ASYNCIO          (0)
#define MICROPY_PY_MACHINE          (0)
#define MICROPY_PY_FRAMEBUF         (0)
#define MICROPY_PY_UCTYPES          (1)
#define MICROPY_PY_TIME             (1)
#define MICROPY_PY_OS               (1)
#define MICROPY_PY_OS_STATVFS       (0)
#define MICROPY_PY_IO               (1)
#define MICROPY_PY_BUILTINS_INPUT   (0)
#define MICROPY_VFS                 (1)
#define MICROPY_VFS_POSIX           (1)
#define MICROPY_VFS_ROM             (1)
#define MICROPY_VFS_ROM_IOCTL       (1)
#define MICROPY_HW_BOARD_NAME       "QEMU xtensa, user mode"
#define MP_NEED_LOG2                (1)
#define MP_SSIZE_MAX                (0x7fffffff)
// native code is copied out of the GC heap into executable memory (memory.c), as on the ESP32
void *xt_native_code_commit(void *, size_t, void *);
#define MP_PLAT_COMMIT_EXEC(buf, len, reloc) xt_native_code_commit(buf, len, reloc)
typedef int32_t mp_int_t;
typedef uint32_t mp_uint_t;
typedef long mp_off_t;
#define UINT_FMT "%lu"
#define INT_FMT "%ld"
#define HEX_FMT "%lx"
#define MP_STATE_PORT MP_STATE_VM
