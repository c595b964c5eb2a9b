/* `weir dead-letters replay`. */
#pragma once
int letter_replay(int argc, char **argv);
