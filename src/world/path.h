/* Where a path leads. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* From the root, told by its letters alone: no "." and "..", no slash twice. Links are not followed, and nothing need
 * be there. Two spellings of one place come out alike. A relative path begins at the working directory. False: it does
 * not fit into size (or there is no working directory), to is untouched. */
bool path_absolute(const char *path, char *to, size_t size);
/* Both lead to one file, which is there or would be made there: by links of either kind, a mount, another spelling.
 * Where not even the directory is there, the letters decide. */
bool path_is_same_file(const char *one, const char *other);
