/* Does a text look like what a field declares: an address, a day, a country … Looks at the text alone: whether somebody
 * reads mail there, or the country exists, is not asked. Any bytes; any thread. */
#pragma once
#include "config/event_type.h"

MUST_CHECK bool text_has_format(enum event_format format, struct slice text);
