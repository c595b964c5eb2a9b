/* What to do about a dead letter, by the reason it was refused for. */
#pragma once
#include "base/slice.h"

/* Never NULL; reasons that nobody knows get general advice. */
const char *letter_advice(struct slice stage, struct slice reason);
