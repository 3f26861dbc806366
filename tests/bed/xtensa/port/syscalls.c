// The few C library functions that MicroPython's POSIX file system needs, on Linux system calls, and the HAL.
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include "py/mpconfig.h"
#include "py/mphal.h"
#include "py/obj.h"
#include "py/stream.h"
#include "port.h"

// Linux/Xtensa system call numbers
enum { SYS_open = 8, SYS_close = 9, SYS_read = 12, SYS_write = 13, SYS_lseek = 15, SYS_poll = 16, SYS_fsync = 26,
       SYS_rename = 33, SYS_unlink = 38, SYS_mkdir = 40, SYS_chdir = 41, SYS_rmdir = 42, SYS_getcwd = 43, SYS_getdents64 = 60,
       SYS_exit = 118, SYS_clock_gettime = 245 };
int errno;
static long check(long v) {
    if (v < 0 && v > -4096) {
        errno = -v;
        return -1;
    }
    return v;
}
int open(const char *path, int flags, ...) { return check(xt_syscall(SYS_open, (long)path, flags, 0644, 0)); }
int close(int fd) { return check(xt_syscall(SYS_close, fd, 0, 0, 0)); }
int read(int fd, void *buf, size_t n) { return check(xt_syscall(SYS_read, fd, (long)buf, n, 0)); }
int write(int fd, const void *buf, size_t n) { return check(xt_syscall(SYS_write, fd, (long)buf, n, 0)); }
long lseek(int fd, long offset, int whence) { return check(xt_syscall(SYS_lseek, fd, offset, whence, 0)); }
int poll(struct pollfd *fds, unsigned n, int timeout) { return check(xt_syscall(SYS_poll, (long)fds, n, timeout, 0)); }
int fsync(int fd) { return check(xt_syscall(SYS_fsync, fd, 0, 0, 0)); }
int unlink(const char *path) { return check(xt_syscall(SYS_unlink, (long)path, 0, 0, 0)); }
int mkdir(const char *path, mode_t mode) { return check(xt_syscall(SYS_mkdir, (long)path, mode, 0, 0)); }
int rmdir(const char *path) { return check(xt_syscall(SYS_rmdir, (long)path, 0, 0, 0)); }
int rename(const char *from, const char *to) { return check(xt_syscall(SYS_rename, (long)from, (long)to, 0, 0)); }
int chdir(const char *path) { return check(xt_syscall(SYS_chdir, (long)path, 0, 0, 0)); }
char *getcwd(char *buf, size_t n) { return check(xt_syscall(SYS_getcwd, (long)buf, n, 0, 0)) < 0 ? NULL : buf; }
void exit(int code) {
    for (;;) {
        xt_syscall(SYS_exit, code, 0, 0, 0);
    }
}
void abort(void) { exit(134); }
void __assert_func(const char *file, int line, const char *func, const char *expr) { exit(135); }
void __assert_no_args(void) { exit(135); }
char *strrchr(const char *s, int c) {
    char *found = NULL;
    do {
        if (*s == (char)c) {
            found = (char *)s;
        }
    } while (*s++);
    return found;
}

// Kind and size are found by opening: the layout of the kernel's struct stat is not needed. An empty path is the
// current directory, as on the boards' own file systems: mpremote cp asks for it.
int stat(const char *path, struct stat *st) {
    memset(st, 0, sizeof(*st));
    path = *path ? path : ".";
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        st->st_mode = S_IFDIR;
    } else {
        fd = open(path, O_RDONLY);
        if (fd < 0) {
            return -1;
        }
        st->st_mode = S_IFREG;
        st->st_size = lseek(fd, 0, 2);
    }
    close(fd);
    return 0;
}

// One directory at a time may be open; MicroPython's ilistdir uses no more.
struct DIR {
    int fd;
    long length, at;
    struct dirent entry;
    uint8_t buf[2048] __attribute__((aligned(8)));
};
struct dirent64 { uint64_t ino; int64_t off; uint16_t reclen; uint8_t type; char name[]; };
static DIR the_dir;
DIR *opendir(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return NULL;
    }
    the_dir.fd = fd;
    the_dir.length = the_dir.at = 0;
    return &the_dir;
}
struct dirent *readdir(DIR *d) {
    if (d->at >= d->length) {
        d->at = 0;
        d->length = xt_syscall(SYS_getdents64, d->fd, (long)d->buf, sizeof(d->buf), 0);
        if (d->length <= 0) {
            return NULL;
        }
    }
    struct dirent64 *k = (struct dirent64 *)(d->buf + d->at);
    d->at += k->reclen;
    d->entry.d_ino = k->ino;
    d->entry.d_type = k->type;
    strncpy(d->entry.d_name, k->name, sizeof(d->entry.d_name) - 1);
    return &d->entry;
}
int closedir(DIR *d) { return close(d->fd); }

static void clock_read(int clock, uint32_t ts[2]) { xt_syscall(SYS_clock_gettime, clock, (long)ts, 0, 0); }
uint64_t mp_hal_time_ns(void) {
    uint32_t ts[2];
    clock_read(0, ts);
    return ts[0] * 1000000000ULL + ts[1];
}
mp_uint_t mp_hal_ticks_us(void) {
    uint32_t ts[2];
    clock_read(1, ts);
    return ts[0] * 1000000u + ts[1] / 1000;
}
mp_uint_t mp_hal_ticks_ms(void) {
    uint32_t ts[2];
    clock_read(1, ts);
    return ts[0] * 1000u + ts[1] / 1000000;
}
mp_uint_t mp_hal_ticks_cpu(void) { return mp_hal_ticks_us(); }
void mp_hal_delay_us(mp_uint_t us) {
    mp_uint_t start = mp_hal_ticks_us();
    while (mp_hal_ticks_us() - start < us) {
    }
}
void mp_hal_delay_ms(mp_uint_t ms) { mp_hal_delay_us(ms * 1000); }
int mp_hal_stdin_rx_chr(void) {
    unsigned char c;
    if (read(0, &c, 1) != 1) {
        exit(0);
    }
    return c;
}
mp_uint_t mp_hal_stdout_tx_strn(const char *s, size_t n) {
    write(1, s, n);
    return n;
}
