/* What Python sees of the compiled walk: see _walk.pyi. Called by walk.py. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_walk.h"

#include <errno.h>
#include <stdlib.h>

/* Whether a signal's handler has raised. The walk runs without Python's lock. */
static bool interrupted(void *state)
{
    PyThreadState **python = state;
    PyEval_RestoreThread(*python);
    bool raised = PyErr_CheckSignals() != 0;
    *python = PyEval_SaveThread();
    return raised;
}

static PyObject *as_dictionary(const struct found *found)
{
    const struct counts *counts = &found->counts;
    PyObject *names = PyTuple_New(found->names_count);
    if (names == NULL)
        return NULL;
    for (int i = 0; i < found->names_count; i++) {
        PyObject *pair = Py_BuildValue("(yi)", found->names[i].name, found->names[i].error);
        if (pair == NULL || PyTuple_SetItem(names, i, pair) != 0) {
            Py_DECREF(names);
            return NULL;
        }
    }
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:d,s:N,s:N,s:N,s:i}",
                         "bytes", counts->bytes,
                         "allocated", counts->allocated,
                         "files", counts->files,
                         "dirs", counts->dirs,
                         "unreadable", counts->unreadable,
                         "vanished", counts->vanished,
                         "lost_dirs", counts->lost_dirs,
                         "changed", found->changed,
                         "names", names,
                         "timed_out", PyBool_FromLong(found->ending == TIMED_OUT),
                         "proven_over", PyBool_FromLong(found->ending == PROVEN_OVER),
                         "threads", found->threads);
}

/* The patterns of a tuple of bytes, which must outlive them; NULL with an exception. */
static const char **patterns(PyObject *tuple)
{
    Py_ssize_t count = PyTuple_Size(tuple);
    const char **list = calloc((size_t)count + 1, sizeof *list);
    if (list == NULL)
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

static PyObject *walk(PyObject *module, PyObject *arguments)
{
    struct task task = {.interrupted = interrupted, .pace = -1};
    struct found found = {0};
    int cross_mounts, has_ceiling, ceiling_allocated;
    long long ceiling_bytes, ceiling_files;
    PyObject *skip, *answer = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "iiidpO!p(LLp)|i:walk", &task.home, &task.most_open,
                          &task.threads, &task.deadline_secs, &cross_mounts, &PyTuple_Type, &skip,
                          &has_ceiling, &ceiling_bytes, &ceiling_files, &ceiling_allocated,
                          &task.pace))
        return NULL;
    if (task.threads < 1) {
        PyErr_SetString(PyExc_ValueError, "a walk needs at least one thread");
        return NULL;
    }
    task.cross_mounts = cross_mounts != 0;
    task.has_ceiling = has_ceiling != 0;
    task.ceiling_bytes = ceiling_bytes;
    task.ceiling_files = ceiling_files;
    task.ceiling_allocated = ceiling_allocated != 0;
    task.skip = patterns(skip);
    if (task.skip == NULL)
        return NULL;

    PyThreadState *python = PyEval_SaveThread();
    task.interrupted_with = &python;
    int error = walk_home(&task, &found);
    PyEval_RestoreThread(python);

    if (error == ENOMEM || found.ending == OUT_OF_MEMORY) {
        PyErr_NoMemory();
    } else if (error != 0) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
    } else if (!PyErr_Occurred()) { /* a signal may have come when all was done */
        answer = as_dictionary(&found);
    }
    for (int i = 0; i < found.names_count; i++)
        free(found.names[i].name);
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
     "walk(home, most_open, threads, deadline_secs, cross_mounts, skip, has_ceiling,\n"
     "     (bytes, files, allocated), pace=-1) -> dict\n\n"
     "Count a home, given as a handle; pace is one too, see pace.py. Raises OSError,\n"
     "MemoryError, or what a signal's handler raises."},
    {"matches", matches_in_python, METH_VARARGS,
     "matches(pattern, name) -> bool\n\nWhether a name matches a pattern of `skip`."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_walk", "The compiled walk: see walk.py.", 0, methods, NULL, NULL,
    NULL, NULL,
};

PyMODINIT_FUNC PyInit__walk(void)
{
    return PyModule_Create(&definition);
}
