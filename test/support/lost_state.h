/* A partition that moves to another machine finds nothing there. */
#pragma once
#include <stdint.h>

struct disk;

/* Removes everything of the partition's state from the (simulated) disk; nobody uses it at the time. */
void lost_state(struct disk *disk, const char *state_path, uint16_t partition);
