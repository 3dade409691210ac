/*
 * The compiled walk, in eight parts:
 *
 *   _walk.c          the threads, and what they count
 *   _walk_handles.c  directories and their handles
 *   _walk_linked.c   files with several names, to be counted once
 *   _walk_tally.c    where the space goes: by folder, type, age; junk
 *   _walk_best.c     the heaviest of many
 *   _walk_pattern.c  patterns of names
 *   _walk_pace.c     what it may ask of the store, and how the store answers
 *   _walk_module.c   what Python sees
 */

#ifndef WALK_H
#define WALK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NAMES_KEPT = 5,
    LONGEST_PATH = 4096, /* that a call would take */
    /* As in rules.py. */
    LONGEST_EXTENSION = 15,
    MOST_TYPES = 63,
    MOST_AGES = 15,
    MOST_KINDS = 63,
};

#define NO_KIND (-1)
#define NO_TIME INT64_MIN

/* ---- what is asked ---------------------------------------------------------------- */

/* A pattern of junk. `parts` are to match a path from the home, name by name, if `from_home`;
   else there is one, for a name at any depth. */
struct pattern {
    int kind;
    bool folder, from_home;
    size_t parts_count;
    const char **parts;
};

/* An extension in lower case, padded with NULs; `type` 0 in a free place of the table. */
struct extension {
    char text[LONGEST_EXTENSION + 1];
    int type; /* and one */
};

/* How to sum up: the same as in rules.py. */
struct rules {
    struct extension *extensions; /* a hash table */
    size_t extensions_size;       /* a power of two */
    int types_count, ages_count, kinds_count;
    int64_t ends[MOST_AGES]; /* a later time is in this band or one before it */
    struct pattern *patterns;
    size_t patterns_count;
    size_t folders, largest, places; /* how many are kept */
};

/* How far a walk is. `where`: a directory whose turn it is (names that each end in a NUL). */
struct so_far {
    uint64_t files, bytes, dirs;
    const char *where;
    size_t length;
};

/* What is asked: the same as in task.py. */
struct task {
    int home;      /* a handle, which stays the caller's */
    int most_open; /* handles that are kept at a time */
    int threads;
    double deadline_secs;
    bool cross_mounts;
    const char **skip; /* patterns, up to a NULL */
    bool has_ceiling, allocated; /* `allocated`: the size that is judged */
    int64_t ceiling_bytes, ceiling_files;
    const struct rules *rules; /* NULL: no details */
    /* A part of a home: its files with several names are not counted, but handed out. It
       begins at the path `prefix` below the home (names that each end in a NUL). */
    bool part;
    const char *prefix;
    size_t prefix_length;
    uint32_t prefix_depth;
    int kind; /* of junk, where it begins */
    bool junk_root;
    /* Told ten times a second, in the caller's thread, how far it is; true ends the walk. */
    bool (*look)(void *, const struct so_far *);
    void *look_with;
    int pace; /* a handle on the page that sets the pace, or -1 */
};

/* ---- what is found ---------------------------------------------------------------- */

enum ending { GOING_ON, ENDED, TIMED_OUT, PROVEN_OVER, INTERRUPTED, OUT_OF_MEMORY };

struct counts {
    uint64_t bytes, allocated, files, dirs, unreadable, vanished, lost_dirs;
};

struct sums {
    uint64_t bytes, allocated, files;
};

/* A folder with what is below it: the same as in part.py. */
struct row {
    struct sums sums;
    uint64_t dirs;
    int64_t newest;
};

/* One of a list of the heaviest: a folder, a large file, or some junk. */
struct item {
    uint64_t weight;
    char *path; /* names that each end in a NUL */
    size_t length;
    struct row row;         /* of a file `newest` is when it was modified */
    int kind;               /* of junk */
    uint64_t device, inode; /* of a file with several names; else inode 0 */
};

struct best {
    size_t most, count;
    bool full; /* the first `most` are in order, and heavier than all that was dropped */
    _Atomic uint64_t lightest;
    struct item *items; /* room for twice as many */
};

/* Sums by type and age. */
struct columns {
    struct sums types[MOST_TYPES + 1], modified[MOST_AGES + 1], accessed[MOST_AGES + 1];
    int64_t oldest, newest; /* oldest after newest: no file */
};

/* A folder about which there may be more to say: where the walk began, and in a part of a
   home those that hold links. */
struct open_row {
    struct row row;
    int kind;
    bool junk_root;
    char *path;
    size_t length;
};

/* A file with several names, in the lowest folder that holds all of them. */
struct found_link {
    uint64_t device, inode, bytes, allocated;
    int64_t modified;
    int type, modified_band, accessed_band;
    char *where;
    size_t length;
};

struct details {
    struct columns columns;
    struct sums junk[MOST_KINDS];
    struct best folders, places, largest;
    struct open_row *rows;
    size_t rows_count;
    struct found_link *links;
    size_t links_count;
};

struct unreadable {
    char *name; /* empty for the home itself */
    int error;
};

/* What is found: the same as in usage.py and part.py. */
struct found {
    struct counts counts;
    double changed; /* when an entry of the home itself was last made or removed */
    enum ending ending;
    int threads; /* that were started */
    int names_count;
    struct unreadable names[NAMES_KEPT];
    struct details details;
};

/* Count a home. 0, or an errno. What was found is to be cleared in any case. */
int walk_home(const struct task *task, struct found *found);

/* Free what `walk_home` has found. */
void clear_found(struct found *found);

/* ---- _walk_pattern.c -------------------------------------------------------------- */

/* Whether a name matches a pattern of * ? [abc] [a-z] [!a], as Python's fnmatch on bytes. */
bool matches(const char *pattern, const char *name);

/* ---- _walk_tally.c ---------------------------------------------------------------- */

/* Put an extension in the table. The table must have a free place left. */
void add_extension(struct rules *rules, const char *text, int type);

#endif
