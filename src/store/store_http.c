/* libcurl does the work: keep-alive, TLS, time-outs, and a fresh connection where the engine closed the old one
 * meanwhile (curl then rewinds the body: hence body_seek). Its own copy through an upload buffer costs 0.1 ms a
 * megabyte, next to 10 ms that the engine takes for it. Proxies named in the environment are not for us: the engine
 * is on loopback or at an address that somebody configured. */
#include "store/store_http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct store_http {
    CURL *curl;
    struct store_http_options options;
    char *url, *user, *password; /* owned copies */
    _Atomic bool cancelled;
    /* One request's: */
    const struct store_http_request *request;
    size_t part, offset; /* how much of the body was handed over */
    long exception_code;
    char curl_error[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t body_read(char *to, size_t size, size_t count, void *self)
{
    struct store_http *client = self;
    size_t room = size * count, done = 0;
    while (done < room && client->part < client->request->part_count) {
        const struct iovec *part = &client->request->parts[client->part];
        size_t n = part->iov_len - client->offset;
        if (n > room - done)
            n = room - done;
        if (n)
            memcpy(to + done, (const char *)part->iov_base + client->offset, n);
        done += n;
        client->offset += n;
        if (client->offset == part->iov_len) {
            client->part++;
            client->offset = 0;
        }
    }
    return done;
}

static int body_seek(void *self, curl_off_t offset, int origin)
{
    struct store_http *client = self;
    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_CANTSEEK;
    client->part = client->offset = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t answer_add(char *bytes, size_t size, size_t count, void *self)
{
    struct store_http *client = self;
    struct buf *answer = client->request->answer;
    size_t n = size * count;
    if (answer && !answer->full) {
        /* Up to the bound, and nothing behind a gap. */
        size_t room = answer->max_bytes - answer->n;
        buf_add(answer, bytes, n < room ? n : room);
        answer->full = answer->full || n > room;
    }
    return n;
}

static size_t header_look(char *bytes, size_t size, size_t count, void *self)
{
    struct store_http *client = self;
    static const char NAME[] = "x-clickhouse-exception-code:";
    struct slice line = { bytes, size * count };
    if (line.n > sizeof NAME - 1 && slice_equal_nocase((struct slice){ bytes, sizeof NAME - 1 }, slice_from(NAME))) {
        uint64_t code;
        if (slice_to_u64(slice_trim(slice_after(line, sizeof NAME - 1)), &code) && code < INT32_MAX)
            client->exception_code = (long)code;
    }
    return line.n;
}

/* curl calls this about once a second, and more often while bytes move. */
static int look_cancelled(void *self, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct store_http *client = self;
    return atomic_load_explicit(&client->cancelled, memory_order_relaxed);
}

static void set_constant_options(struct store_http *client)
{
    CURL *curl = client->curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, body_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, client);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, body_seek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, client);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_add);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_look);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_error);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->options.connect_wait_ms);
    if (client->options.tls_ca && client->options.tls_ca[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->options.tls_ca); /* curl copies it */
}

enum status store_http_open(const struct store_http_options *options, struct store_http **out, struct error *err)
{
    assert(options->url && options->user && options->password && options->connect_wait_ms > 0);
    pthread_once(&curl_once, curl_begin);
    struct slice url = slice_from(options->url);
    if (!slice_starts(url, SLICE("http://")) && !slice_starts(url, SLICE("https://")))
        return error_set(err, ERR_INVALID, "the store's url %s must begin with http:// or https://", options->url);
    struct store_http *client = calloc(1, sizeof *client);
    if (!client)
        return error_set(err, ERR_FULL, "open store client: out of memory");
    client->options = *options;
    bool slash = url.p[url.n - 1] == '/';
    if (asprintf(&client->url, "%s%s", options->url, slash ? "" : "/") < 0)
        client->url = NULL;
    client->user = strdup(options->user);
    client->password = strdup(options->password);
    client->curl = curl_easy_init();
    if (!client->url || !client->user || !client->password || !client->curl) {
        store_http_close(client);
        return error_set(err, ERR_FULL, "open store client: out of memory");
    }
    set_constant_options(client);
    *out = client;
    return OK;
}

/* The engine's two headers, and none of those that curl would add and that cost a round trip. */
static struct curl_slist *make_headers(struct store_http *client)
{
    const struct store_http_request *request = client->request;
    char line[512];
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
    snprintf(line, sizeof line, "X-ClickHouse-User: %s", request->user ? request->user : client->user);
    headers = curl_slist_append(headers, line);
    snprintf(line, sizeof line, "X-ClickHouse-Key: %s", request->user ? request->password : client->password);
    return curl_slist_append(headers, line);
}

static enum status failed(struct store_http *client, CURLcode code, struct error *err)
{
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return error_set(err, ERR_CLOSED, "the request to %s was cancelled", client->url);
    const char *why = client->curl_error[0] ? client->curl_error : curl_easy_strerror(code);
    return error_set(err, ERR_RETRY, "store at %s: %s", client->url, why);
}

enum status store_http_ask(struct store_http *client, const struct store_http_request *request,
                           struct store_http_answer *out_answer, struct error *err)
{
    assert(request->parameters && request->wait_ms > 0 && (!request->user || request->password));
    if (atomic_load(&client->cancelled))
        return error_set(err, ERR_CLOSED, "the request to %s was cancelled", client->url);
    char *url;
    if (asprintf(&url, "%s%s%s", client->url, request->parameters[0] ? "?" : "", request->parameters) < 0)
        return error_set(err, ERR_FULL, "ask the store: out of memory");
    client->request = request;
    client->part = client->offset = 0;
    client->exception_code = 0;
    client->curl_error[0] = '\0';
    curl_off_t size = 0;
    for (size_t i = 0; i < request->part_count; i++)
        size += (curl_off_t)request->parts[i].iov_len;
    struct curl_slist *headers = make_headers(client);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, size);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)request->wait_ms);
    CURLcode code = curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    free(url);
    client->request = NULL;
    if (code != CURLE_OK)
        return failed(client, code, err);
    out_answer->exception_code = client->exception_code;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &out_answer->http_status);
    return OK;
}

void store_http_cancel(struct store_http *client, bool cancelled)
{
    atomic_store(&client->cancelled, cancelled);
}

void store_http_close(struct store_http *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    free(client->url);
    free(client->user);
    free(client->password);
    free(client);
}

void store_http_add_parameter(struct buf *parameters, const char *name, struct slice value)
{
    static const char HEX[] = "0123456789ABCDEF";
    if (parameters->n)
        buf_add_char(parameters, '&');
    buf_add_text(parameters, name);
    buf_add_char(parameters, '=');
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || c == '.' || c == '~';
        if (plain) {
            buf_add_char(parameters, (char)c);
        } else {
            char escaped[3] = { '%', HEX[c >> 4], HEX[c & 15] };
            buf_add(parameters, escaped, sizeof escaped);
        }
    }
}
