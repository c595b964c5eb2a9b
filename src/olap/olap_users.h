/* Who may ask the engine: one writer, and readers by number ("slots", as in the catalog's olap_slot). Passwords are
 * HMAC-SHA256(secret, name), so parent and child agree without talking, and a new tenant needs no new user: a row in
 * weir.tenant_users gives it a slot (store/schema.h). The secret is a 0600 file that the engine itself cannot read. */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "base/error.h"

struct world;

#define OLAP_SECRET_BYTES 32
#define OLAP_WRITER "writer"

struct olap_secret {
    unsigned char bytes[OLAP_SECRET_BYTES];
};

struct olap_user {
    char name[24];     /* "writer", "reader_0007" */
    char password[65]; /* hexadecimal */
};

/* Reads data_dir/secret, or makes it (with the directory) when it is missing; safe when two do so at once.
 * ERR_CORRUPT: it has not exactly 32 bytes. */
MUST_CHECK enum status olap_secret_open(const char *data_dir, struct world *world, struct olap_secret *out,
                                        struct error *err);
/* What follows from a password that parent and child have been told (engine.password), instead of a file. */
void olap_secret_derive(const char *password, struct olap_secret *out);
/* data_dir/secret, which the child reads, becomes this one. */
MUST_CHECK enum status olap_secret_put(const char *data_dir, const struct olap_secret *secret, struct world *world,
                                       struct error *err);
void olap_writer(const struct olap_secret *secret, struct olap_user *out);
void olap_reader(const struct olap_secret *secret, uint32_t slot, struct olap_user *out);

/* The engine's two files. ERR_FULL: more slots than fit. */
MUST_CHECK enum status olap_users_xml(const struct olap_secret *secret, uint32_t slots, struct buf *out,
                                      struct error *err);
struct olap_config {
    const char *users_path, *temporary_path;
    uint32_t memory_mb;
    bool verbose; /* the engine's own log on standard error */
};
MUST_CHECK enum status olap_config_xml(const struct olap_config *config, struct buf *out, struct error *err);
/* Text made fit to stand in an element. */
void xml_add_text(struct buf *out, struct slice text);
