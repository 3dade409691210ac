/*
 * The compiled walk: counts a home in several threads.
 *
 * engine.py calls it through _walk_module.c; twin.py does the same in Python, to the last
 * count, and is the easier one to read first.
 *
 * Two kinds of work wait on stacks: directories to read, and batches of names to examine.
 * A thread that reads a directory examines its entries itself, block by block: on NFS
 * the attributes that came with the block are still there then. Only where those
 * examinations turn out to block does it share the rest out in batches.
 *
 * Threads cost more than they bring unless they block: there are two at first, and more
 * only while the kernel says that they had to wait (voluntary context switches).
 *
 * No link is followed and no path is built: every directory is opened relative to its
 * parent's handle. Which handles are kept is the business of _walk_handles.c.
 *
 * `walk.lock` guards whatever threads share; what a thread has counted it adds up there
 * from time to time.
 */

#include "_walk_inner.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

enum {
    BLOCK_BYTES = 64 * 1024, /* of a directory's entries, read by one call */
    BATCH_NAMES = 16,
    /* A directory with more work in it than this is set aside until that is done, so that
       memory is bounded however wide it is. */
    MOST_FOUND = 4096,
    FEWEST_THREADS = 2,
    HANDLES_WAIT_MSECS = 50,
    LOOK_MSECS = 100,
    STACK_BYTES = 256 * 1024,
};

#define WANTED (STATX_TYPE | STATX_NLINK | STATX_INO | STATX_SIZE | STATX_BLOCKS)

/* What getdents64 writes. */
struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

void end_walk(struct walk *walk, enum ending why)
{
    int going_on = GOING_ON;
    atomic_compare_exchange_strong(&walk->ending, &going_on, why);
    pthread_cond_broadcast(&walk->work);
    pthread_cond_broadcast(&walk->over);
}

/* ---- counting --------------------------------------------------------------------- */

/* Whether an error says that there is nothing of that name any more. */
static bool is_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* Keep the first few by name, so that they do not depend on who comes first. With the lock
   held. */
static void keep_name(struct walk *walk, const char *name, int error)
{
    struct unreadable *names = walk->found->names, kept = {strdup(name), error};
    for (int i = 0; i < NAMES_KEPT && kept.name != NULL; i++)
        if (names[i].name == NULL || strcmp(kept.name, names[i].name) < 0) {
            struct unreadable later = names[i];
            names[i] = kept;
            kept = later;
        }
    free(kept.name);
}

static void skipped(struct worker *worker, const char *name, int error)
{
    struct walk *walk = worker->walk;
    worker->counts.unreadable++;
    if (is_gone(error)) {
        worker->counts.vanished++;
    } else {
        lock(worker, &walk->lock);
        keep_name(walk, name, error);
        unlock(&walk->lock);
    }
}

/* Remember a sub-directory that is to be entered. */
static void note_directory(struct worker *worker, struct directory *where, const char *name)
{
    for (const char **pattern = worker->walk->task->skip; *pattern != NULL; pattern++)
        if (matches(*pattern, name))
            return;
    size_t length = strlen(name) + 1;
    struct directory *found = calloc(1, sizeof *found + length);
    if (found == NULL) {
        end_walk(worker->walk, OUT_OF_MEMORY);
        return;
    }
    memcpy(found->name, name, length);
    found->parent = where;
    found->handle = -1;
    found->holders = 1;
    found->unsettled = 1;
    place_directory(worker->walk, found);
    found->next = worker->found;
    worker->found = found;
    worker->found_count++;
}

/* statx, counted among the calls to the store. */
static int look_at(struct worker *worker, int handle, const char *name, int flags,
                   unsigned wanted, struct statx *found)
{
    before_call(worker);
    int failed = statx(handle, name, flags, wanted, found);
    after_call(worker);
    return failed;
}

static void examine(struct worker *worker, struct directory *where, int handle, const char *name)
{
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    struct statx found;
    if (look_at(worker, handle, name, flags, worker->walk->wanted, &found) != 0)
        skipped(worker, name, errno);
    else if (S_ISDIR(found.stx_mode))
        note_directory(worker, where, name);
    else
        tally(worker, where, name, &found);
}

/* Add up what a thread has counted. With the lock held. */
static void add_up(struct worker *worker)
{
    const struct task *task = worker->walk->task;
    struct counts *sum = &worker->walk->found->counts, *part = &worker->counts;
    sum->bytes = sum_of(sum->bytes, part->bytes);
    sum->allocated += part->allocated;
    sum->files += part->files;
    sum->dirs += part->dirs;
    sum->unreadable += part->unreadable;
    sum->vanished += part->vanished;
    sum->lost_dirs += part->lost_dirs;
    *part = (struct counts){0};
    uint64_t size = task->allocated ? sum->allocated : sum->bytes;
    bool over = task->ceiling_bytes < 0 || size > (uint64_t)task->ceiling_bytes;
    bool too_many = task->ceiling_files < 0 ||
                    (task->ceiling_files > 0 && sum->files > (uint64_t)task->ceiling_files);
    if (task->has_ceiling && (over || too_many))
        end_walk(worker->walk, PROVEN_OVER);
}

/* ---- work ------------------------------------------------------------------------- */

static bool work_waits(const struct walk *walk)
{
    return walk->batches != NULL || walk->directories != NULL || walk->set_aside != NULL;
}

static void *work(void *argument);

/* Start a thread. With the lock held. */
static bool start_thread(struct walk *walk)
{
    struct worker *worker = &walk->workers[walk->started];
    pthread_attr_t attributes;
    worker->walk = walk;
    worker->pace.page = walk->pace;
    worker->block = malloc(BLOCK_BYTES);
    worker->own.newest = worker->columns.newest = NO_TIME;
    worker->columns.oldest = INT64_MAX;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    bool started = worker->block != NULL &&
                   pthread_create(&worker->thread, &attributes, work, worker) == 0;
    pthread_attr_destroy(&attributes);
    if (started)
        walk->started++;
    else
        free(worker->block);
    return started;
}

/* Have somebody do the work that waits: one who is idle, or a new thread. With the lock held. */
static void call_one(struct walk *walk)
{
    if (!work_waits(walk) || walk->active >= walk->limit || stopped(walk))
        return;
    if (walk->idle > 0)
        pthread_cond_signal(&walk->work);
    else if (walk->started < walk->limit && !start_thread(walk))
        walk->possible = walk->limit = walk->started; /* the system allows no more */
}

/* Hand what was found in `where` to whoever has time, and add up what was counted. */
static void hand_over(struct worker *worker, struct directory *where)
{
    struct walk *walk = worker->walk;
    struct batch *batch = NULL;
    if (worker->staged_bytes > 0) {
        batch = malloc(sizeof *batch + worker->staged_bytes);
        if (batch == NULL) {
            end_walk(walk, OUT_OF_MEMORY);
        } else {
            batch->where = where;
            batch->bytes = worker->staged_bytes;
            memcpy(batch->names, worker->staged, worker->staged_bytes);
        }
        worker->staged_bytes = worker->staged_count = 0;
    }
    lock(worker, &walk->lock);
    if (where->handle < 0)
        keep(walk, where, worker->handle);
    if (batch != NULL) {
        batch->next = walk->batches;
        walk->batches = batch;
        where->holders++;
        worker->handed_over++;
    }
    where->holders += worker->found_count;
    atomic_fetch_add(&where->unsettled, worker->found_count);
    worker->handed_over += worker->found_count;
    while (worker->found != NULL) {
        struct directory *found = worker->found;
        worker->found = found->next;
        found->next = walk->directories;
        walk->directories = found;
    }
    worker->found_count = 0;
    add_up(worker);
    add_own(worker, where);
    worker->crowded = walk->open > most_kept(walk) / 2;
    call_one(walk);
    unlock(&walk->lock);
}

/* Put a name aside for another thread. */
static void stage(struct worker *worker, struct directory *where, const char *name)
{
    size_t length = strlen(name) + 1;
    if (worker->staged_count == BATCH_NAMES || worker->staged_bytes + length > BATCH_BYTES)
        hand_over(worker, where);
    memcpy(worker->staged + worker->staged_bytes, name, length);
    worker->staged_bytes += length;
    worker->staged_count++;
}

/* Examine the entries of one block, and stage the rest once it turns out that examining
   blocks (every fourth time): `*sharing`, which holds for the rest of the directory. */
static void examine_block(struct worker *worker, struct directory *here, size_t bytes,
                          bool *sharing)
{
    long before = *sharing ? 0 : blocked(worker);
    long examined = 0, next_look = 4;
    for (size_t at = 0; at < bytes && !stopped(worker->walk);) {
        const struct entry *entry = (const struct entry *)(const void *)(worker->block + at);
        const char *name = entry->name;
        at += entry->length;
        if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
            continue;
        if (entry->type == DT_DIR) {
            note_directory(worker, here, name);
        } else if (*sharing && !worker->crowded && strlen(name) < BATCH_BYTES) {
            stage(worker, here, name);
        } else {
            examine(worker, here, worker->handle, name);
            if (!*sharing && ++examined == next_look && worker->walk->task->threads > 1) {
                long now = blocked(worker);
                *sharing = 4 * (now - before) >= examined;
                if (next_look < 1024) {
                    next_look *= 4;
                } else { /* a store that was quick may become slow */
                    before = now;
                    examined = 0;
                    next_look = 256;
                }
            }
        }
    }
}

/* Read a directory whose handle is the worker's; whether to the end. */
static bool read_entries(struct worker *worker, struct directory *here)
{
    bool sharing = false;
    worker->handed_over = 0;
    while (!stopped(worker->walk)) {
        before_call(worker);
        long got = syscall(SYS_getdents64, worker->handle, worker->block, BLOCK_BYTES);
        after_call(worker);
        if (got <= 0) {
            /* ENOENT: removed while we read it. That is an end like any other. */
            if (got < 0 && errno != ENOENT)
                skipped(worker, here->name, errno);
            break;
        }
        examine_block(worker, here, (size_t)got, &sharing);
        if (worker->found_count || worker->staged_count || got > BLOCK_BYTES / 2)
            hand_over(worker, here);
        if (worker->handed_over >= MOST_FOUND && !worker->crowded)
            return false;
    }
    return true;
}

/* Open a directory below its parent, and count it. 1: it is to be read; 0: it is not;
   -1: there were no handles left, to be tried again. */
static int enter(struct worker *worker, struct directory *here)
{
    struct walk *walk = worker->walk;
    struct statx found;
    int parent = reach(worker, here->parent);
    int handle = parent < 0 ? -1 : open_below(worker, parent, here->name);
    if (handle < 0 && out_of_handles(errno))
        return -1;
    if (handle < 0 || look_at(worker, handle, "", AT_EMPTY_PATH, WANTED, &found) != 0) {
        worker->counts.lost_dirs += is_gone(errno);
        skipped(worker, here->name, errno);
        if (handle >= 0)
            close(handle);
        return 0;
    }
    here->device = device_of(&found);
    here->inode = found.stx_ino;
    if (here->device != walk->device && !walk->task->cross_mounts) {
        close(handle);
        return 0;
    }
    worker->counts.dirs++;
    worker->counts.allocated += found.stx_blocks * 512;
    worker->own.dirs++;
    worker->own.sums.allocated += found.stx_blocks * 512;
    worker->handle = handle;
    here->entered = true;
    return 1;
}

/* Enter a directory if need be, read it, and say what became of it. With the lock held,
   which is let go in between. False: there were no handles left. */
static bool work_on_directory(struct worker *worker, struct directory *here)
{
    struct walk *walk = worker->walk;
    struct directory *parent = here->entered ? NULL : here->parent;
    bool to_the_end = true;
    int entered = 1;
    here->users++;
    here->half_read = false;
    worker->handle = here->handle;
    if (parent != NULL)
        parent->users++;
    unlock(&walk->lock);
    if (parent != NULL)
        entered = enter(worker, here);
    if (entered == 1)
        to_the_end = read_entries(worker, here);
    if (worker->found_count || worker->staged_count) /* not all handed over: we were stopped */
        hand_over(worker, here);
    /* Nobody else knows of a handle that is not kept. */
    if (entered == 1 && here->handle < 0)
        close(worker->handle);
    lock(worker, &walk->lock);
    here->users--;
    if (parent != NULL)
        parent->users--;
    add_up(worker);
    add_own(worker, here);
    if (entered < 0) {
        here->next = walk->directories;
        walk->directories = here;
        return false;
    }
    if (to_the_end) {
        let_go(worker, here);
    } else {
        here->half_read = true;
        here->next = walk->set_aside;
        walk->set_aside = here;
    }
    return true;
}

/* Examine a batch of names. With the lock held, which is let go in between. False: there
   were no handles left. */
static bool work_on_batch(struct worker *worker, struct batch *batch)
{
    struct walk *walk = worker->walk;
    struct directory *where = batch->where;
    where->users++;
    unlock(&walk->lock);
    int handle = reach(worker, where);
    int error = errno;
    bool again = handle < 0 && out_of_handles(error);
    worker->counts.lost_dirs += handle < 0 && is_gone(error);
    for (size_t at = 0; at < batch->bytes && !again && !stopped(walk);) {
        const char *name = batch->names + at;
        at += strlen(name) + 1;
        if (handle < 0)
            skipped(worker, name, error);
        else
            examine(worker, where, handle, name);
    }
    if (worker->found_count)
        hand_over(worker, where);
    lock(worker, &walk->lock);
    where->users--;
    add_up(worker);
    add_own(worker, where);
    if (again) {
        batch->next = walk->batches;
        walk->batches = batch;
        return false;
    }
    free(batch);
    let_go(worker, where);
    return true;
}

/* ---- threads ---------------------------------------------------------------------- */

/* As many threads as there is waiting to be done. With the lock held. */
static void adapt(struct worker *worker)
{
    struct walk *walk = worker->walk;
    if (worker->calls >= 8) {
        bool waits = 5 * worker->switches >= worker->calls;
        bool runs = 20 * worker->switches < worker->calls;
        if (waits && work_waits(walk))
            walk->limit += (walk->limit + 1) / 2;
        else if (runs && walk->limit > FEWEST_THREADS)
            walk->limit--;
        else if (walk->limit < FEWEST_THREADS) /* there were no handles for more */
            walk->limit++;
        if (walk->limit > walk->possible)
            walk->limit = walk->possible;
        worker->calls = worker->switches = 0;
    }
}

/* No handles are left: let go of ours, be fewer, and wait for others to close theirs. */
static void wait_for_handles(struct worker *worker)
{
    struct walk *walk = worker->walk;
    walk->limit = walk->limit > 1 ? walk->limit / 2 : 1;
    unlock(&walk->lock);
    nanosleep(&(struct timespec){.tv_nsec = HANDLES_WAIT_MSECS * 1000000L}, NULL);
    lock(worker, &walk->lock);
}

/* Take one piece of work and do it. With the lock held, which is let go in between. */
static void work_once(struct worker *worker)
{
    struct walk *walk = worker->walk;
    long before = blocked(worker);
    bool done;
    walk->active++;
    if (walk->batches != NULL) {
        struct batch *batch = walk->batches;
        walk->batches = batch->next;
        call_one(walk);
        done = work_on_batch(worker, batch);
    } else {
        struct directory **stack = walk->directories ? &walk->directories : &walk->set_aside;
        struct directory *here = *stack;
        *stack = here->next;
        call_one(walk);
        done = work_on_directory(worker, here);
    }
    walk->active--;
    if (done) {
        worker->switches += blocked(worker) - before;
        adapt(worker);
        call_one(walk);
    } else {
        wait_for_handles(worker);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct walk *walk = worker->walk;
    /* Whoever serves people goes first: nice 19, and the disk only when idle (class 3). */
    setpriority(PRIO_PROCESS, 0, 19);
#ifdef SYS_ioprio_set
    syscall(SYS_ioprio_set, 1, 0, 3 << 13);
#endif
    lock(worker, &walk->lock);
    while (!stopped(walk)) {
        if (walk->active < walk->limit && work_waits(walk)) {
            work_once(worker);
        } else {
            walk->idle++;
            pthread_cond_wait(&walk->work, &walk->lock);
            walk->idle--;
        }
    }
    add_columns(worker);
    unlock(&walk->lock);
    return NULL;
}

/* ---- the walk as a whole ---------------------------------------------------------- */

static double now_secs(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double seconds_of(struct statx_timestamp time)
{
    return (double)time.tv_sec + 1e-9 * time.tv_nsec;
}

/* Count the home itself and put it on the stack. 0, or an errno. */
static int begin(struct walk *walk)
{
    struct statx entry;
    if (statx(walk->task->home, "", AT_EMPTY_PATH, WANTED | STATX_MTIME, &entry) != 0)
        return errno;
    struct directory *home = calloc(1, sizeof *home + 1);
    if (home == NULL)
        return ENOMEM;
    walk->device = home->device = device_of(&entry);
    home->inode = entry.stx_ino;
    home->handle = -1;
    home->entered = true;
    home->holders = 1;
    walk->directories = walk->home = home;
    begin_tally(walk);
    home->row.sums.allocated = entry.stx_blocks * 512;
    keep(walk, home, walk->task->home);
    walk->found->changed = seconds_of(entry.stx_mtime);
    walk->found->counts.dirs = 1;
    walk->found->counts.allocated = entry.stx_blocks * 512;
    return 0;
}

/* Start the first thread, and look after the deadline until the walk is over. 0, or an
   errno. */
static int look_after(struct walk *walk)
{
    const struct task *task = walk->task;
    char where[LONGEST_PATH];
    sigset_t all, before;
    sigfillset(&all);
    /* Signals are for the caller's threads; new ones inherit this. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&walk->lock);
    bool started = start_thread(walk);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    while (started && !stopped(walk)) {
        double now = now_secs(), until = now + LOOK_MSECS / 1e3;
        if (now > walk->deadline) {
            end_walk(walk, TIMED_OUT);
            break;
        }
        until = until < walk->deadline ? until : walk->deadline + 1e-6;
        struct timespec wake = {.tv_sec = (time_t)until};
        wake.tv_nsec = (long)(1e9 * (until - (double)wake.tv_sec));
        pthread_cond_timedwait(&walk->over, &walk->lock, &wake);
        const struct counts *counts = &walk->found->counts;
        struct so_far so_far = {counts->files, counts->bytes, counts->dirs, where, 0};
        so_far.length = next_path(walk, where);
        pthread_mutex_unlock(&walk->lock);
        bool interrupted = task->look(task->look_with, &so_far);
        pthread_mutex_lock(&walk->lock);
        if (interrupted)
            end_walk(walk, INTERRUPTED);
    }
    /* Once more, for one that went to sleep when memory ran out, which is said unlocked. */
    pthread_cond_broadcast(&walk->work);
    pthread_mutex_unlock(&walk->lock);
    for (int i = 0; i < walk->started; i++)
        pthread_join(walk->workers[i].thread, NULL);
    return started ? 0 : EAGAIN;
}

/* Free what is left of a walk that was stopped. No thread runs any more. */
static void clear(struct walk *walk)
{
    struct worker nobody = {.walk = walk};
    pthread_mutex_lock(&walk->lock);
    while (work_waits(walk)) {
        struct directory **stack = walk->directories ? &walk->directories : &walk->set_aside;
        struct batch *batch = walk->batches;
        struct directory *here = batch ? batch->where : *stack;
        if (batch != NULL)
            walk->batches = batch->next;
        else
            *stack = here->next;
        free(batch);
        let_go(&nobody, here);
    }
    pthread_mutex_unlock(&walk->lock);
    for (int i = 0; i < walk->started; i++)
        free(walk->workers[i].block);
}

int walk_home(const struct task *task, struct found *found)
{
    struct walk walk = {.task = task, .found = found, .possible = task->threads};
    walk.wanted = WANTED | (task->rules != NULL || task->part ? STATX_ATIME | STATX_MTIME : 0);
    walk.deadline = now_secs() + task->deadline_secs;
    walk.limit = task->threads < FEWEST_THREADS ? task->threads : FEWEST_THREADS;
    walk.workers = calloc((size_t)task->threads, sizeof *walk.workers);
    if (walk.workers == NULL)
        return ENOMEM;
    walk.pace = open_pace(task->pace);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&walk.lock, NULL);
    pthread_mutex_init(&walk.linked_lock, NULL);
    pthread_mutex_init(&walk.largest_lock, NULL);
    pthread_cond_init(&walk.work, NULL);
    pthread_cond_init(&walk.over, &monotonic);

    int error = begin(&walk);
    if (error == 0)
        error = look_after(&walk);
    found->ending = (enum ending)atomic_load(&walk.ending);
    found->threads = walk.started;
    while (found->names_count < NAMES_KEPT && found->names[found->names_count].name != NULL)
        found->names_count++;
    clear(&walk);
    if (walk.home != NULL) {
        int lacking = finish_tally(&walk);
        error = error ? error : lacking;
    }
    clear_linked(&walk.linked);

    pthread_cond_destroy(&walk.over);
    pthread_cond_destroy(&walk.work);
    pthread_mutex_destroy(&walk.linked_lock);
    pthread_mutex_destroy(&walk.largest_lock);
    pthread_mutex_destroy(&walk.lock);
    pthread_condattr_destroy(&monotonic);
    close_pace(walk.pace);
    free(walk.workers);
    return error;
}
