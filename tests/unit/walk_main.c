/* Walks a directory without Python, so that valgrind sees nothing but the walk.

       walk_main DIRECTORY THREADS MOST_OPEN FOLDERS PART

   Prints files, bytes, folders and how much of the details there is. */

#include "_walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool look(void *with, const struct so_far *so_far)
{
    (void)with, (void)so_far;
    return false;
}

int main(int count, char **given)
{
    const char *skip[] = {".snapshot", NULL}, *trash[] = {".local", "share", "Trash"},
               *compiled[] = {"__pycache__"}, *cores[] = {"core.[0-9]*"};
    struct pattern patterns[] = {
        {.kind = 0, .folder = true, .from_home = true, .parts_count = 3, .parts = trash},
        {.kind = 1, .folder = true, .parts_count = 1, .parts = compiled},
        {.kind = 2, .parts_count = 1, .parts = cores},
    };
    struct rules rules = {
        .extensions = calloc(64, sizeof(struct extension)),
        .extensions_size = 64,
        .types_count = 2,
        .ages_count = 2,
        .kinds_count = 3,
        .ends = {1000000000, 0},
        .patterns = patterns,
        .patterns_count = 3,
        .folders = count > 4 ? (size_t)atoi(given[4]) : 0,
        .largest = 3,
        .places = 2,
    };
    struct task task = {
        .most_open = count > 3 ? atoi(given[3]) : 0,
        .threads = count > 2 ? atoi(given[2]) : 0,
        .deadline_secs = 60,
        .skip = skip,
        .rules = rules.folders > 0 ? &rules : NULL,
        .prefix = "above",
        .kind = NO_KIND,
        .look = look,
        .pace = -1,
    };
    struct found found = {0};
    if (count != 6 || (task.home = open(given[1], O_RDONLY | O_DIRECTORY)) < 0)
        return 2;
    task.part = strcmp(given[5], "part") == 0;
    if (task.part) {
        task.prefix_length = sizeof "above";
        task.prefix_depth = 1;
    }
    add_extension(&rules, "csv", 0);
    add_extension(&rules, "ipynb", 1);
    int error = walk_home(&task, &found);
    printf("%d %ju %ju %ju, %zu folders %zu rows %zu links\n", error,
           (uintmax_t)found.counts.files, (uintmax_t)found.counts.bytes,
           (uintmax_t)found.counts.dirs, found.details.folders.count, found.details.rows_count,
           found.details.links_count);
    clear_found(&found);
    free(rules.extensions);
    return error;
}
