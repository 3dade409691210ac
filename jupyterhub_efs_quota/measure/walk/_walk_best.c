/*
 * The heaviest of what is offered, at most so many; among equals the first by path. Called
 * by _walk_tally.c, under a lock. part.py has the same in Python (Best), and says why.
 */

#include "_walk_inner.h"

#include <stdlib.h>
#include <string.h>

/* Paths are names that each end in a NUL, so that this compares name by name. */
static int by_path(const char *one, size_t one_length, const char *other, size_t other_length)
{
    size_t common = one_length < other_length ? one_length : other_length;
    int differ = memcmp(one, other, common);
    if (differ != 0)
        return differ;
    return (one_length > other_length) - (one_length < other_length);
}

static int by_rank(const void *left, const void *right)
{
    const struct item *one = left, *other = right;
    if (one->weight != other->weight)
        return one->weight > other->weight ? -1 : 1;
    return by_path(one->path, one->length, other->path, other->length);
}

void prune(struct best *best)
{
    if (best->count == 0)
        return;
    qsort(best->items, best->count, sizeof *best->items, by_rank);
    for (; best->count > best->most; best->count--)
        free(best->items[best->count - 1].path);
    best->full = best->count == best->most;
    if (best->full)
        atomic_store(&best->lightest, best->items[best->most - 1].weight);
}

/* Whether an item can be left out at once: it comes after the last one of a full list. */
static bool too_late(const struct best *best, const struct item *item)
{
    return best->full && by_rank(item, &best->items[best->most - 1]) > 0;
}

/* The place of a file with several names, where it is listed under another one. */
static struct item *listed(struct best *best, const struct item *item)
{
    for (size_t i = 0; i < best->count; i++)
        if (best->items[i].inode == item->inode && best->items[i].device == item->device)
            return &best->items[i];
    return NULL;
}

bool offer(struct best *best, const struct item *item)
{
    struct item *place = item->inode != 0 ? listed(best, item) : NULL;
    if (place != NULL && by_path(item->path, item->length, place->path, place->length) >= 0)
        return true;
    if (place == NULL && too_late(best, item))
        return true;
    if (best->items == NULL)
        best->items = calloc(2 * best->most, sizeof *best->items);
    char *path = malloc(item->length + 1);
    if (best->items == NULL || path == NULL) {
        free(path);
        return false;
    }
    memcpy(path, item->path, item->length);
    if (place != NULL)
        free(place->path);
    else
        place = &best->items[best->count++];
    *place = *item;
    place->path = path;
    if (best->count == 2 * best->most)
        prune(best);
    return true;
}

void clear_best(struct best *best)
{
    for (size_t i = 0; i < best->count; i++)
        free(best->items[i].path);
    free(best->items);
}
