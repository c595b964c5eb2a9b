/* Only the first stage is taken: it does the work that SIMD is good at (1.5 to 3 GB/s), while checking and cutting
 * out values is done by json.c over the positions that it leaves (decision 0030 has the numbers). */
#define SIMDJSON_EXCEPTIONS 0
#include "event/json_stage1.h"

#include <simdjson.h>

#include <memory>
#include <new>

struct json_stage1 {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

extern "C" struct json_stage1 *json_stage1_new(void)
{
    json_stage1 *stage1 = new (std::nothrow) json_stage1;
    if (stage1 && simdjson::get_active_implementation()->create_dom_parser_implementation(64, 1, stage1->parser) !=
                      simdjson::SUCCESS) {
        delete stage1;
        return nullptr;
    }
    return stage1;
}

extern "C" void json_stage1_free(struct json_stage1 *stage1)
{
    delete stage1;
}

extern "C" uint32_t *json_stage1_reserve(struct json_stage1 *stage1, size_t capacity)
{
    if (stage1->parser->set_capacity(capacity) != simdjson::SUCCESS)
        return nullptr;
    return stage1->parser->structural_indexes.get();
}

extern "C" bool json_stage1_run(struct json_stage1 *stage1, const char *p, size_t n, size_t *out_count)
{
    const uint8_t *bytes = reinterpret_cast<const uint8_t *>(p);
    if (stage1->parser->stage1(bytes, n, simdjson::stage1_mode::regular) != simdjson::SUCCESS)
        return false;
    *out_count = stage1->parser->n_structural_indexes;
    return true;
}
