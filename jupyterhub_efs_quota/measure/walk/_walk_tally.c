/*
 * Where the space goes: by folder, type and age; the largest files, and junk. Called by
 * _walk.c and _walk_handles.c. tally.py does the same in Python, and is easier to read first.
 *
 * A directory's row holds what is known to be in it. It is added to the one above once
 * nothing can be added to it any more ("settled"), and offered to the list of the heaviest.
 * A file with several names is added at the end only, to the lowest directory that holds
 * all of them: until then it keeps that one, and those above, from being settled.
 */

#include "_walk_inner.h"

#include <stdlib.h>
#include <string.h>

enum {
    FILE_WEIGHT = 4096,
    BLOCK = 512,
};

static const int64_t LATEST_KEPT = ((int64_t)1 << 47) - 1;

/* ---- paths ------------------------------------------------------------------------ */

/* Write the path of `name` in a directory, which has room for it. Without a name: its own. */
static size_t write_path(const struct walk *walk, const struct directory *where,
                         const char *name, char *path)
{
    size_t length = where->length;
    if (name != NULL) {
        memcpy(path + length, name, strlen(name) + 1);
        length += strlen(name) + 1;
    }
    for (size_t end = where->length; where->parent != NULL; where = where->parent) {
        size_t bytes = strlen(where->name) + 1;
        end -= bytes;
        memcpy(path + end, where->name, bytes);
    }
    if (walk->task->prefix_length > 0)
        memcpy(path, walk->task->prefix, walk->task->prefix_length);
    return length;
}

/* The same in memory of its own. */
static char *own_path(const struct walk *walk, const struct directory *where)
{
    char *path = malloc(where->length + 1);
    if (path != NULL)
        write_path(walk, where, NULL, path);
    return path;
}

size_t next_path(const struct walk *walk, char *path)
{
    const struct directory *here = walk->batches ? walk->batches->where : walk->directories;
    if (here == NULL)
        here = walk->set_aside;
    return here == NULL || here->length > LONGEST_PATH ? 0 : write_path(walk, here, NULL, path);
}

static const char *next_name(const char *names)
{
    return names + strlen(names) + 1;
}

/* ---- what a name says ------------------------------------------------------------- */

static struct extension *place_of(const struct rules *rules, const char *text)
{
    uint64_t parts[2];
    memcpy(parts, text, sizeof parts);
    uint64_t mixed = (parts[0] ^ parts[1] * 0xc4ceb9fe1a85ec53ULL) * 0xff51afd7ed558ccdULL;
    for (size_t at = mixed ^ mixed >> 33;; at++) {
        struct extension *place = &rules->extensions[at & (rules->extensions_size - 1)];
        if (place->type == 0 || memcmp(place->text, text, sizeof place->text) == 0)
            return place;
    }
}

void add_extension(struct rules *rules, const char *text, int type)
{
    struct extension extension = {.type = type + 1};
    strncpy(extension.text, text, LONGEST_EXTENSION);
    *place_of(rules, extension.text) = extension;
}

/* The type of a file by the extension of its name, the last one being "other". */
static int type_of(const struct rules *rules, const char *name)
{
    char text[LONGEST_EXTENSION + 1] = {0};
    const char *dot = strrchr(name, '.');
    if (dot == NULL || dot == name || strlen(dot + 1) > LONGEST_EXTENSION)
        return rules->types_count;
    for (size_t i = 0; dot[i + 1] != '\0'; i++) {
        char byte = dot[i + 1];
        text[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    int type = place_of(rules, text)->type;
    return type == 0 ? rules->types_count : type - 1;
}

static int band_of(const struct rules *rules, int64_t time)
{
    int band = 0;
    while (band < rules->ages_count && time <= rules->ends[band])
        band++;
    return band;
}

/* Whether a pattern from the home matches a name in a directory. */
static bool matches_path(const struct task *task, const struct pattern *pattern,
                         const struct directory *where, const char *name)
{
    size_t part = pattern->parts_count;
    if (part != (size_t)where->depth + 1 || !matches(pattern->parts[--part], name))
        return false;
    for (; where->parent != NULL; where = where->parent)
        if (!matches(pattern->parts[--part], where->name))
            return false;
    const char *above = task->prefix;
    for (size_t i = 0; i < part; i++, above = next_name(above))
        if (!matches(pattern->parts[i], above))
            return false;
    return true;
}

/* The kind of junk that a name in a directory is. */
static int kind_of(const struct task *task, const struct directory *where, const char *name,
                   bool folder)
{
    const struct rules *rules = task->rules;
    for (int from_home = 0; from_home < 2; from_home++)
        for (size_t i = 0; i < rules->patterns_count; i++) {
            const struct pattern *pattern = &rules->patterns[i];
            if (pattern->folder == folder && pattern->from_home == (from_home == 1) &&
                (from_home ? matches_path(task, pattern, where, name)
                           : matches(pattern->parts[0], name)))
                return pattern->kind;
        }
    return NO_KIND;
}

void place_directory(struct walk *walk, struct directory *here)
{
    const struct directory *parent = here->parent;
    here->row.newest = NO_TIME;
    here->depth = parent->depth + 1;
    here->length = parent->length + (uint32_t)strlen(here->name) + 1;
    if (here->length < parent->length)
        here->length = UINT32_MAX; /* too long for any use, but must not pass for a short one */
    here->kind = parent->kind;
    if (walk->task->rules != NULL && parent->kind == NO_KIND) {
        here->kind = (int8_t)kind_of(walk->task, parent, here->name, true);
        here->junk_root = here->kind != NO_KIND;
    }
}

/* ---- counting --------------------------------------------------------------------- */

static void add_sums(struct sums *sum, const struct sums *part)
{
    sum->bytes = sum_of(sum->bytes, part->bytes);
    sum->allocated += part->allocated;
    sum->files += part->files;
}

static void add_row(struct row *sum, const struct row *part)
{
    add_sums(&sum->sums, &part->sums);
    sum->dirs += part->dirs;
    if (part->newest > sum->newest)
        sum->newest = part->newest;
}

static uint64_t weight_of(const struct task *task, const struct sums *sums)
{
    uint64_t size = task->allocated ? sums->allocated : sums->bytes;
    return sum_of(size, FILE_WEIGHT * sums->files);
}

static void count_in_columns(struct columns *columns, int type, int modified_band,
                             int accessed_band, int64_t modified, const struct sums *sums)
{
    add_sums(&columns->types[type], sums);
    add_sums(&columns->modified[modified_band], sums);
    add_sums(&columns->accessed[accessed_band], sums);
    if (modified < columns->oldest)
        columns->oldest = modified;
    if (modified > columns->newest)
        columns->newest = modified;
}

/* Offer something in a directory to one of the lists, unless its path is longer than any
   call would take. */
static void offer_below(struct walk *walk, struct best *best, const struct directory *where,
                        const char *name, struct item *item)
{
    char path[LONGEST_PATH];
    if (where->length + (name != NULL ? strlen(name) + 1 : 0) > LONGEST_PATH)
        return;
    item->path = path;
    item->length = write_path(walk, where, name, path);
    if (!offer(best, item))
        end_walk(walk, OUT_OF_MEMORY);
}

static void offer_large(struct worker *worker, const struct directory *where, const char *name,
                        const struct statx *found, const struct sums *sums)
{
    struct walk *walk = worker->walk;
    struct best *best = &walk->found->details.largest;
    struct item item = {.row = {.sums = *sums, .newest = found->stx_mtime.tv_sec}};
    item.weight = walk->task->allocated ? sums->allocated : sums->bytes;
    if (!wants(best, item.weight))
        return;
    if (found->stx_nlink > 1) {
        item.device = device_of(found);
        item.inode = found->stx_ino;
    }
    lock(worker, &walk->largest_lock);
    offer_below(walk, best, where, name, &item);
    unlock(&walk->largest_lock);
}

static void count_junk(struct worker *worker, const struct directory *where, const char *name,
                       const struct sums *sums)
{
    struct walk *walk = worker->walk;
    struct details *details = &walk->found->details;
    int kind = kind_of(walk->task, where, name, false);
    if (kind == NO_KIND)
        return;
    struct item item = {.kind = kind, .row = {.sums = *sums}};
    item.weight = weight_of(walk->task, sums);
    lock(worker, &walk->lock);
    add_sums(&details->junk[kind], sums);
    if (wants(&details->places, item.weight))
        offer_below(walk, &details->places, where, name, &item);
    unlock(&walk->lock);
}

/* The lowest directory that holds both. */
static struct directory *common(struct directory *one, struct directory *other)
{
    while (one != other) {
        if (one->depth >= other->depth)
            one = one->parent;
        else
            other = other->parent;
    }
    return one;
}

/* A name of a file that has several. With the lock of these held. */
static void move_up(struct worker *worker, struct link *link, struct directory *where, int type)
{
    struct directory *before = link->where, *now = common(before, where);
    if ((uint64_t)type < link->type)
        link->type = (uint64_t)type & UINT8_MAX;
    if (now == before)
        return;
    atomic_fetch_add(&now->unsettled, 1);
    link->where = now;
    lock(worker, &worker->walk->lock);
    settle(worker->walk, before);
    unlock(&worker->walk->lock);
}

/* Whether a file with several names is met for the first time. */
static bool first_met(struct worker *worker, struct directory *where, const struct statx *found,
                      const struct link *as)
{
    struct walk *walk = worker->walk;
    bool first = false, details = walk->task->rules != NULL || walk->task->part;
    lock(worker, &walk->linked_lock);
    struct link *link = meet(&walk->linked, device_of(found), found->stx_ino, &first);
    if (link == NULL) {
        end_walk(walk, OUT_OF_MEMORY);
    } else if (first && details) {
        uint64_t inode = link->inode, device = link->device;
        *link = *as;
        link->inode = inode;
        link->device = device & UINT16_MAX;
        link->where = where;
        atomic_fetch_add(&where->unsettled, 1);
    } else if (details) {
        move_up(worker, link, where, (int)as->type);
    }
    unlock(&walk->linked_lock);
    return first;
}

static int64_t within_48_bits(int64_t time)
{
    return time > LATEST_KEPT ? LATEST_KEPT : time < -LATEST_KEPT ? -LATEST_KEPT : time;
}

void tally(struct worker *worker, struct directory *where, const char *name,
           const struct statx *found)
{
    const struct task *task = worker->walk->task;
    const struct rules *rules = task->rules;
    bool sized = S_ISREG(found->stx_mode) || S_ISLNK(found->stx_mode);
    struct sums sums = {.files = 1};
    int type = 0, modified_band = 0, accessed_band = 0;
    int64_t modified = found->stx_mtime.tv_sec;
    if (sized) {
        sums.bytes = found->stx_size;
        sums.allocated = found->stx_blocks * BLOCK;
    }
    if (rules != NULL) {
        type = S_ISREG(found->stx_mode) ? type_of(rules, name) : rules->types_count;
        modified_band = band_of(rules, modified);
        accessed_band = band_of(rules, found->stx_atime.tv_sec);
        if (S_ISREG(found->stx_mode))
            offer_large(worker, where, name, found, &sums);
    }
    if (found->stx_nlink > 1) {
        struct link link = {.bytes = sums.bytes, .modified = within_48_bits(modified)};
        link.blocks = (sums.allocated / BLOCK) & 0xffffffffffffULL;
        link.type = (uint64_t)type & UINT8_MAX;
        link.modified_band = (uint64_t)modified_band & 15;
        link.accessed_band = (uint64_t)accessed_band & 15;
        if (!first_met(worker, where, found, &link) || task->part)
            return;
    } else if (rules != NULL) {
        struct row row = {.sums = sums, .newest = modified};
        add_row(&worker->own, &row);
        count_in_columns(&worker->columns, type, modified_band, accessed_band, modified, &sums);
        if (where->kind == NO_KIND)
            count_junk(worker, where, name, &sums);
    }
    worker->counts.files++;
    worker->counts.bytes = sum_of(worker->counts.bytes, sums.bytes);
    worker->counts.allocated += sums.allocated;
}

void add_own(struct worker *worker, struct directory *where)
{
    add_row(&where->row, &worker->own);
    worker->own = (struct row){.newest = NO_TIME};
}

void add_columns(struct worker *worker)
{
    struct columns *sum = &worker->walk->found->details.columns, *part = &worker->columns;
    for (int i = 0; i <= MOST_TYPES; i++)
        add_sums(&sum->types[i], &part->types[i]);
    for (int i = 0; i <= MOST_AGES; i++) {
        add_sums(&sum->modified[i], &part->modified[i]);
        add_sums(&sum->accessed[i], &part->accessed[i]);
    }
    if (part->oldest < sum->oldest)
        sum->oldest = part->oldest;
    if (part->newest > sum->newest)
        sum->newest = part->newest;
}

/* ---- settling --------------------------------------------------------------------- */

static void offer_directory(struct walk *walk, const struct directory *here)
{
    struct details *details = &walk->found->details;
    struct item item = {.row = here->row, .kind = here->kind};
    item.weight = weight_of(walk->task, &here->row.sums);
    if (wants(&details->folders, item.weight))
        offer_below(walk, &details->folders, here, NULL, &item);
    if (here->junk_root) {
        add_sums(&details->junk[here->kind], &here->row.sums);
        if (wants(&details->places, item.weight))
            offer_below(walk, &details->places, here, NULL, &item);
    }
}

void settle(struct walk *walk, struct directory *here)
{
    while (here != NULL && atomic_fetch_sub(&here->unsettled, 1) == 1) {
        struct directory *above = here->parent;
        if (walk->task->rules != NULL && above != NULL && here->entered && !walk->only_free) {
            offer_directory(walk, here);
            add_row(&above->row, &here->row);
        }
        free(here);
        here = above;
    }
}

/* ---- the beginning and the end ---------------------------------------------------- */

void begin_tally(struct walk *walk)
{
    const struct task *task = walk->task;
    struct details *details = &walk->found->details;
    struct directory *home = walk->home;
    details->columns.oldest = INT64_MAX;
    details->columns.newest = NO_TIME;
    if (task->rules != NULL) {
        details->folders.most = task->rules->folders;
        details->largest.most = task->rules->largest;
        details->places.most = task->rules->places;
    }
    home->unsettled = 2; /* one more: it is freed by finish_tally */
    home->kind = (int8_t)task->kind;
    home->junk_root = task->junk_root;
    home->depth = task->prefix_depth;
    home->length = (uint32_t)task->prefix_length;
    home->row.newest = NO_TIME;
    home->row.dirs = 1;
}

/* Add the files with several names to where they belong by now. */
static void settle_links(struct walk *walk)
{
    for (size_t number = 0; number < walk->linked.used; number++) {
        const struct link *link = link_at(&walk->linked, number);
        struct row row = {.newest = link->modified};
        row.sums = (struct sums){link->bytes, (uint64_t)link->blocks * BLOCK, 1};
        if (walk->task->rules != NULL) {
            add_row(&link->where->row, &row);
            count_in_columns(&walk->found->details.columns, (int)link->type,
                             (int)link->modified_band, (int)link->accessed_band, link->modified,
                             &row.sums);
        }
    }
}

/* Under which directory this one is handed out: deep ones under the last above them whose
   path a call would take, since all their paths would fill the memory. */
static struct directory *shown(struct directory *here)
{
    while (here->length > LONGEST_PATH && here->parent != NULL)
        here = here->parent;
    return here;
}

/* Hand out a directory's row, unless that was done. */
static bool hand_out_row(struct walk *walk, struct directory *here)
{
    struct details *details = &walk->found->details;
    const struct directory *as = shown(here);
    size_t count = details->rows_count;
    if (here->handed_out)
        return true;
    if ((count & (count - 1)) == 0) { /* the room is a power of two */
        size_t room = count ? 2 * count : 1;
        struct open_row *rows = realloc(details->rows, room * sizeof *rows);
        if (rows == NULL)
            return false;
        details->rows = rows;
    }
    char *path = own_path(walk, as);
    if (path == NULL)
        return false;
    here->handed_out = true;
    details->rows[details->rows_count++] =
        (struct open_row){here->row, as->kind, as->junk_root, path, as->length};
    return true;
}

/* Hand out the files with several names, and the directories that they kept unsettled. */
static bool hand_out_links(struct walk *walk)
{
    struct details *details = &walk->found->details;
    details->links = calloc(walk->linked.used + 1, sizeof *details->links);
    if (details->links == NULL)
        return false;
    for (size_t number = 0; number < walk->linked.used; number++) {
        const struct link *link = link_at(&walk->linked, number);
        const struct directory *as = shown(link->where);
        char *where = own_path(walk, as);
        if (where == NULL)
            return false;
        details->links[details->links_count++] = (struct found_link){
            .device = device_of_link(&walk->linked, link),
            .inode = link->inode,
            .bytes = link->bytes,
            .allocated = (uint64_t)link->blocks * BLOCK,
            .modified = link->modified,
            .type = (int)link->type,
            .modified_band = (int)link->modified_band,
            .accessed_band = (int)link->accessed_band,
            .where = where,
            .length = as->length,
        };
        for (struct directory *here = link->where; here != NULL; here = here->parent)
            if (!hand_out_row(walk, here))
                return false;
    }
    return true;
}

int finish_tally(struct walk *walk)
{
    struct details *details = &walk->found->details;
    bool done = true;
    if (walk->task->part)
        done = hand_out_links(walk);
    else
        settle_links(walk);
    /* What a part has handed out is settled by whoever puts the parts together. */
    walk->only_free = walk->task->part;
    for (size_t number = 0; number < walk->linked.used; number++)
        if (link_at(&walk->linked, number)->where != NULL)
            settle(walk, link_at(&walk->linked, number)->where);
    done = hand_out_row(walk, walk->home) && done;
    free(walk->home);
    prune(&details->folders);
    prune(&details->largest);
    prune(&details->places);
    return done ? 0 : ENOMEM;
}

void clear_found(struct found *found)
{
    struct details *details = &found->details;
    for (int i = 0; i < found->names_count; i++)
        free(found->names[i].name);
    for (size_t i = 0; i < details->rows_count; i++)
        free(details->rows[i].path);
    for (size_t i = 0; i < details->links_count; i++)
        free(details->links[i].where);
    free(details->rows);
    free(details->links);
    clear_best(&details->folders);
    clear_best(&details->largest);
    clear_best(&details->places);
}
