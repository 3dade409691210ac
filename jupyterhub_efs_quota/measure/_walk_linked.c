/* The files with several names that a walk has counted. Called by _walk.c, under a lock. */

#include "_walk.h"

#include <stdlib.h>

struct identity {
    uint64_t device, inode; /* inode 0: a free place */
};

/* Where an identity is, or where it belongs. */
static size_t place_of(const struct linked *linked, struct identity identity)
{
    uint64_t mixed = identity.inode ^ identity.device << 1;
    mixed = (mixed ^ mixed >> 33) * 0xff51afd7ed558ccdULL;
    mixed = (mixed ^ mixed >> 33) * 0xc4ceb9fe1a85ec53ULL;
    size_t place = (mixed ^ mixed >> 33) & (linked->size - 1);
    for (;; place = (place + 1) & (linked->size - 1)) {
        const struct identity *there = &linked->places[place];
        if (there->inode == 0 ||
            (there->inode == identity.inode && there->device == identity.device))
            return place;
    }
}

static bool make_larger(struct linked *linked)
{
    struct linked larger = {.size = linked->size ? 2 * linked->size : 64, .used = linked->used};
    larger.places = calloc(larger.size, sizeof *larger.places);
    if (larger.places == NULL)
        return false;
    for (size_t i = 0; i < linked->size; i++)
        if (linked->places[i].inode != 0)
            larger.places[place_of(&larger, linked->places[i])] = linked->places[i];
    free(linked->places);
    *linked = larger;
    return true;
}

enum met meet(struct linked *linked, uint64_t device, uint64_t inode)
{
    /* No file system is known to use inode 0. */
    struct identity identity = {device, inode ? inode : UINT64_MAX};
    if (4 * (linked->used + 1) > 3 * linked->size && !make_larger(linked))
        return NO_MEMORY;
    struct identity *there = &linked->places[place_of(linked, identity)];
    if (there->inode != 0)
        return MET_BEFORE;
    *there = identity;
    linked->used++;
    return FIRST_MET;
}
