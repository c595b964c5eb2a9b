/* Users of the engine and its two configuration files.
 *
 * The engine reads its users at start only, so readers are made in advance, each allowed to SELECT from the database of
 * views `pub` and nothing else; which tenant a reader is, the views look up (decision 0005). The files carry only
 * hashes of the passwords: scalar file() can read them, and learns nothing.
 *
 * `default` has to exist without a password, because the process itself logs in as it; it may do no more than listen
 * and count. The http_handlers turn away every request that does not name the writer or a reader, so nobody reaches it.
 */
#include "olap/olap_users.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world/world.h"

static enum status secret_read(int fd, const char *path, struct olap_secret *out, struct error *err)
{
    unsigned char bytes[OLAP_SECRET_BYTES + 1];
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return error_errno(err, ERR_IO, errno, "read %s", path);
    if (n != OLAP_SECRET_BYTES)
        return error_set(err, ERR_CORRUPT,
                         "%s must have %d bytes; remove it and start again, a new one is made (passwords of the "
                         "engine's users change, no data is lost)",
                         path, OLAP_SECRET_BYTES);
    memcpy(out->bytes, bytes, OLAP_SECRET_BYTES);
    return OK;
}

/* Written beside its name and linked into place: whoever comes second finds the first one's. */
static enum status secret_make(const char *path, struct world *world, struct error *err)
{
    struct olap_secret secret;
    char temporary[1100];
    snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
    world->random(world, secret.bytes, sizeof secret.bytes);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, status_from_errno(errno), errno, "make %s", temporary);
    bool written = write(fd, secret.bytes, sizeof secret.bytes) == (ssize_t)sizeof secret.bytes && fsync(fd) == 0;
    int reason = errno;
    close(fd);
    if (written && link(temporary, path) != 0 && errno != EEXIST) {
        reason = errno;
        written = false;
    }
    unlink(temporary);
    return written ? OK : error_errno(err, status_from_errno(reason), reason, "write %s", path);
}

enum status olap_secret_open(const char *data_dir, struct world *world, struct olap_secret *out, struct error *err)
{
    char path[1060];
    if (snprintf(path, sizeof path, "%s/secret", data_dir) >= (int)sizeof path - 16)
        return error_set(err, ERR_INVALID, "the path of the engine's directory is too long");
    for (int turn = 0; turn < 2; turn++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            enum status s = secret_read(fd, path, out, err);
            close(fd);
            return s;
        }
        if (errno != ENOENT)
            return error_errno(err, ERR_IO, errno, "open %s", path);
        if (mkdir(data_dir, 0755) != 0 && errno != EEXIST)
            return error_errno(err, status_from_errno(errno), errno, "make the engine's directory %s", data_dir);
        enum status s = secret_make(path, world, err);
        if (s != OK)
            return s;
    }
    return error_set(err, ERR_IO, "%s vanishes as soon as it is made", path);
}

void olap_secret_derive(const char *password, struct olap_secret *out)
{
    static const unsigned char PURPOSE[OLAP_SECRET_BYTES] = "weir: the engine's users, first"; /* not secret */
    crypto_auth_hmacsha256(out->bytes, (const unsigned char *)password, strlen(password), PURPOSE);
}

enum status olap_secret_put(const char *data_dir, const struct olap_secret *secret, struct world *world,
                            struct error *err)
{
    char path[1060];
    struct olap_secret there;
    enum status s = olap_secret_open(data_dir, world, &there, err); /* makes the directory, and a file of mode 0600 */
    bool same = s == OK && memcmp(there.bytes, secret->bytes, sizeof there.bytes) == 0;
    sodium_memzero(&there, sizeof there);
    if (s != OK || same)
        return s;
    snprintf(path, sizeof path, "%s/secret", data_dir);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, ERR_IO, errno, "open %s", path);
    bool written = pwrite(fd, secret->bytes, sizeof secret->bytes, 0) == (ssize_t)sizeof secret->bytes &&
                   fsync(fd) == 0; /* what a cut leaves half written is written again by the next start */
    int reason = errno;
    close(fd);
    return written ? OK : error_errno(err, status_from_errno(reason), reason, "write %s", path);
}

static void user_fill(const struct olap_secret *secret, struct olap_user *out)
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    _Static_assert(crypto_auth_hmacsha256_KEYBYTES == OLAP_SECRET_BYTES, "the secret is the key");
    crypto_auth_hmacsha256(mac, (const unsigned char *)out->name, strlen(out->name), secret->bytes);
    sodium_bin2hex(out->password, sizeof out->password, mac, sizeof mac);
}

void olap_writer(const struct olap_secret *secret, struct olap_user *out)
{
    snprintf(out->name, sizeof out->name, OLAP_WRITER);
    user_fill(secret, out);
}

void olap_reader(const struct olap_secret *secret, uint32_t slot, struct olap_user *out)
{
    snprintf(out->name, sizeof out->name, "reader_%04u", slot);
    user_fill(secret, out);
}

void xml_add_text(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '<')
            buf_add_text(out, "&lt;");
        else if (c == '>')
            buf_add_text(out, "&gt;");
        else if (c == '&')
            buf_add_text(out, "&amp;");
        else if (c == '"')
            buf_add_text(out, "&quot;");
        else if (c >= ' ' || c == '\t' || c == '\n')
            buf_add_char(out, (char)c);
        /* Other control bytes cannot stand in XML at all. */
    }
}

static void element(struct buf *out, const char *name, struct slice text)
{
    buf_add_format(out, "<%s>", name);
    xml_add_text(out, text);
    buf_add_format(out, "</%s>\n", name);
}

static void user_element(struct buf *out, const struct olap_user *user, const char *profile, const char *more)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[sizeof hash * 2 + 1];
    crypto_hash_sha256(hash, (const unsigned char *)user->password, strlen(user->password));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    buf_add_format(out,
                   "<%s><password_sha256_hex>%s</password_sha256_hex><networks><ip>127.0.0.1</ip></networks>"
                   "<profile>%s</profile><quota>default</quota>%s</%s>",
                   user->name, hex, profile, more, user->name);
}

/* The writer's settings make a repeated insert vanish, in the table and in the rollups (decision 0005). A reader's
 * result ends (at a whole block) once it has one row more than the 10,000 that an answer shows: so the answer can say
 * that it was cut, instead of being refused. */
static const char PROFILES[] =
    "<profiles>\n"
    "<default><log_queries>0</log_queries></default>\n"
    "<writer><async_insert>0</async_insert><insert_deduplicate>1</insert_deduplicate>"
    "<deduplicate_blocks_in_dependent_materialized_views>1</deduplicate_blocks_in_dependent_materialized_views>"
    "<parallel_view_processing>1</parallel_view_processing>"
    "<max_partitions_per_insert_block>5000</max_partitions_per_insert_block>"
    "<max_insert_block_size>1000000</max_insert_block_size>"
    "<min_insert_block_size_rows>1000000</min_insert_block_size_rows>"
    "<min_insert_block_size_bytes>0</min_insert_block_size_bytes>"
    "<max_memory_usage>0</max_memory_usage></writer>\n"
    "<reader><readonly>1</readonly><max_execution_time>10</max_execution_time>"
    "<max_memory_usage>500000000</max_memory_usage><max_memory_usage_for_user>800000000</max_memory_usage_for_user>"
    "<max_bytes_before_external_group_by>0</max_bytes_before_external_group_by>"
    "<max_bytes_before_external_sort>0</max_bytes_before_external_sort>"
    "<max_bytes_ratio_before_external_group_by>0</max_bytes_ratio_before_external_group_by>"
    "<max_bytes_ratio_before_external_sort>0</max_bytes_ratio_before_external_sort>"
    "<max_result_rows>10001</max_result_rows><result_overflow_mode>break</result_overflow_mode>"
    "<max_query_size>262144</max_query_size><max_ast_depth>500</max_ast_depth>"
    "<max_concurrent_queries_for_user>32</max_concurrent_queries_for_user></reader>\n"
    "</profiles><quotas><default/></quotas>\n";

enum status olap_users_xml(const struct olap_secret *secret, uint32_t slots, struct buf *out, struct error *err)
{
    struct olap_user user = { "", "" };
    buf_add_text(out, "<clickhouse>");
    buf_add_text(out, PROFILES);
    buf_add_text(out, "<users>\n<default><password></password><networks><ip>127.0.0.1</ip></networks>"
                      "<profile>default</profile><quota>default</quota><grants>"
                      "<query>GRANT SYSTEM LISTEN ON *.*</query><query>GRANT SELECT ON system.numbers</query>"
                      "</grants></default>\n");
    olap_writer(secret, &user);
    user_element(out, &user, "writer", "");
    for (uint32_t slot = 1; slot <= slots; slot++) {
        olap_reader(secret, slot, &user);
        user_element(out, &user, "reader",
                     "<default_database>pub</default_database>"
                     "<grants><query>GRANT SELECT ON pub.*</query></grants>");
    }
    buf_add_text(out, "</users></clickhouse>\n");
    sodium_memzero(&user, sizeof user);
    return out->full ? error_set(err, ERR_FULL, "%u readers do not fit into the engine's list of users", slots) : OK;
}

/* Small parts are many here: a lone event is queryable at once. So merges are few at a time and unhurried, and what
 * they replaced goes away after 90 s (longer than the kernel keeps unwritten pages). */
static const char FIXED[] =
    "<background_pool_size>2</background_pool_size>"
    "<background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>"
    "<background_schedule_pool_size>8</background_schedule_pool_size>"
    "<background_common_pool_size>2</background_common_pool_size>"
    "<background_fetches_pool_size>1</background_fetches_pool_size>"
    "<background_move_pool_size>1</background_move_pool_size>\n"
    "<merge_tree>"
    "<number_of_free_entries_in_pool_to_lower_max_size_of_merge>1"
    "</number_of_free_entries_in_pool_to_lower_max_size_of_merge>"
    "<number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>"
    "<number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1"
    "</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>"
    "<auto_statistics_types></auto_statistics_types>"
    "<fsync_after_insert>1</fsync_after_insert><fsync_part_directory>1</fsync_part_directory>"
    "<old_parts_lifetime>90</old_parts_lifetime>"
    "<min_compressed_bytes_to_fsync_after_merge>1048576</min_compressed_bytes_to_fsync_after_merge>"
    "<parts_to_delay_insert>3000</parts_to_delay_insert><parts_to_throw_insert>10000</parts_to_throw_insert>"
    "</merge_tree>\n"
    "<mark_cache_size>134217728</mark_cache_size><uncompressed_cache_size>0</uncompressed_cache_size>"
    "<query_cache><max_size_in_bytes>0</max_size_in_bytes></query_cache>\n"
    "<asynchronous_metrics_update_period_s>30</asynchronous_metrics_update_period_s>"
    "<keep_alive_timeout>60</keep_alive_timeout>\n"
    "<access_control_improvements>"
    "<select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>"
    "<select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>"
    "</access_control_improvements>\n"
    /* A rule cannot look at URL parameters, so those alone do not log in. Below: "writer:" and "reader_" in Base64. */
    "<http_handlers>"
    "<rule><url>/ping</url><methods>GET,HEAD</methods><handler><type>static</type><status>200</status>"
    "<content_type>text/plain; charset=UTF-8</content_type><response_content>Ok.\n</response_content></handler></rule>"
    "<rule><headers><X-ClickHouse-User><![CDATA[regex:(writer|reader_[0-9]+)]]></X-ClickHouse-User></headers>"
    "<handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler></rule>"
    "<rule><headers><Authorization><![CDATA[regex:Basic (d3JpdGVyO|cmVhZGVyX).*]]></Authorization></headers>"
    "<handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler></rule>"
    "</http_handlers>\n";

enum status olap_config_xml(const struct olap_config *config, struct buf *out, struct error *err)
{
    /* Given any place to log to, this engine logs everything there, whatever the level: queries and values too. */
    buf_add_format(out, "<clickhouse>\n<logger><level>none</level>%s</logger>\n",
                   config->verbose ? "<console>1</console>" : "");
    element(out, "users_config", slice_from(config->users_path));
    buf_add_text(out, "<user_directories><users_xml>");
    element(out, "path", slice_from(config->users_path));
    buf_add_text(out, "</users_xml></user_directories>\n");
    element(out, "tmp_path", slice_from(config->temporary_path));
    buf_add_format(out, "<max_server_memory_usage>%llu</max_server_memory_usage>\n",
                   (unsigned long long)config->memory_mb << 20);
    buf_add_text(out, FIXED);
    buf_add_text(out, "</clickhouse>\n");
    return out->full ? error_set(err, ERR_FULL, "the engine's configuration is too long") : OK;
}
