/* Whether catalog.url may be used as it is written: seen at start and by `weir check`, before anything is connected. */
#pragma once
#include "config/config.h"

void catalog_check(const struct config *config, struct problems *problems);
