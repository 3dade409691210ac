/*
 * The pace of a walk, for _walk.c and _walk_handles.c: call before_call and after_call around
 * each call to the store.
 *
 * The service shares a page of memory with each of its workers: pace.py says what stands in
 * it. The walk counts its calls there, tells how long the store takes to answer, and waits
 * where it is allowed no more.
 */

#ifndef WALK_PACE_H
#define WALK_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The page: the same as in pace.py. */
struct pace_page {
    _Atomic uint64_t calls;         /* made, or about to be */
    _Atomic uint64_t answers;       /* of the store, among those that were timed */
    _Atomic uint64_t answers_nsecs; /* that these took together */
    _Atomic uint64_t allowed_calls; /* by the service: at most so many. UINT64_MAX: any number */
};

/* What a thread knows of it. */
struct pace {
    struct pace_page *page; /* NULL: nobody sets a pace */
    int prepaid;            /* calls that are counted already */
    bool timing, waited;    /* this call; the last one that was timed had to wait */
    uint64_t began;
    long switches;
};

/* The page behind a handle, or NULL if there is none. */
struct pace_page *open_pace(int handle);
void close_pace(struct pace_page *page);

struct worker;

/* Count some calls, wait until they are allowed, and begin to time the next one. */
void keep_pace(struct worker *worker);

/* Tell how long a call took, if the store was asked at all. Leaves errno alone. */
void tell_answer(struct worker *worker);

#endif
