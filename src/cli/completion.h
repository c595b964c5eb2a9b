/* The completion scripts for all visible commands. */
#pragma once
#include "base/buf.h"

struct args_command;

void completion_write_bash(struct buf *out);
void completion_write_zsh(struct buf *out);
