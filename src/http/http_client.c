/* libcurl's easy interface: it keeps the connection between requests by itself. */
#include "http/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/json_scan.h"

struct http_client {
    CURL *curl;
    struct http_client_options options;
    struct buf body;
    char *url;  /* without trailing slashes */
    char *auth; /* a whole header line, or NULL */
};

static size_t take_body(char *bytes, size_t size, size_t count, void *self)
{
    struct http_client *client = self;
    buf_add(&client->body, bytes, size * count);
    return client->body.full ? 0 : size * count;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_failed;

static void curl_begin(void)
{
    curl_failed = curl_global_init(CURL_GLOBAL_DEFAULT) != 0;
}

enum status http_client_open(const struct http_client_options *options, struct http_client **out, struct error *err)
{
    pthread_once(&curl_once, curl_begin);
    if (curl_failed)
        return error_set(err, ERR_IO, "the HTTP library does not start");
    if (!options->url || (strncmp(options->url, "http://", 7) != 0 && strncmp(options->url, "https://", 8) != 0))
        return error_set(err, ERR_INVALID, "'%s' is not an address such as http://127.0.0.1:8001",
                         options->url ? options->url : "");
    AUTO(http_client) struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        return error_set(err, ERR_FULL, "out of memory");
    client->options = *options;
    buf_init(&client->body, options->body_bytes_max ? options->body_bytes_max : (size_t)256 << 20);
    client->curl = curl_easy_init();
    client->url = strdup(options->url);
    if (!client->curl || !client->url)
        return error_set(err, ERR_FULL, "out of memory");
    for (size_t n = strlen(client->url); n && client->url[n - 1] == '/'; n--)
        client->url[n - 1] = '\0';
    if (options->key && *options->key) {
        if (strpbrk(options->key, "\r\n"))
            return error_set(err, ERR_INVALID, "the key contains a line break");
        if (!options->key_is_basic && asprintf(&client->auth, "Authorization: Bearer %s", options->key) < 0)
            return error_set(err, ERR_FULL, "out of memory");
    }
    *out = GIVE(client);
    return OK;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    if (client->curl)
        curl_easy_cleanup(client->curl);
    buf_done(&client->body);
    free(client->url);
    free(client->auth);
    free(client);
}

enum status http_client_get(struct http_client *client, const char *path, struct http_reply *out, struct error *err)
{
    return http_client_send(client, "GET", path, NULL, (struct slice){ 0 }, NULL, out, err);
}

static enum status explain(struct http_client *client, CURLcode code, const char *detail, struct error *err)
{
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
        return error_set(err, ERR_RETRY, "nothing answers at %s: %s", client->url,
                         client->options.start_hint ? client->options.start_hint : "start it with `weir up`");
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, ERR_INVALID, "%s: there is no such host", client->url);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return error_set(err, ERR_INVALID, "'%s' is not an address such as http://127.0.0.1:8001", client->url);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(err, ERR_RETRY, "%s did not answer in time: %s", client->url, detail);
    case CURLE_WRITE_ERROR:
        return error_set(err, ERR_FULL, "the answer is larger than %zu bytes: ask for less", client->body.max_bytes);
    default:
        return error_set(err, ERR_RETRY, "%s: %s", client->url, detail);
    }
}

static struct curl_slist *request_headers(struct http_client *client, const char *content_type, const char *extra)
{
    char line[128];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (client->auth)
        list = curl_slist_append(list, client->auth);
    if (content_type) {
        snprintf(line, sizeof line, "Content-Type: %s", content_type);
        list = curl_slist_append(list, line);
    }
    if (extra)
        list = curl_slist_append(list, extra);
    return list;
}

static void request_prepare(struct http_client *client, const char *method, const char *url, struct curl_slist *headers,
                            struct slice body, char *detail)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     client->options.connect_ms ? (long)client->options.connect_ms : 5000L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, client->options.timeout_ms ? (long)client->options.timeout_ms : 60000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    if (client->options.key_is_basic && client->options.key && *client->options.key) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        if (strchr(client->options.key, ':')) {
            curl_easy_setopt(curl, CURLOPT_USERPWD, client->options.key);
        } else {
            curl_easy_setopt(curl, CURLOPT_USERNAME, client->options.key);
            curl_easy_setopt(curl, CURLOPT_PASSWORD, "");
        }
    }
    if (body.p) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    }
}

enum status http_client_send(struct http_client *client, const char *method, const char *path, const char *content_type,
                             struct slice body, const char *extra_header, struct http_reply *out, struct error *err)
{
    assert(path[0] == '/');
    char *url;
    char detail[CURL_ERROR_SIZE] = "";
    if (asprintf(&url, "%s%s", client->url, path) < 0)
        return error_set(err, ERR_FULL, "out of memory");
    buf_reset(&client->body);
    struct curl_slist *headers = request_headers(client, content_type, extra_header);
    request_prepare(client, method, url, headers, body, detail);
    CURLcode code = curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    free(url);
    if (code != CURLE_OK)
        return explain(client, code, detail[0] ? detail : curl_easy_strerror(code), err);
    long status = 0;
    curl_off_t elapsed_us = 0, retry_after_s = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(client->curl, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, &retry_after_s);
    const char *text = buf_text(&client->body);
    *out = (struct http_reply){ (unsigned)status, slice_of(text, client->body.n), retry_after_s * 1000, elapsed_us };
    return OK;
}

enum status http_reply_error(const struct http_reply *reply, const char *doing, struct error *err)
{
    AUTO(buf) struct buf message;
    buf_init(&message, 4096);
    if (!http_json_string(reply->body, "message", &message)) {
        buf_reset(&message);
        buf_add(&message, reply->body.p, reply->body.n < 200 ? reply->body.n : 200);
    }
    enum status status = reply->status == 404                           ? ERR_NOT_FOUND
                         : reply->status == 429 || reply->status >= 500 ? ERR_RETRY
                                                                        : ERR_INVALID;
    if (reply->status < 300) /* a success of somebody who does not speak our language */
        return error_set(err, status, "%s: the answer is %u, which weir does not give: check the address", doing,
                         reply->status);
    const char *hint = reply->status == 401 ? " (give a key with --key or WEIR_KEY)" : "";
    return error_set(err, status, "%s: %s%s", doing, message.n ? buf_text(&message) : "refused", hint);
}

int http_client_exit_code(enum status status, unsigned http_status)
{
    if (http_status == 401 || http_status == 403)
        return EX_NOPERM;
    switch (status) {
    case OK:
        return EX_OK;
    case ERR_INVALID:
        return http_status ? EX_DATAERR : EX_USAGE;
    case ERR_NOT_FOUND:
        return EX_DATAERR;
    case ERR_FULL:
        return EX_DATAERR;
    case ERR_RETRY:
        return http_status == 429 || http_status == 503 ? EX_TEMPFAIL : EX_UNAVAILABLE;
    case ERR_CORRUPT:
        return EX_PROTOCOL;
    case ERR_IO:
        return EX_IOERR;
    case ERR_CLOSED:
        return EX_UNAVAILABLE;
    }
    return EX_SOFTWARE;
}

bool http_json_string(struct slice json, const char *name, struct buf *out)
{
    struct slice value;
    return json_find(json, name, &value) && json_scan_string(value, out);
}
