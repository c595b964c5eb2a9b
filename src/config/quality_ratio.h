/* The ratios of the table data_quality, each with a target (docs/quality.md). */
#pragma once

enum quality_ratio {
    QUALITY_COMPLETENESS,
    QUALITY_VALIDITY,
    QUALITY_UNIQUENESS,
    QUALITY_TIMELINESS,
    QUALITY_CONSISTENCY,
    QUALITY_RATIOS
};

/* The column's name: "completeness" … */
const char *quality_ratio_name(enum quality_ratio ratio);
