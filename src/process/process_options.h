/* The defaults of struct process_options (process_task.h), for all who work with a partition's state. */
#pragma once
#include "process/process_task.h"

/* What is 0 becomes what its comment says. */
void process_options_complete(struct process_options *options);
