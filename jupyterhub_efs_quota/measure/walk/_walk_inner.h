/* What the parts in C share: the pieces that a walk is made of. */

#ifndef WALK_INNER_H
#define WALK_INNER_H

#include "_walk.h"
#include "_walk_pace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_BYTES = 4 * 1024 };

#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

/*
 * A directory lives from when its name is found until all below it is counted. First it
 * waits on the stack, not yet opened; a thread takes it, opens it and reads it; then it
 * stays as the way to those below it, its handle open or closed. Done with, it may wait for
 * files with several names, of which one may turn up elsewhere (`unsettled`).
 */
struct directory {
    struct directory *parent;        /* NULL: the home */
    struct directory *next;          /* on a stack, or in the list that a thread has found */
    struct directory *older, *newer; /* among those whose handles are kept */
    struct directory *way_back;      /* one right below that is open: its `..` is this one */
    uint64_t device, inode;
    int handle;     /* -1: not opened yet, or closed for now */
    int users;      /* threads that need the handle now: it is not closed under them */
    size_t holders; /* sub-directories, batches, and its own reading: freed at 0 */
    int lost;       /* why it could not be opened again (an errno); 0: not tried in vain */
    bool entered;   /* counted, and at least begun to be read */
    bool half_read; /* its handle knows where to read on, so it is not closed */
    bool junk_root; /* junk begins here */
    bool handed_out;
    int8_t kind;    /* of junk that it is or lies in */
    uint32_t depth, length; /* names in its path from the home, and bytes with a NUL for each */
    /* What can still be added to the row: its own reading, each sub-directory, each file
       with several names that lies here so far. Settled and freed at 0. */
    atomic_size_t unsettled;
    struct row row;
    char name[];    /* the home: empty */
};

/* Names in one directory that are to be examined. */
struct batch {
    struct batch *next;
    struct directory *where;
    size_t bytes; /* of the names, each with its NUL */
    char names[];
};

/* A thread, and what it alone touches. */
struct worker {
    struct walk *walk;
    pthread_t thread;
    char *block;
    int handle;           /* of the directory that is being read */
    struct counts counts; /* not yet added to the walk's */
    struct row own;       /* not yet added to that directory's */
    struct columns columns;
    /* Sub-directories and names found, not yet handed over. */
    struct directory *found;
    size_t found_count;
    size_t staged_bytes, staged_count;
    char staged[BATCH_BYTES];
    size_t handed_over; /* pieces of work, in this turn */
    bool crowded;       /* too many handles are kept to set a directory aside */
    /* Since the number of threads was last thought about. */
    long calls, switches;
    long own_waits; /* switches that our own locks and the pace caused */
    struct pace pace;
};

/* A file with several names. Where it counts is settled when all of them may have been met. */
struct link {
    uint64_t inode, bytes;
    uint64_t blocks : 48, device : 16; /* the number of the device */
    int64_t modified : 48;
    uint64_t type : 8, modified_band : 4, accessed_band : 4;
    struct directory *where; /* the lowest directory that holds those met so far */
};

/* A hash table of these, by device and inode. */
struct linked {
    struct link **chunks;
    uint32_t *places; /* number of a link, and one; 0: free */
    uint64_t *devices;
    size_t size, used, devices_count;
};

/* What all threads share. */
struct walk {
    const struct task *task;
    uint64_t device; /* the home's */
    unsigned wanted; /* of an entry */
    double deadline;
    struct pace_page *pace; /* NULL: nobody sets one */
    atomic_int ending;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work, over;
    struct found *found;
    /* The stacks of what waits: batches go first, directories that were set aside last. */
    struct batch *batches;
    struct directory *directories, *set_aside;
    struct directory *oldest, *newest; /* of those whose handles are kept */
    int open;                          /* how many those are */
    /* Threads: possible, wanted now, started, at work, waiting for work. */
    int possible, limit, started, active, idle;
    struct worker *workers;

    struct directory *home;
    bool only_free; /* nothing is settled any more */
    pthread_mutex_t linked_lock; /* taken before `lock`, where both are */
    struct linked linked;
    pthread_mutex_t largest_lock;
};

static inline long voluntary_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

/* How often this thread has waited for the store. */
static inline long blocked(const struct worker *worker)
{
    return voluntary_switches() - worker->own_waits;
}

static inline void lock(struct worker *worker, pthread_mutex_t *mutex)
{
    if (pthread_mutex_trylock(mutex) != 0) {
        long before = voluntary_switches();
        pthread_mutex_lock(mutex);
        worker->own_waits += voluntary_switches() - before;
    }
}

/* Around each call to the store. */
static inline void before_call(struct worker *worker)
{
    worker->calls++;
    if (worker->pace.page != NULL && --worker->pace.prepaid < 0)
        keep_pace(worker);
}

static inline void after_call(struct worker *worker)
{
    if (worker->pace.timing)
        tell_answer(worker);
}

static inline void unlock(pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
}

static inline bool stopped(struct walk *walk)
{
    return atomic_load_explicit(&walk->ending, memory_order_relaxed) != GOING_ON;
}

static inline bool out_of_handles(int error)
{
    return error == EMFILE || error == ENFILE;
}

static inline uint64_t device_of(const struct statx *found)
{
    return (uint64_t)found->stx_dev_major << 32 | found->stx_dev_minor;
}

/* ---- _walk.c ---------------------------------------------------------------------- */

/* End the walk. The first reason counts. With the walk's lock held, but for lack of memory. */
void end_walk(struct walk *walk, enum ending why);

/* A sum that stays at the largest number: three sparse files can be more than 64 bits hold,
   and must not come out as next to nothing. */
static inline uint64_t sum_of(uint64_t one, uint64_t other)
{
    return one + other < one ? UINT64_MAX : one + other;
}

/* ---- _walk_linked.c --------------------------------------------------------------- */

/* The file's place among those with several names, an empty one if it is met for the first
   time. NULL if memory ran out. */
struct link *meet(struct linked *linked, uint64_t device, uint64_t inode, bool *first);
struct link *link_at(const struct linked *linked, size_t number);
uint64_t device_of_link(const struct linked *linked, const struct link *link);
void clear_linked(struct linked *linked);

/* ---- _walk_best.c ----------------------------------------------------------------- */

/* Keep a copy of an item if it is among the best so far. False if memory ran out. */
bool offer(struct best *best, const struct item *item);
/* Put the best in order and drop all others. */
void prune(struct best *best);
void clear_best(struct best *best);

static inline bool wants(struct best *best, uint64_t weight)
{
    return best->most > 0 && weight >= atomic_load_explicit(&best->lightest, memory_order_relaxed);
}

/* ---- _walk_tally.c ---------------------------------------------------------------- */

/* Set up what a walk begins with. */
void begin_tally(struct walk *walk);
/* A directory is found: what its name and place say about it. */
void place_directory(struct walk *walk, struct directory *here);
/* Count an entry that is no directory; one with several names only when it is first met. */
void tally(struct worker *worker, struct directory *where, const char *name,
           const struct statx *found);
/* Add what a thread has found in a directory to it. With the lock held. */
void add_own(struct worker *worker, struct directory *where);
/* One thing less can be added to a directory. At the last it is added to the one above, and
   so on, and freed. With the lock held. */
void settle(struct walk *walk, struct directory *here);
/* The path of a directory whose turn it is, into room for LONGEST_PATH; how long it is, 0 if
   there is none to be told. With the lock held. */
size_t next_path(const struct walk *walk, char *path);
/* A thread ends: its sums are the walk's. With the lock held. */
void add_columns(struct worker *worker);
/* All is counted, and no thread runs any more. 0, or an errno. */
int finish_tally(struct walk *walk);

/* ---- _walk_handles.c -------------------------------------------------------------- */

/* How many handles are kept at most, now. With the lock held. */
int most_kept(const struct walk *walk);
/* Keep a handle for those who come after. With the lock held. */
void keep(struct walk *walk, struct directory *here, int handle);

/* Open a directory. -1 and errno if that fails; where handles ran out, only when there was
   none of ours left to close. */
int open_below(struct worker *worker, int start, const char *name);

/* The handle of a directory that this thread uses, opened again if it was closed. -1 and
   errno if it was moved away. */
int reach(struct worker *worker, struct directory *here);

/* One thing less needs this directory. The last one frees it, and so on upwards. With the
   lock held, which is let go in between. */
void let_go(struct worker *worker, struct directory *here);

#endif
