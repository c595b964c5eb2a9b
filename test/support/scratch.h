/* For tests that want a directory of their own. It lies where temporary files lie (TMPDIR, else /tmp): what runs the
 * tests gives them one that goes with the run (tools/scratch.sh), so a test that is killed leaves nothing either.
 * Any thread. */
#pragma once

#define SCRATCH_PATH_MAX 128 /* with the end; a name below it wants more */

/* Makes one; its path is …/weir-NAME-XXXXXX. A test that cannot have one fails. */
void scratch_make(const char *name, char out_path[SCRATCH_PATH_MAX]);

/* The directory with all that is in it. 0, or -1 with errno as nftw says. */
int scratch_remove(const char *path);
