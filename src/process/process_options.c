#include "process/process_options.h"

#include "process/process_snapshot.h"

void process_options_complete(struct process_options *options)
{
    const struct process_options standard = { .batch_records_max = 8192,
                                              .batch_bytes_max = 4u << 20,
                                              .read_bytes = 1u << 20,
                                              .future_skew_ms = 24 * 3600 * 1000LL,
                                              .late_after_ms = 10 * 60 * 1000LL,
                                              .dedup_horizon_ms = 7 * 24 * 3600 * 1000LL,
                                              .dedup_memory_bytes_max = 128u << 20,
                                              .dedup_disk_bytes_max = 4ull << 30,
                                              .checkpoint_interval_ms = 60000,
                                              .checkpoint_bytes = 256u << 20,
                                              .snapshot_after_bytes = 64u << 20,
                                              .snapshot_piece_bytes = 512u << 10,
                                              .session_gap_ms = 30 * 60 * 1000LL,
                                              .disorder_ms = 10 * 60 * 1000LL,
                                              .state_memory_bytes_max = 256u << 20 };
#define COMPLETE(field) options->field = options->field ? options->field : standard.field
    COMPLETE(batch_records_max);
    COMPLETE(batch_bytes_max);
    COMPLETE(read_bytes);
    COMPLETE(future_skew_ms);
    COMPLETE(late_after_ms);
    COMPLETE(dedup_horizon_ms);
    COMPLETE(dedup_memory_bytes_max);
    COMPLETE(dedup_disk_bytes_max);
    COMPLETE(checkpoint_interval_ms);
    COMPLETE(checkpoint_bytes);
    COMPLETE(snapshot_after_bytes);
    COMPLETE(snapshot_piece_bytes);
    if (!options->domains) {
        COMPLETE(session_gap_ms);
        COMPLETE(disorder_ms);
    }
    COMPLETE(state_memory_bytes_max);
#undef COMPLETE
    if (options->batch_bytes_max > 6u << 20)
        options->batch_bytes_max = 6u << 20;
    if (options->snapshot_piece_bytes > SNAPSHOT_PIECE_MAX)
        options->snapshot_piece_bytes = SNAPSHOT_PIECE_MAX;
}
