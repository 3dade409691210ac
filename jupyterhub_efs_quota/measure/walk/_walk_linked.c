/*
 * The files with several names that a walk has met, each once: 40 bytes, and 5 to 7 for its
 * place in the hash table. Called by _walk.c and _walk_tally.c, under a lock.
 */

#include "_walk_inner.h"

#include <stdlib.h>

enum { FIRST_SIZE = 64, CHUNK = 1024 };

struct link *link_at(const struct linked *linked, size_t number)
{
    return &linked->chunks[number / CHUNK][number % CHUNK];
}

/* The number of a device: there are few of them, and they would take eight bytes each time. */
static bool number_of(struct linked *linked, uint64_t device, unsigned *number)
{
    for (*number = 0; *number < linked->devices_count; ++*number)
        if (linked->devices[*number] == device)
            return true;
    if (*number > UINT16_MAX)
        return false;
    uint64_t *more = realloc(linked->devices, (*number + 1) * sizeof *more);
    if (more == NULL)
        return false;
    linked->devices = more;
    linked->devices[linked->devices_count++] = device;
    return true;
}

/* Where a file stands in the table, or where it belongs. */
static uint32_t *place_of(const struct linked *linked, unsigned device, uint64_t inode)
{
    uint64_t mixed = inode ^ (uint64_t)device << 48;
    mixed = (mixed ^ mixed >> 33) * 0xff51afd7ed558ccdULL;
    mixed = (mixed ^ mixed >> 33) * 0xc4ceb9fe1a85ec53ULL;
    /* The upper half of the number, as a share of the table: it may be of any size. */
    for (size_t at = (mixed >> 32) * linked->size >> 32;; at++) {
        uint32_t *place = &linked->places[at < linked->size ? at : (at = 0)];
        if (*place == 0)
            return place;
        const struct link *there = link_at(linked, *place - 1);
        if (there->inode == inode && there->device == device)
            return place;
    }
}

static bool make_larger(struct linked *linked)
{
    size_t size = linked->size ? linked->size + linked->size / 2 : FIRST_SIZE;
    uint32_t *places = calloc(size, sizeof *places);
    if (places == NULL)
        return false;
    free(linked->places);
    linked->places = places;
    linked->size = size;
    for (size_t number = 0; number < linked->used; number++) {
        const struct link *link = link_at(linked, number);
        *place_of(linked, link->device, link->inode) = (uint32_t)number + 1;
    }
    return true;
}

static struct link *add(struct linked *linked)
{
    size_t chunk = linked->used / CHUNK;
    if (linked->used >= UINT32_MAX)
        return NULL;
    if (linked->used % CHUNK == 0) {
        struct link **chunks = realloc(linked->chunks, (chunk + 1) * sizeof(struct link *));
        if (chunks == NULL)
            return NULL;
        linked->chunks = chunks;
        chunks[chunk] = calloc(CHUNK, sizeof(struct link));
        if (chunks[chunk] == NULL)
            return NULL;
    }
    return link_at(linked, linked->used++);
}

struct link *meet(struct linked *linked, uint64_t device, uint64_t inode, bool *first)
{
    unsigned number;
    if (8 * (linked->used + 1) > 7 * linked->size && !make_larger(linked))
        return NULL;
    if (!number_of(linked, device, &number))
        return NULL;
    uint32_t *place = place_of(linked, number, inode);
    *first = *place == 0;
    if (!*first)
        return link_at(linked, *place - 1);
    struct link *link = add(linked);
    if (link != NULL) {
        link->inode = inode;
        link->device = number & UINT16_MAX;
        *place = (uint32_t)linked->used;
    }
    return link;
}

uint64_t device_of_link(const struct linked *linked, const struct link *link)
{
    return linked->devices[link->device];
}

void clear_linked(struct linked *linked)
{
    for (size_t number = 0; number < linked->used; number += CHUNK)
        free(linked->chunks[number / CHUNK]);
    free(linked->chunks);
    free(linked->places);
    free(linked->devices);
}
