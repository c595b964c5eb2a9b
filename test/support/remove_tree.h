/* For tests that made a directory of their own. Any thread. */
#pragma once

/* The directory with all that is in it. 0, or -1 with errno as nftw says. */
int remove_tree(const char *path);
