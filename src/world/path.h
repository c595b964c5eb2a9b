/* Where a path leads from the root, told by its letters alone: no "." and "..", no slash twice. Links are not followed,
 * and nothing need be there. Two spellings of one place come out alike. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* A relative path begins at the working directory. False: it does not fit into size (or there is no working
 * directory), to is untouched. */
bool path_absolute(const char *path, char *to, size_t size);
