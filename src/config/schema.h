/* JSON Schemas (draft 2020-12) of the configuration's files, for editors, made of the tables that the readers use. A
 * file that `weir check` takes is valid by them; what they cannot say (bounds of sizes, expressions, what goes
 * together), `weir check` says. */
#pragma once
#include "base/buf.h"

void schema_of_settings(struct buf *out); /* platform.yaml, environments/NAME.yaml */
void schema_of_domain(struct buf *out);   /* domains/NAME.yaml */
