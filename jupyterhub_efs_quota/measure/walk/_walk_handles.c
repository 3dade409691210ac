/*
 * Directories and their handles: which are kept open, and how a closed one is found again.
 *
 * Only so many handles are kept. A directory that was closed is found again from the `..`
 * of one below it, or by names from the nearest one above that is open, and is taken only
 * if it is still the one it was (device and inode): somebody may have moved it, or put a
 * link in its place, and we must never get out of the home.
 */

#include "_walk_inner.h"

#include <stdlib.h>

enum { KEPT_BY_ANY = 64, KEPT_BY_EACH = 16 };

/* No longer keep a directory's handle; the caller closes it. With the lock held. */
static int give_up(struct walk *walk, struct directory *here)
{
    int handle = here->handle;
    *(here->older ? &here->older->newer : &walk->oldest) = here->newer;
    *(here->newer ? &here->newer->older : &walk->newest) = here->older;
    here->older = here->newer = NULL;
    here->handle = -1;
    if (here->parent != NULL && here->parent->way_back == here)
        here->parent->way_back = NULL;
    walk->open--;
    return handle;
}

/* Close the handle that is needed last: the one kept for longest. With the lock held. */
static bool close_one(struct walk *walk)
{
    for (struct directory *here = walk->oldest; here != NULL; here = here->newer) {
        /* The home stays open: it is the one way back to all others. */
        if (here->users == 0 && !here->half_read && here->parent != NULL) {
            close(give_up(walk, here));
            return true;
        }
    }
    return false;
}

/* Each thread that waits for a far store leaves a few directories behind; with few threads,
   more open ones only cost time. */
int most_kept(const struct walk *walk)
{
    int of_threads = KEPT_BY_ANY + KEPT_BY_EACH * walk->started;
    return of_threads < walk->task->most_open ? of_threads : walk->task->most_open;
}

void keep(struct walk *walk, struct directory *here, int handle)
{
    if (here->handle >= 0) { /* another thread was quicker */
        close(handle);
        return;
    }
    here->handle = handle;
    if (here->parent != NULL)
        here->parent->way_back = here;
    here->older = walk->newest;
    *(walk->newest ? &walk->newest->newer : &walk->oldest) = here;
    walk->newest = here;
    walk->open++;
    while (walk->open > most_kept(walk) && close_one(walk))
        ;
}

int open_below(struct worker *worker, int start, const char *name)
{
    for (;;) {
        before_call(worker);
        int handle = openat(start, name, OPEN_FLAGS);
        after_call(worker);
        if (handle >= 0 || !out_of_handles(errno))
            return handle;
        int error = errno;
        lock(worker, &worker->walk->lock);
        bool closed = close_one(worker->walk);
        unlock(&worker->walk->lock);
        errno = error;
        if (!closed)
            return -1;
    }
}

/* The handle, if it is the directory's own; else it is closed: -1 and ENOENT. */
static int if_same(const struct directory *here, int handle)
{
    struct statx found;
    if (handle < 0)
        return -1;
    if (statx(handle, "", AT_EMPTY_PATH, STATX_INO, &found) == 0 && found.stx_ino == here->inode &&
        device_of(&found) == here->device)
        return handle;
    close(handle);
    errno = ENOENT;
    return -1;
}

void let_go(struct worker *worker, struct directory *here)
{
    struct walk *walk = worker->walk;
    while (here != NULL && --here->holders == 0) {
        struct directory *above = here->parent;
        if (here->handle >= 0) {
            bool lead_back = above != NULL && above->handle < 0 && !stopped(walk);
            int handle = give_up(walk, here), back = -1;
            unlock(&walk->lock);
            if (lead_back)
                back = if_same(above, openat(handle, "..", OPEN_FLAGS));
            if (above != NULL) /* the home's is our caller's */
                close(handle);
            lock(worker, &walk->lock);
            if (back >= 0)
                keep(walk, above, back);
        }
        settle(walk, here);
        here = above;
    }
    if (here == NULL)
        end_walk(walk, ENDED); /* the home itself is done */
}

/* Open a directory again from the one right below it that is open. With the lock held,
   which is let go in between. */
static void climb(struct worker *worker, struct directory *here)
{
    struct walk *walk = worker->walk;
    struct directory *below = here->way_back;
    int handle = below->handle;
    below->users++;
    below->holders++;
    unlock(&walk->lock);
    handle = if_same(here, open_below(worker, handle, ".."));
    lock(worker, &walk->lock);
    if (handle >= 0)
        keep(walk, here, handle);
    below->users--;
    let_go(worker, below);
}

/* Open a directory again by names, from the nearest above it that is open: the home always
   is. 0, or an errno. With the lock held, which is let go in between. */
static int descend(struct worker *worker, struct directory *here)
{
    struct walk *walk = worker->walk;
    struct directory *start = here;
    size_t levels = 0;
    for (; start->handle < 0; start = start->parent)
        levels++;
    struct directory **path = calloc(levels, sizeof(struct directory *));
    if (path == NULL)
        return ENOMEM;
    size_t level = levels;
    for (struct directory *each = here; level > 0; each = each->parent)
        path[--level] = each;
    int from = start->handle, handle = from, error = 0;
    start->users++;
    unlock(&walk->lock);
    /* The names are safe to read: whoever uses a directory holds all those above it. */
    for (; level < levels && handle >= 0; level++) {
        int below = open_below(worker, handle, path[level]->name);
        error = errno;
        if (handle != from)
            close(handle);
        handle = below;
    }
    if (handle >= 0 && (handle = if_same(here, handle)) < 0)
        error = errno;
    free(path);
    lock(worker, &walk->lock);
    start->users--;
    if (handle < 0)
        return error;
    keep(walk, here, handle);
    return 0;
}

int reach(struct worker *worker, struct directory *here)
{
    struct walk *walk = worker->walk;
    lock(worker, &walk->lock);
    if (here->handle < 0 && here->way_back != NULL)
        climb(worker, here);
    int error = here->lost;
    if (here->handle < 0 && error == 0) {
        error = descend(worker, here);
        here->lost = out_of_handles(error) ? 0 : error;
    }
    int handle = here->handle;
    unlock(&walk->lock);
    errno = error;
    return handle;
}
