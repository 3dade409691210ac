/*
 * A store for one process, by LD_PRELOAD, that is slow or changes at the worst moment.
 *
 * SLOW_USECS: how long it takes to look at a file. SLOW_FILE: a file of 4 bytes, a number,
 * which says so and may change meanwhile.
 * SWAP_ON, SWAP_TO: just before a directory of the name SWAP_ON is opened it is moved to
 * SWAP_TO and a link to SWAP_TO left in its place. With SWAP_ON=.. it is the directory
 * that is being left that is moved, so that its `..` is SWAP_TO. The first few times.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SWAPS = 5 };

static void wait(void)
{
    static const volatile unsigned *now;
    const char *usecs = getenv("SLOW_USECS"), *file = getenv("SLOW_FILE");
    if (usecs)
        usleep((useconds_t)atoi(usecs));
    if (file && now == NULL) {
        int handle = open(file, O_RDONLY | O_CLOEXEC);
        void *mapped = mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, handle, 0);
        if (mapped == MAP_FAILED)
            abort();
        close(handle);
        now = mapped;
    }
    if (now && *now)
        usleep(*now);
}

static void swap(int start, const char *name)
{
    static int swaps;
    const char *on = getenv("SWAP_ON"), *to = getenv("SWAP_TO");
    char handle[64], here[4096], path[8192], moved[4096];
    if (on == NULL || strcmp(name, on) != 0 || swaps == SWAPS)
        return;
    snprintf(handle, sizeof handle, "/proc/self/fd/%d", start);
    ssize_t length = readlink(handle, here, sizeof here - 1);
    if (length < 0)
        return;
    here[length] = '\0';
    int leaving = strcmp(name, "..") == 0;
    snprintf(path, sizeof path, leaving ? "%s" : "%s/%s", here, name);
    snprintf(moved, sizeof moved, "%s/moved%d", to, swaps++);
    if (rename(path, moved) == 0 && !leaving && symlink(to, path) != 0)
        abort();
}

int openat(int start, const char *name, int flags, ...)
{
    static int (*real)(int, const char *, int, ...);
    va_list more;
    va_start(more, flags);
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0;
    va_end(more);
    if (real == NULL)
        real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat");
    swap(start, name);
    return real(start, name, flags, mode);
}

int openat64(int start, const char *name, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0;
    va_end(more);
    return openat(start, name, flags, mode);
}

int statx(int start, const char *restrict name, int flags, unsigned int mask,
          struct statx *restrict found)
{
    int (*real)(int, const char *, int, unsigned int, struct statx *) = dlsym(RTLD_NEXT, "statx");
    wait();
    return real(start, name, flags, mask, found);
}

int fstatat64(int start, const char *restrict name, struct stat64 *restrict found, int flags)
{
    int (*real)(int, const char *, struct stat64 *, int) = dlsym(RTLD_NEXT, "fstatat64");
    wait();
    return real(start, name, found, flags);
}

int fstatat(int start, const char *restrict name, struct stat *restrict found, int flags)
{
    return fstatat64(start, name, (struct stat64 *)found, flags);
}
