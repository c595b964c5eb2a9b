/* Settings turned into each part's own options: the one place where the names in YAML meet the names in code. */
#pragma once
#include "app/status_page.h"
#include "catalog/catalog.h"
#include "config/settings.h"
#include "deliver/deliver.h"
#include "ingest/ingest.h"
#include "journal/journal.h"
#include "process/process_task.h"
#include "serve/serve.h"
#include "store/sink.h"

struct engine;

/* As journal.backend says. */
const struct journal_backend *parts_journal_backend(const struct settings *settings);
void parts_journal_options(const struct settings *settings, const char *path, struct journal_options *out);
/* What the roles (enum app_role) of a process do with the journal. as: borrowed, see journal_use. */
void parts_journal_use(unsigned roles, const char *as, struct journal_use *out);
/* data_path is borrowed for the life of what is made with it; the same below. */
void parts_ingest_options(const struct settings *settings, const char *data_path, struct ingest_options *out);
void parts_process_options(const struct settings *settings, const char *state_path, uint16_t partitions,
                           struct process_options *out);
void parts_status_page(const struct settings *settings, struct status_page_options *out);
void parts_sink_options(const struct settings *settings, struct sink_options *out);
/* Without what follows from the journal and the domains. */
void parts_delivery_options(const struct settings *settings, const struct sink_settings *sink,
                            struct delivery_options *out);
void parts_serve_options(const struct settings *settings, const char *token_path, struct serve_options *out);
