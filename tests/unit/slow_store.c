/* Makes a store slow for one process: LD_PRELOAD with SLOW_USECS set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void wait(void)
{
    const char *usecs = getenv("SLOW_USECS");
    if (usecs)
        usleep((useconds_t)atoi(usecs));
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
