/*
 * slowfs: a read-only file system whose every answer takes a fixed time, as if it came from
 * far away. bench/slow.py mounts it to compare walks at the latency of a network.
 *
 *     slowfs SOURCE MOUNTPOINT MICROSECONDS plain|plus
 *
 * It shows the directories, names and attributes that SOURCE had when it started; files
 * cannot be read. What a client of NFS would have to ask its server for takes the given time:
 * to look up a name, to fetch attributes, to open a directory, and to fetch the next 256
 * entries of one. `plain`: names come without attributes, so that each file costs a call, as
 * on a mount whose attributes have expired. `plus`: attributes come with the names
 * (readdirplus), as on a cold mount.
 *
 * Any number of calls may wait at a time: none holds a thread here, each is put into a queue
 * and answered when its time has come.
 *
 * Prints "ready" when it is mounted, and at its end (SIGTERM) how often it was called.
 */

#define FUSE_USE_VERSION 312
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    ENTRIES_A_CALL = 256, /* that a directory is fetched by */
    LONGEST_REPLY = 128 * 1024,
    QUEUE = 1 << 16, /* more than the kernel's callers can be */
    THREADS = 2,     /* that take calls from the kernel: they never wait */
};
/* How long the kernel may use what it was told. Each run has a mount of its own, so within a
   run nothing expires. */
static const double KEPT_SECS = 3600;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *have(void *memory)
{
    if (memory == NULL)
        fail("slowfs");
    return memory;
}

/* ---- the tree, as it was when we started ------------------------------------------ */

/* A node's number plus one is its inode here; the children of a directory stand side by
   side, by name. */
struct node {
    struct stat attributes;
    char *name;
    size_t first, count; /* children */
};

static struct node *nodes;
static size_t node_count, node_room;

static size_t add_node(char *name)
{
    if (node_count == node_room) {
        node_room = node_room ? 2 * node_room : 1024;
        nodes = have(realloc(nodes, node_room * sizeof *nodes));
    }
    nodes[node_count] = (struct node){.name = name};
    return node_count++;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The names in a directory, sorted; their number. */
static size_t read_names(DIR *directory, char ***names)
{
    size_t count = 0, room = 0;
    *names = NULL;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count == room) {
            room = room ? 2 * room : 64;
            *names = have(realloc(*names, room * sizeof **names));
        }
        (*names)[count++] = have(strdup(entry->d_name));
    }
    if (count > 0)
        qsort(*names, count, sizeof **names, by_name);
    return count;
}

/* Load what is below a directory. It calls itself: the trees of a bench are not that deep. */
static void load(size_t parent, int handle)
{
    DIR *directory = have(fdopendir(handle));
    char **names;
    size_t count = read_names(directory, &names), first = node_count;
    for (size_t i = 0; i < count; i++) {
        size_t child = add_node(names[i]);
        if (fstatat(handle, names[i], &nodes[child].attributes, AT_SYMLINK_NOFOLLOW) != 0)
            fail(names[i]);
    }
    free(names);
    nodes[parent].first = first;
    nodes[parent].count = count;
    for (size_t child = first; child < first + count; child++) {
        if (!S_ISDIR(nodes[child].attributes.st_mode))
            continue;
        int below = openat(handle, nodes[child].name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (below < 0)
            fail(nodes[child].name);
        load(child, below);
    }
    closedir(directory);
}

static struct node *node_of(fuse_ino_t inode)
{
    return &nodes[inode - 1];
}

/* The child of that name; NULL: there is none. */
static struct node *child_of(fuse_ino_t parent, const char *name)
{
    size_t low = node_of(parent)->first, high = low + node_of(parent)->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, nodes[middle].name);
        if (order == 0)
            return &nodes[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* What the kernel is told of a node. The inode number that callers see, by which they know
   hard links, stays the source's. */
static struct fuse_entry_param entry_of(const struct node *node)
{
    return (struct fuse_entry_param){
        .ino = (fuse_ino_t)(node - nodes) + 1,
        .attr = node->attributes,
        .attr_timeout = KEPT_SECS,
        .entry_timeout = KEPT_SECS,
    };
}

/* ---- what is answered, and when --------------------------------------------------- */

/* An open directory: entries up to here have been fetched, and cost nothing any more. */
struct reading {
    off_t fetched;
};

enum asked { LOOKUP, ATTRIBUTES, OPEN, ENTRIES, KINDS };

struct call {
    enum asked asked;
    fuse_req_t request;
    struct node *node; /* LOOKUP: the child, or NULL */
    struct fuse_file_info file;
    size_t size;  /* ENTRIES */
    off_t offset; /* ENTRIES */
    struct timespec due;
};

static long latency_nsecs;
static bool with_attributes;
static atomic_long calls[KINDS], waiting, most_waiting;

static struct call queue[QUEUE];
static size_t queue_head, queue_tail;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;

static void answer_entries(const struct call *call)
{
    const struct node *directory = call->node;
    char reply[LONGEST_REPLY];
    size_t room = call->size < sizeof reply ? call->size : sizeof reply, used = 0;
    for (off_t at = call->offset; at < (off_t)directory->count; at++) {
        const struct node *child = &nodes[directory->first + (size_t)at];
        struct fuse_entry_param entry = entry_of(child);
        size_t length =
            with_attributes
                ? fuse_add_direntry_plus(call->request, reply + used, room - used, child->name,
                                         &entry, at + 1)
                : fuse_add_direntry(call->request, reply + used, room - used, child->name,
                                    &child->attributes, at + 1);
        if (length > room - used)
            break;
        used += length;
    }
    fuse_reply_buf(call->request, reply, used);
}

static void answer(const struct call *call)
{
    switch (call->asked) {
    case LOOKUP:
        if (call->node == NULL) {
            fuse_reply_err(call->request, ENOENT);
        } else {
            struct fuse_entry_param entry = entry_of(call->node);
            fuse_reply_entry(call->request, &entry);
        }
        break;
    case ATTRIBUTES:
        fuse_reply_attr(call->request, &call->node->attributes, KEPT_SECS);
        break;
    case OPEN:
        fuse_reply_open(call->request, &call->file);
        break;
    default:
        answer_entries(call);
    }
}

static struct timespec after(struct timespec time, long nsecs)
{
    nsecs += time.tv_nsec;
    return (struct timespec){.tv_sec = time.tv_sec + nsecs / 1000000000,
                             .tv_nsec = nsecs % 1000000000};
}

static bool is_later(struct timespec one, struct timespec other)
{
    return one.tv_sec > other.tv_sec ||
           (one.tv_sec == other.tv_sec && one.tv_nsec > other.tv_nsec);
}

/* Answer when the time has come. */
static void answer_later(struct call call)
{
    struct timespec now;
    atomic_fetch_add(&calls[call.asked], 1);
    if (latency_nsecs == 0) {
        answer(&call);
        return;
    }
    long mine = atomic_fetch_add(&waiting, 1) + 1, most = atomic_load(&most_waiting);
    while (mine > most && !atomic_compare_exchange_weak(&most_waiting, &most, mine))
        ;
    pthread_mutex_lock(&queue_lock);
    /* Read under the lock, so that the queue is in the order of the times. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    call.due = after(now, latency_nsecs);
    if (queue_head == queue_tail)
        pthread_cond_signal(&queue_filled);
    queue[queue_tail++ % QUEUE] = call;
    pthread_mutex_unlock(&queue_lock);
}

/* The thread that answers. All calls take equally long, so the first to come is the first
   to be answered. */
static void *answer_in_time(void *unused)
{
    (void)unused;
    /* Linux lets sleeps run 50 microseconds late otherwise. */
    prctl(PR_SET_TIMERSLACK, 1);
    pthread_mutex_lock(&queue_lock);
    for (;;) {
        while (queue_head == queue_tail)
            pthread_cond_wait(&queue_filled, &queue_lock);
        struct timespec now, due = queue[queue_head % QUEUE].due;
        pthread_mutex_unlock(&queue_lock);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
        pthread_mutex_lock(&queue_lock);
        while (queue_head != queue_tail && !is_later(queue[queue_head % QUEUE].due, now)) {
            struct call call = queue[queue_head++ % QUEUE];
            pthread_mutex_unlock(&queue_lock);
            atomic_fetch_sub(&waiting, 1);
            answer(&call);
            pthread_mutex_lock(&queue_lock);
        }
    }
    return NULL;
}

/* ---- what the kernel asks --------------------------------------------------------- */

static void on_init(void *unused, struct fuse_conn_info *connection)
{
    (void)unused;
    connection->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
    if (with_attributes)
        connection->want |= FUSE_CAP_READDIRPLUS;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    answer_later(
        (struct call){.asked = LOOKUP, .request = request, .node = child_of(parent, name)});
}

static void on_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)file;
    answer_later((struct call){.asked = ATTRIBUTES, .request = request, .node = node_of(inode)});
}

static void on_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)inode;
    file->fh = (uint64_t)(uintptr_t)have(calloc(1, sizeof(struct reading)));
    answer_later((struct call){.asked = OPEN, .request = request, .file = *file});
}

static void on_entries(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                       struct fuse_file_info *file)
{
    struct reading *reading = (struct reading *)(uintptr_t)file->fh;
    struct call call = {.asked = ENTRIES,
                        .request = request,
                        .node = node_of(inode),
                        .size = size,
                        .offset = offset};
    /* The kernel asks for a page at a time. A client of NFS fetches much more at once, and
       learns in the same answer that there is no more. */
    bool fetched = offset < reading->fetched || (offset > 0 && offset >= (off_t)call.node->count);
    if (fetched) {
        answer(&call);
    } else {
        reading->fetched = offset + ENTRIES_A_CALL;
        answer_later(call);
    }
}

static void on_releasedir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)inode;
    free((void *)(uintptr_t)file->fh);
    fuse_reply_err(request, 0);
}

static void on_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count)
{
    (void)inode;
    (void)count;
    fuse_reply_none(request);
}

static const struct fuse_lowlevel_ops operations = {
    .init = on_init,
    .lookup = on_lookup,
    .getattr = on_getattr,
    .opendir = on_opendir,
    .readdir = on_entries,
    .readdirplus = on_entries,
    .releasedir = on_releasedir,
    .forget = on_forget,
};

/*
 * The kernel holds a directory's lock during each look-up in it, unless the file system says
 * in its answer to INIT that it can stand several at a time. libfuse 3.14 cannot be made to
 * say so (it knows the flag, yet never sends it), and with that lock no walk could be faster
 * than one call after another in a flat directory, as no network file system is. libfuse
 * writes its answers by writev, so this one stands in its way and puts the flag into the
 * first of them, the one to INIT: a header of 16 bytes, and a body whose fourth number is
 * the flags.
 */
ssize_t writev(int handle, const struct iovec *parts, int count)
{
    enum { HEADER_BYTES = 16, FLAGS_AT = 3, PARALLEL_DIROPS = 1 << 18 };
    static atomic_bool past_init;
    if (count == 2 && parts[0].iov_len == HEADER_BYTES &&
        parts[1].iov_len > FLAGS_AT * sizeof(uint32_t) && !atomic_exchange(&past_init, true))
        ((uint32_t *)parts[1].iov_base)[FLAGS_AT] |= PARALLEL_DIROPS;
    return syscall(SYS_writev, handle, parts, count);
}

static int serve(struct fuse_session *session)
{
    struct fuse_loop_config *config = have(fuse_loop_cfg_create());
    pthread_t thread;
    fuse_loop_cfg_set_max_threads(config, THREADS);
    fuse_loop_cfg_set_idle_threads(config, THREADS);
    if (pthread_create(&thread, NULL, answer_in_time, NULL) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    fuse_session_loop_mt(session, config);
    fuse_loop_cfg_destroy(config);
    printf("{\"lookup\": %ld, \"attributes\": %ld, \"open\": %ld, \"entries\": %ld,"
           " \"most_waiting\": %ld}\n",
           calls[LOOKUP], calls[ATTRIBUTES], calls[OPEN], calls[ENTRIES], most_waiting);
    return 0;
}

int main(int count, char **values)
{
    if (count != 5) {
        fprintf(stderr, "usage: slowfs SOURCE MOUNTPOINT MICROSECONDS plain|plus\n");
        return 2;
    }
    latency_nsecs = 1000 * atol(values[3]);
    with_attributes = strcmp(values[4], "plus") == 0;
    int source = open(values[1], O_RDONLY | O_DIRECTORY);
    size_t root = add_node(NULL);
    if (source < 0 || fstat(source, &nodes[root].attributes) != 0)
        fail(values[1]);
    load(root, source);

    char *given[] = {values[0], "-o", "ro,fsname=slowfs"};
    struct fuse_args arguments = FUSE_ARGS_INIT(3, given);
    struct fuse_session *session =
        fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (session == NULL || fuse_set_signal_handlers(session) != 0 ||
        fuse_session_mount(session, values[2]) != 0)
        return 1;
    int status = serve(session);
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    fuse_session_destroy(session);
    return status;
}
