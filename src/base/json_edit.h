/* Changing some members of a JSON object and leaving every other byte as it is: digits, order and blanks of what nobody
 * touches stay. The text was checked before; one that is none gives false. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/slice.h"

#define JSON_EDIT_MAX 64 /* changes at once */
#define JSON_EDIT_DEPTH_MAX 8

struct json_change {
    const struct slice *names; /* the way to the member, without quotes and escapes */
    size_t count;              /* of names: 1 to JSON_EDIT_DEPTH_MAX */
    bool remove;
    struct slice value; /* JSON, unless it is removed */
};

/* Appends the object with all changes made: a member is replaced where it stands (one that comes twice: once), a new
 * one comes last, with the objects on the way to it; a value on the way that is no object is replaced by one. No
 * change's way may be the beginning of another's. False: not an object, or broken, or out is full. */
MUST_CHECK bool json_edit(struct slice object, const struct json_change *changes, size_t count, struct buf *out);
