/*
 * Patterns of directories' names. Called by _walk.c, and by tests that compare it with
 * Python's fnmatch, which the twin uses: C's own has other sets and escapes.
 */

#include "_walk.h"

#include <string.h>

/* Whether a byte is in the set that begins at `set`, after its `[`. Gives what follows the
   set in `end`; NULL where it has no end, and the `[` is one to be taken literally. */
static bool in_set(const char *set, unsigned char byte, const char **end)
{
    bool negated = *set == '!', in = false;
    const char *from = set + negated;
    const char *close = *from == '\0' ? NULL : strchr(from + 1, ']'); /* a first ] is itself */
    *end = close == NULL ? NULL : close + 1;
    while (close != NULL && from < close) {
        bool range = from + 2 < close && from[1] == '-';
        unsigned char low = (unsigned char)from[0], high = (unsigned char)from[range ? 2 : 0];
        in |= low <= byte && byte <= high;
        from += range ? 3 : 1;
    }
    return in != negated;
}

bool matches(const char *pattern, const char *name)
{
    const char *star = NULL, *after_star = NULL, *set_end;
    for (;;) {
        bool fits = false;
        const char *next = pattern + 1;
        if (*pattern == '*') {
            star = pattern++;
            after_star = name;
            continue;
        }
        if (*name == '\0') {
            if (*pattern == '\0')
                return true;
        } else if (*pattern == '[') {
            fits = in_set(pattern + 1, (unsigned char)*name, &set_end);
            if (set_end == NULL)
                fits = *name == '[';
            else
                next = set_end;
        } else {
            fits = *pattern == '?' || *pattern == *name;
        }
        if (fits && *pattern != '\0') {
            pattern = next;
            name++;
        } else if (star != NULL && *after_star != '\0') {
            /* Let the star take one more byte, and try from there. */
            pattern = star + 1;
            name = ++after_star;
        } else {
            return false;
        }
    }
}
