/* What Python sees of the compiled walk: see _walk.pyi. Called by engine.py. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is asked ---------------------------------------------------------------- */

/* Who is told how far the walk is: a function of Python, or None. */
struct looker {
    PyThreadState *python;
    PyObject *progress;
};

/* Tell how far the walk is; whether it is to end, by the answer or because that or a signal's
   handler has raised. The walk runs without Python's lock. */
static bool look(void *state, const struct so_far *so_far)
{
    struct looker *looker = state;
    PyEval_RestoreThread(looker->python);
    bool raised = PyErr_CheckSignals() != 0;
    if (!raised && looker->progress != Py_None) {
        PyObject *answer =
            PyObject_CallFunction(looker->progress, "KKKy#", (unsigned long long)so_far->files,
                                  (unsigned long long)so_far->bytes,
                                  (unsigned long long)so_far->dirs, so_far->where,
                                  (Py_ssize_t)so_far->length);
        raised = answer == NULL || PyObject_IsTrue(answer) != 0;
        Py_XDECREF(answer);
    }
    looker->python = PyEval_SaveThread();
    return raised;
}

/* The texts of a tuple of bytes, which must outlive them, up to a NULL; NULL with an
   exception. */
static const char **texts(PyObject *tuple)
{
    Py_ssize_t count = PyTuple_Size(tuple);
    const char **list = count < 0 ? NULL : calloc((size_t)count + 1, sizeof *list);
    if (list == NULL && count >= 0)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        list[i] = PyBytes_AsString(PyTuple_GetItem(tuple, i));
        if (list[i] == NULL) {
            free(list);
            return NULL;
        }
    }
    return list;
}

static bool take_extensions(struct rules *rules, PyObject *extensions)
{
    Py_ssize_t count = PyTuple_Size(extensions);
    rules->extensions_size = 64;
    while ((size_t)count >= rules->extensions_size / 2)
        rules->extensions_size *= 2;
    rules->extensions = calloc(rules->extensions_size, sizeof *rules->extensions);
    if (rules->extensions == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *text;
        int type;
        if (!PyArg_ParseTuple(PyTuple_GetItem(extensions, i), "yi", &text, &type))
            return false;
        if (type < 0 || type >= rules->types_count || strlen(text) > LONGEST_EXTENSION) {
            PyErr_Format(PyExc_ValueError, "no extension of a type: %s", text);
            return false;
        }
        add_extension(rules, text, type);
    }
    return true;
}

static bool take_ends(struct rules *rules, PyObject *ends)
{
    Py_ssize_t count = PyTuple_Size(ends);
    if (count > MOST_AGES) {
        PyErr_Format(PyExc_ValueError, "more than %d ages", MOST_AGES);
        return false;
    }
    rules->ages_count = (int)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        rules->ends[i] = PyLong_AsLongLong(PyTuple_GetItem(ends, i));
        if (PyErr_Occurred())
            return false;
    }
    return true;
}

static bool take_patterns(struct rules *rules, PyObject *patterns)
{
    Py_ssize_t count = PyTuple_Size(patterns);
    rules->patterns = calloc((size_t)count + 1, sizeof *rules->patterns);
    if (rules->patterns == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        struct pattern *pattern = &rules->patterns[i];
        int folder, from_home;
        PyObject *parts;
        if (!PyArg_ParseTuple(PyTuple_GetItem(patterns, i), "ippO!", &pattern->kind, &folder,
                              &from_home, &PyTuple_Type, &parts))
            return false;
        pattern->folder = folder != 0;
        pattern->from_home = from_home != 0;
        pattern->parts_count = (size_t)PyTuple_Size(parts);
        if (pattern->kind < 0 || pattern->kind >= rules->kinds_count ||
            pattern->parts_count < 1) {
            PyErr_SetString(PyExc_ValueError, "no pattern of a kind");
            return false;
        }
        pattern->parts = texts(parts);
        rules->patterns_count++;
        if (pattern->parts == NULL)
            return false;
    }
    return true;
}

static bool take_rules(struct rules *rules, PyObject *given)
{
    PyObject *extensions, *ends, *patterns;
    unsigned folders, largest, places;
    if (!PyArg_ParseTuple(given, "iO!iO!O!(III)", &rules->types_count, &PyTuple_Type, &extensions,
                          &rules->kinds_count, &PyTuple_Type, &patterns, &PyTuple_Type, &ends,
                          &folders, &largest, &places))
        return false;
    if (rules->types_count < 0 || rules->types_count > MOST_TYPES || rules->kinds_count < 0 ||
        rules->kinds_count > MOST_KINDS) {
        PyErr_Format(PyExc_ValueError, "more than %d types or %d kinds of junk", MOST_TYPES,
                     MOST_KINDS);
        return false;
    }
    rules->folders = folders;
    rules->largest = largest;
    rules->places = places;
    return take_extensions(rules, extensions) && take_ends(rules, ends) &&
           take_patterns(rules, patterns);
}

static void drop_rules(struct rules *rules)
{
    for (size_t i = 0; i < rules->patterns_count; i++)
        free(rules->patterns[i].parts);
    free(rules->patterns);
    free(rules->extensions);
}

/* ---- what is found ---------------------------------------------------------------- */

/* A tuple of `count` values, each made by `make` from the next of `size` bytes; NULL with
   an exception. */
static PyObject *tuple_of(size_t count, const void *first, size_t size,
                          PyObject *(*make)(const void *))
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *value = make((const char *)first + i * size);
        if (value == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, value) != 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *as_sums(const void *at)
{
    const struct sums *sums = at;
    return Py_BuildValue("(KKK)", (unsigned long long)sums->bytes,
                         (unsigned long long)sums->allocated, (unsigned long long)sums->files);
}

static PyObject *as_row(const struct row *row, int kind, bool junk_root)
{
    return Py_BuildValue("(KKKKLiN)", (unsigned long long)row->sums.bytes,
                         (unsigned long long)row->sums.allocated,
                         (unsigned long long)row->sums.files, (unsigned long long)row->dirs,
                         (long long)row->newest, kind, PyBool_FromLong(junk_root));
}

static PyObject *as_open_row(const void *at)
{
    const struct open_row *open = at;
    return Py_BuildValue("(y#N)", open->path, (Py_ssize_t)open->length,
                         as_row(&open->row, open->kind, open->junk_root));
}

static PyObject *as_item(const void *at)
{
    const struct item *item = at;
    return Py_BuildValue("(Ky#N(KK))", (unsigned long long)item->weight, item->path,
                         (Py_ssize_t)item->length, as_row(&item->row, item->kind, false),
                         (unsigned long long)item->device, (unsigned long long)item->inode);
}

static PyObject *as_link(const void *at)
{
    const struct found_link *link = at;
    return Py_BuildValue("(KK(KKLiii)y#)", (unsigned long long)link->device,
                         (unsigned long long)link->inode, (unsigned long long)link->bytes,
                         (unsigned long long)link->allocated, (long long)link->modified,
                         link->type, link->modified_band, link->accessed_band, link->where,
                         (Py_ssize_t)link->length);
}

static PyObject *as_best(const struct best *best)
{
    return tuple_of(best->count, best->items, sizeof *best->items, as_item);
}

static PyObject *as_details(const struct details *details, const struct rules *rules)
{
    const struct columns *columns = &details->columns;
    size_t sums = sizeof(struct sums), bands = (size_t)rules->ages_count + 1;
    return Py_BuildValue(
        "{s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:L,s:L}",
        "rows", tuple_of(details->rows_count, details->rows, sizeof *details->rows, as_open_row),
        "folders", as_best(&details->folders),
        "largest", as_best(&details->largest),
        "places", as_best(&details->places),
        "junk", tuple_of((size_t)rules->kinds_count, details->junk, sums, as_sums),
        "types", tuple_of((size_t)rules->types_count + 1, columns->types, sums, as_sums),
        "modified", tuple_of(bands, columns->modified, sums, as_sums),
        "accessed", tuple_of(bands, columns->accessed, sums, as_sums),
        "oldest", (long long)columns->oldest,
        "newest", (long long)columns->newest);
}

static PyObject *as_name(const void *at)
{
    const struct unreadable *unreadable = at;
    return Py_BuildValue("(yi)", unreadable->name, unreadable->error);
}

static PyObject *as_dictionary(const struct found *found, const struct rules *rules)
{
    const struct counts *counts = &found->counts;
    const struct details *details = &found->details;
    PyObject *summed = rules != NULL ? as_details(details, rules) : Py_BuildValue("");
    return Py_BuildValue(
        "{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:d,s:N,s:N,s:N,s:i,s:N,s:N}",
        "bytes", (unsigned long long)counts->bytes,
        "allocated", (unsigned long long)counts->allocated,
        "files", (unsigned long long)counts->files,
        "dirs", (unsigned long long)counts->dirs,
        "unreadable", (unsigned long long)counts->unreadable,
        "vanished", (unsigned long long)counts->vanished,
        "lost_dirs", (unsigned long long)counts->lost_dirs,
        "changed", found->changed,
        "names", tuple_of((size_t)found->names_count, found->names, sizeof *found->names, as_name),
        "timed_out", PyBool_FromLong(found->ending == TIMED_OUT || found->ending == INTERRUPTED),
        "proven_over", PyBool_FromLong(found->ending == PROVEN_OVER),
        "threads", found->threads,
        "links", tuple_of(details->links_count, details->links, sizeof *details->links, as_link),
        "details", summed);
}

/* ---- functions -------------------------------------------------------------------- */

/* Walk, and say what was found; NULL with an exception. */
static PyObject *walk_with(struct task *task, PyObject *progress)
{
    struct found found = {0};
    struct looker looker = {.progress = progress};
    PyObject *answer = NULL;
    task->look = look;
    task->look_with = &looker;
    looker.python = PyEval_SaveThread();
    int error = walk_home(task, &found);
    PyEval_RestoreThread(looker.python);
    if (error == ENOMEM || found.ending == OUT_OF_MEMORY) {
        PyErr_NoMemory();
    } else if (error != 0) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
    } else if (!PyErr_Occurred()) { /* a signal may have come when all was done */
        answer = as_dictionary(&found, task->rules);
    }
    clear_found(&found);
    return answer;
}

static PyObject *walk(PyObject *module, PyObject *arguments)
{
    struct task task = {.pace = -1};
    struct rules rules = {0};
    int cross_mounts, has_ceiling, allocated, part, junk_root;
    long long ceiling_bytes, ceiling_files;
    Py_ssize_t prefix_length;
    PyObject *skip, *given, *progress, *answer = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "iiidpO!pp(LL)O(py#Iip)O|i:walk", &task.home,
                          &task.most_open, &task.threads, &task.deadline_secs, &cross_mounts,
                          &PyTuple_Type, &skip, &allocated, &has_ceiling, &ceiling_bytes,
                          &ceiling_files, &given, &part, &task.prefix, &prefix_length,
                          &task.prefix_depth, &task.kind, &junk_root, &progress, &task.pace))
        return NULL;
    if (task.threads < 1) {
        PyErr_SetString(PyExc_ValueError, "a walk needs at least one thread");
        return NULL;
    }
    task.cross_mounts = cross_mounts != 0;
    task.has_ceiling = has_ceiling != 0;
    task.ceiling_bytes = ceiling_bytes;
    task.ceiling_files = ceiling_files;
    task.allocated = allocated != 0;
    task.part = part != 0;
    task.prefix_length = (size_t)prefix_length;
    task.junk_root = junk_root != 0;
    task.skip = texts(skip);
    if (given != Py_None)
        task.rules = &rules;
    if (task.skip != NULL && (given == Py_None || take_rules(&rules, given)))
        answer = walk_with(&task, progress);
    drop_rules(&rules);
    free(task.skip);
    return answer;
}

static PyObject *matches_in_python(PyObject *module, PyObject *arguments)
{
    const char *pattern, *name;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "yy:matches", &pattern, &name))
        return NULL;
    return PyBool_FromLong(matches(pattern, name));
}

static PyMethodDef methods[] = {
    {"walk", walk, METH_VARARGS,
     "walk(home, most_open, threads, deadline_secs, cross_mounts, skip, allocated,\n"
     "     has_ceiling, (bytes, files), rules, (part, prefix, depth, kind, junk_root),\n"
     "     progress, pace=-1) -> dict\n\n"
     "Count a home, given as a handle; pace is one too, see pace.py. Raises OSError,\n"
     "MemoryError, or what a signal's handler or `progress` raises."},
    {"matches", matches_in_python, METH_VARARGS,
     "matches(pattern, name) -> bool\n\nWhether a name matches a pattern of `skip`."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_walk", "The compiled walk: see engine.py.", 0, methods, NULL, NULL,
    NULL, NULL,
};

PyMODINIT_FUNC PyInit__walk(void)
{
    return PyModule_Create(&definition);
}
