/* The rows of the command table. To add a command: write src/cli/NAME.c with `int command_NAME(int, char **)`, declare
 * it here, add its row. */
#pragma once

#define WEIR_VERSION "0.1.0"

int command_up(int argc, char **argv);
int command_ingest(int argc, char **argv);
int command_process(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_send(int argc, char **argv);
int command_source(int argc, char **argv);
int command_check(int argc, char **argv);
int command_generate(int argc, char **argv);
int command_catalog(int argc, char **argv);
int command_tenant(int argc, char **argv);
int command_top(int argc, char **argv);
int command_dead_letters(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_test(int argc, char **argv);
int command_schema(int argc, char **argv);
int command_sql(int argc, char **argv);
int command_completion(int argc, char **argv);
int command_olap(int argc, char **argv);

/* A row a line, so that two people's rows merge. */
// clang-format off
#define COMMAND_TABLE(ROW, HIDDEN)                                                       \
    ROW("up", command_up, "start everything: ingestion, processing, engine, API")        \
    ROW("ingest", command_ingest, "take events in, as a process of its own")             \
    ROW("process", command_process, "process events, as a process of its own")           \
    ROW("serve", command_serve, "store and answer, as a process of its own")             \
    ROW("olap", command_olap, "the engine, as a process of its own")                     \
    ROW("send", command_send, "send events from files through HTTP")                     \
    ROW("source", command_source, "read events from foreign Kafka topics")               \
    ROW("generate", command_generate, "make believable events")                          \
    ROW("check", command_check, "check the configuration, list and explain settings")    \
    ROW("test", command_test, "test the domains: given events, expect rows")             \
    ROW("schema", command_schema, "event types as Avro, JSON Schema, TypeScript")        \
    ROW("sql", command_sql, "ask a question in SQL")                                     \
    ROW("dead-letters", command_dead_letters, "what was refused: see, mend, replay")     \
    ROW("replay", command_replay, "count past events into the windows declared now")     \
    ROW("top", command_top, "watch events arrive, live")                                 \
    ROW("tenant", command_tenant, "tenants, their keys, quotas and retention")           \
    ROW("catalog", command_catalog, "what is deployed, and who changed what")            \
    ROW("completion", command_completion, "print the completion script for bash or zsh") \
    /* end of the table */
// clang-format on
