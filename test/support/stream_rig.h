/* What tests do with a machine (trial/machine.h) that people's cases do not. */
#pragma once
#include "trial/machine.h"

/* Puts the text on the machine's disk as a domain file and loads all files there are into *io_domains, which the caller
 * frees after the machine is done; only while it is down. */
void stream_rig_domain(struct machine *machine, struct domain_set **io_domains, const char *name, const char *yaml);
/* The sum of all metrics whose line begins so. */
double stream_rig_metric(struct machine *machine, const char *line_start);
