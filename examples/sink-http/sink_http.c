/* A target of your own, for `sinks:` with kind library: every batch of results is one POST of JSON lines to the URL that
 * `to` says. 200 to 299 means taken; 4xx that somebody must act; everything else is tried again, with the same ids in
 * the lines (`id`), so that the receiver can tell repeats. src/deliver/target.h is all that it needs of weir.
 *
 *     cc -shared -fPIC -I src sink_http.c -lcurl -o sink_http.so */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliver/target.h"

struct http_target {
    struct target target; /* first */
    CURL *curl;
};

static enum status fail(struct error *err, enum status status, const char *what, long code)
{
    err->status = status;
    snprintf(err->text, sizeof err->text, "post results: %s (%ld)", what, code);
    return status;
}

static size_t ignore(char *bytes, size_t size, size_t n, void *self)
{
    return size * n;
}

static enum status http_open(const struct target_options *options, struct world *world, struct target **out,
                             struct error *err)
{
    struct http_target *target = calloc(1, sizeof *target);
    target->target.backend = &weir_target;
    target->curl = curl_easy_init();
    curl_easy_setopt(target->curl, CURLOPT_URL, options->to);
    curl_easy_setopt(target->curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(target->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(target->curl, CURLOPT_WRITEFUNCTION, ignore);
    *out = &target->target;
    return OK;
}

/* The receiver remembers nothing for us: what the journal knows is where it stands. */
static enum status http_resume(struct target *self, char io_note[TARGET_NOTE_MAX], uint64_t *io_position,
                               struct error *err)
{
    return OK;
}

static enum status http_write(struct target *self, const struct target_batch *batch, char io_note[TARGET_NOTE_MAX],
                              struct error *err)
{
    CURL *curl = ((struct http_target *)self)->curl;
    char *body = NULL;
    size_t size = 0;
    long answer = 0;
    FILE *lines = open_memstream(&body, &size);
    for (size_t i = 0; i < batch->count; i++)
        fprintf(lines, "%.*s\n", SLICE_ARG(batch->records[i].value));
    fclose(lines);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)size);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
    free(body);
    if (code != CURLE_OK)
        return fail(err, ERR_RETRY, curl_easy_strerror(code), (long)code);
    if (answer >= 400 && answer < 500 && answer != 429)
        return fail(err, ERR_INVALID, "the receiver refuses them", answer);
    return answer >= 200 && answer < 300 ? OK : fail(err, ERR_RETRY, "the receiver cannot take them now", answer);
}

static void http_close(struct target *self)
{
    curl_easy_cleanup(((struct http_target *)self)->curl);
    free(self);
}

const struct target_backend weir_target = { TARGET_VERSION, "http", http_open, http_resume, http_write, http_close };
