/* The pace of a walk: see _walk_pace.h. */

#include "_walk_inner.h"

#include <sys/mman.h>
#include <time.h>

enum {
    /* Calls that are counted, and of which one is timed, at a time: while they have to wait
       for the store, and while memory answers, when it would show. */
    CALLS_SLOW = 16,
    CALLS_QUICK = 256,
    WAIT_MSECS = 2,
    LONGEST_WAIT_MSECS = 32,
    /* What is answered sooner was not asked of a store. */
    SHORTEST_NSECS = 100 * 1000,
};

struct pace_page *open_pace(int handle)
{
    if (handle < 0)
        return NULL;
    void *page =
        mmap(NULL, sizeof(struct pace_page), PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    return page == MAP_FAILED ? NULL : page;
}

void close_pace(struct pace_page *page)
{
    if (page != NULL)
        munmap(page, sizeof *page);
}

static uint64_t now_nsecs(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Count one call as soon as it is allowed. */
static void wait_for_one(struct worker *worker)
{
    struct pace_page *page = worker->pace.page;
    long msecs = WAIT_MSECS;
    uint64_t calls = atomic_load(&page->calls);
    while (!stopped(worker->walk)) {
        if (calls >= atomic_load(&page->allowed_calls)) {
            long before = voluntary_switches();
            nanosleep(&(struct timespec){.tv_nsec = msecs * 1000000L}, NULL);
            /* It says nothing of the store, so it calls for no more threads. */
            worker->own_waits += voluntary_switches() - before;
            msecs = msecs < LONGEST_WAIT_MSECS ? 2 * msecs : LONGEST_WAIT_MSECS;
            calls = atomic_load(&page->calls);
        } else if (atomic_compare_exchange_weak(&page->calls, &calls, calls + 1)) {
            return;
        }
    }
}

void keep_pace(struct worker *worker)
{
    struct pace *pace = &worker->pace;
    if (atomic_load_explicit(&pace->page->allowed_calls, memory_order_relaxed) == UINT64_MAX) {
        pace->prepaid = pace->waited ? CALLS_SLOW : CALLS_QUICK;
        atomic_fetch_add_explicit(&pace->page->calls, (uint64_t)pace->prepaid,
                                  memory_order_relaxed);
    } else {
        pace->prepaid = 1;
        wait_for_one(worker);
    }
    pace->prepaid--;
    pace->timing = true;
    pace->switches = voluntary_switches();
    pace->began = now_nsecs();
}

void tell_answer(struct worker *worker)
{
    struct pace *pace = &worker->pace;
    uint64_t took = now_nsecs() - pace->began;
    /* A thread that was only made to wait for a processor did not wait by its own will. */
    pace->waited = took >= SHORTEST_NSECS && voluntary_switches() != pace->switches;
    pace->timing = false;
    if (pace->waited) {
        atomic_fetch_add_explicit(&pace->page->answers, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&pace->page->answers_nsecs, took, memory_order_relaxed);
    }
}
