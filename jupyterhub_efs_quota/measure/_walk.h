/*
 * The compiled walk, in six parts:
 *
 *   _walk.c          the threads, and what they count
 *   _walk_handles.c  directories and their handles
 *   _walk_linked.c   files with several names, to be counted once
 *   _walk_pattern.c  patterns of directories that are not entered
 *   _walk_pace.c     what it may ask of the store, and how the store answers
 *   _walk_module.c   what Python sees
 */

#ifndef WALK_H
#define WALK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- _walk.c ---------------------------------------------------------------------- */

enum { NAMES_KEPT = 5 };

/* What is asked: the same as in task.py. */
struct task {
    int home;      /* a handle, which stays the caller's */
    int most_open; /* handles that are kept at a time */
    int threads;
    double deadline_secs;
    bool cross_mounts;
    const char **skip; /* patterns, up to a NULL */
    bool has_ceiling, ceiling_allocated;
    int64_t ceiling_bytes, ceiling_files;
    bool (*interrupted)(void *); /* asked ten times a second, in the caller's thread */
    void *interrupted_with;
    int pace; /* a handle on the page that sets the pace, or -1 */
};

enum ending { GOING_ON, ENDED, TIMED_OUT, PROVEN_OVER, INTERRUPTED, OUT_OF_MEMORY };

/* What is found: the same as in usage.py. */
struct counts {
    uint64_t bytes, allocated, files, dirs, unreadable, vanished, lost_dirs;
};

struct found {
    struct counts counts;
    double changed; /* when an entry of the home itself was last made or removed */
    enum ending ending;
    int threads; /* that were started */
    int names_count;
    struct {
        char *name; /* to be freed; empty for the home itself */
        int error;
    } names[NAMES_KEPT];
};

/* Count a home. 0, or an errno. */
int walk_home(const struct task *task, struct found *found);

/* ---- _walk_linked.c --------------------------------------------------------------- */

/* A hash table of device and inode: 16 bytes a place, at most three quarters full. */
struct linked {
    struct identity *places;
    size_t size, used;
};

enum met { MET_BEFORE, FIRST_MET, NO_MEMORY };

/* Whether a file with several names is met for the first time; it is remembered. */
enum met meet(struct linked *linked, uint64_t device, uint64_t inode);

/* ---- _walk_pattern.c -------------------------------------------------------------- */

/* Whether a name matches a pattern of * ? [abc] [a-z] [!a], as Python's fnmatch on bytes. */
bool matches(const char *pattern, const char *name);

#endif
