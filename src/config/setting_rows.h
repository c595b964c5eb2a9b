/* How rows of settings are written: in settings.c and sink_settings.c, which say what FIELD is. */
#pragma once

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB (1LL << 10)
#define MIB (1LL << 20)
#define GIB (1LL << 30)
#define TIB (1LL << 40)

/* Behind the help may stand .reload = true: SIGHUP applies it (app/reload.c). */
#define NUMBER(key, kind, field, text, min, max, ...)                                                                  \
    {                                                                                                                  \
        key, kind, FIELD(field), text, min, max, NULL, __VA_ARGS__                                                     \
    }
#define WORD(key, kind, field, text, choices, ...)                                                                     \
    {                                                                                                                  \
        key, kind, FIELD(field), text, 0, 0, choices, __VA_ARGS__                                                      \
    }
#define INTEGER(key, ...) NUMBER(key, OPTION_INTEGER, __VA_ARGS__)
#define BYTES(key, ...) NUMBER(key, OPTION_BYTES, __VA_ARGS__)
#define DURATION(key, ...) NUMBER(key, OPTION_DURATION, __VA_ARGS__)
#define SHARE(key, field, text, ...) WORD(key, OPTION_SHARE, field, text, NULL, __VA_ARGS__)
#define TEXT(key, field, text, ...) WORD(key, OPTION_TEXT, field, text, NULL, __VA_ARGS__)
#define SECRET(key, field, ...) WORD(key, OPTION_SECRET, field, "", NULL, __VA_ARGS__)
#define CHOICE(key, ...) WORD(key, OPTION_CHOICE, __VA_ARGS__)
#define BOOLEAN(key, field, text, ...) WORD(key, OPTION_BOOLEAN, field, text, NULL, __VA_ARGS__)
