/* The part of `weir check` that is about domains: their summary, and their language as a list. */
#pragma once
#include "config/domain.h"

/* A line per domain, window and transform. */
void check_domains_print(const struct domain_set *set);
/* ,"domains":[…] */
void check_domains_json(const struct domain_set *set, struct buf *out);
/* The keys, measures and functions whose name has the part in it (NULL: all). Returns how many. */
size_t check_domains_list(const char *part);
