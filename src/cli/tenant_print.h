/* Answers of /v1/tenants as text, for `weir tenant`. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

/* A member of the answer as text: strings unescaped, numbers grouped where they are large. */
void tenant_add_member(struct slice json, const char *name, struct buf *out);
void tenant_print_one(struct slice json);
void tenant_print_list(struct slice json);
