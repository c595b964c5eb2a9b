/* vault: HashiCorp Vault or OpenBao, the KV engine in version 2 over HTTP. NAME is a field of the secret at
 * secrets.vault.path, PATH#FIELD one of another secret below the same mount. The token is what VAULT_TOKEN says, or
 * the file secrets.vault.token_file. One request a secret; it is asked at start only. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_scan.h"
#include "config/secret.h"
#include "world/disk.h"
#include "world/world.h"

#define ANSWER_BYTES_MAX (1u << 20)
#define CONNECT_WAIT_MS 3000L
#define ANSWER_WAIT_MS 10000L
#define TOKEN_BYTES_MAX 4096

struct request {
    char url[1024];
    char token[TOKEN_BYTES_MAX], token_header[TOKEN_BYTES_MAX + 32], namespace_header[OPTION_TEXT_MAX + 32];
    struct buf answer;
    long http_status;
};

static size_t take_answer(char *bytes, size_t size, size_t count, void *self)
{
    struct request *request = self;
    buf_add(&request->answer, bytes, size * count);
    return request->answer.full ? 0 : size * count;
}

static enum status read_token(const struct settings *settings, struct world *world, struct request *request,
                              struct error *err)
{
    const char *from_environment = getenv("VAULT_TOKEN");
    if (!settings->secrets_vault_token_file[0]) {
        if (!from_environment || !from_environment[0])
            return error_set(err, ERR_INVALID,
                             "Vault wants a token: set secrets.vault.token_file or the environment variable "
                             "VAULT_TOKEN");
        snprintf(request->token, sizeof request->token, "%s", from_environment);
        return OK;
    }
    char *text;
    size_t n;
    enum status s =
        disk_read_whole(world->disk, settings->secrets_vault_token_file, TOKEN_BYTES_MAX - 1, &text, &n, err);
    if (s != OK) /* never ERR_NOT_FOUND, which would mean that the secret is missing */
        return error_wrap(err, ERR_INVALID, "read the token of Vault (secrets.vault.token_file)");
    struct slice token = slice_trim(slice_of(text, n));
    snprintf(request->token, sizeof request->token, "%.*s", SLICE_ARG(token));
    explicit_bzero(text, n);
    free(text);
    return OK;
}

static enum status make_url(const struct settings *settings, struct slice path, struct request *request,
                            struct error *err)
{
    const char *base = settings->secrets_vault_url[0] ? settings->secrets_vault_url : getenv("VAULT_ADDR");
    if (!base || !base[0])
        return error_set(err, ERR_INVALID,
                         "where is Vault? Set secrets.vault.url or the environment variable "
                         "VAULT_ADDR");
    if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0)
        return error_set(err, ERR_INVALID, "secrets.vault.url begins with https:// or http://");
    size_t n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    int wanted = snprintf(request->url, sizeof request->url, "%.*s/v1/%s/data/%.*s", (int)n, base,
                          settings->secrets_vault_mount, SLICE_ARG(path));
    return wanted < (int)sizeof request->url ? OK : error_set(err, ERR_INVALID, "the address of Vault is too long");
}

/* Values do not appear in libcurl's own words. */
static enum status ask(const struct settings *settings, struct request *request, struct error *err)
{
    snprintf(request->token_header, sizeof request->token_header, "X-Vault-Token: %s", request->token);
    snprintf(request->namespace_header, sizeof request->namespace_header, "X-Vault-Namespace: %s",
             settings->secrets_vault_namespace);
    CURL *curl = curl_easy_init();
    if (!curl)
        abort();
    struct curl_slist *headers = curl_slist_append(NULL, request->token_header);
    headers = curl_slist_append(headers, "X-Vault-Request: true");
    if (settings->secrets_vault_namespace[0])
        headers = curl_slist_append(headers, request->namespace_header);
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_WAIT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_WAIT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, request);
    if (settings->secrets_vault_ca[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, settings->secrets_vault_ca);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &request->http_status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return OK;
    return error_set(err, ERR_RETRY, "Vault does not answer at %s: %s", request->url, curl_easy_strerror(code));
}

static enum status judge(const struct request *request, struct error *err)
{
    switch (request->http_status) {
    case 200:
        return OK;
    case 404:
        return error_set(err, ERR_NOT_FOUND, "Vault has no secret at %s", request->url);
    case 403:
        return error_set(err, ERR_INVALID,
                         "Vault refuses %s (403): the token has expired, or its policy does not allow to read this",
                         request->url);
    case 503:
        return error_set(err, ERR_RETRY, "Vault is sealed or in maintenance (503): %s", request->url);
    default:
        return error_set(err, ERR_RETRY, "Vault answers %ld at %s", request->http_status, request->url);
    }
}

/* {"data": {"data": {"FIELD": "…"}, "metadata": …}} */
static enum status take_field(const struct request *request, struct slice field, struct buf *out, struct error *err)
{
    char name[SECRET_NAME_MAX + 1];
    struct slice outer, inner, value;
    snprintf(name, sizeof name, "%.*s", SLICE_ARG(field));
    if (!json_find(buf_slice(&request->answer), "data", &outer) || !json_find(outer, "data", &inner) ||
        inner.p[0] != '{')
        return error_set(err, ERR_INVALID,
                         "Vault's answer at %s is not one of the KV engine in version 2: is secrets.vault.mount right?",
                         request->url);
    if (!json_find(inner, name, &value))
        return error_set(err, ERR_NOT_FOUND, "Vault's secret at %s has no field %s", request->url, name);
    if (!json_scan_string(value, out))
        return error_set(err, ERR_INVALID, "the field %s of Vault's secret at %s is not a text", name, request->url);
    return OK;
}

static enum status get_with(struct request *request, const struct settings *settings, struct world *world,
                            struct slice name, struct buf *out, struct secret_place *out_place, struct error *err)
{
    struct slice path = slice_from(settings->secrets_vault_path), field = name;
    const char *hash = memchr(name.p, '#', name.n);
    if (hash) {
        path = slice_of(name.p, (size_t)(hash - name.p));
        field = slice_after(name, path.n + 1);
    }
    if (!secret_is_name(path) || memchr(path.p, '#', path.n) || memmem(path.p, path.n, "..", 2))
        return error_set(err, ERR_INVALID, "'%.*s' is not a path in Vault (secrets.vault.path)", SLICE_ARG(path));
    enum status s = make_url(settings, path, request, err);
    if (s == OK)
        s = read_token(settings, world, request, err);
    snprintf(out_place->text, sizeof out_place->text, "Vault: %.*s of %s/%.*s", SLICE_ARG(field),
             settings->secrets_vault_mount, SLICE_ARG(path));
    if (s == OK)
        s = ask(settings, request, err);
    if (s == OK)
        s = judge(request, err);
    return s == OK ? take_field(request, field, out, err) : s;
}

static enum status get(const struct settings *settings, struct world *world, struct slice name, struct buf *out,
                       struct secret_place *out_place, struct error *err)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request)
        abort();
    buf_init(&request->answer, ANSWER_BYTES_MAX);
    enum status s = get_with(request, settings, world, name, out, out_place, err);
    if (request->answer.p)
        explicit_bzero(request->answer.p, request->answer.capacity);
    buf_done(&request->answer);
    explicit_bzero(request, sizeof *request);
    free(request);
    return s;
}

const struct secret_backend secret_vault = { "vault", get };
