/* What a visit decides is a hash of its number and of how many events it had, so nothing is remembered but where it
 * stands. A visitor has one visit at a time: a bit each says who is busy, and who would come is told to somebody near.
 *
 * The number of visits that are open is the rate times the pause (Little), so a rate that would need more of them than
 * there is room or people for is kept by shorter pauses. */
#include "generate/visits.h"

#include <stdlib.h>

#include "config/generate_hint.h"
#include "generate/draw.h"

#define SECOND_NS INT64_C(1000000000)
#define PAUSE_MS 20000
#define EVENTS_USUAL 6 /* of a visit, where the domain declares no session */
#define BETWEEN 20     /* a type of weight 1 that no step names follows one of so many events */
#define BUSY_TRIES 64
#define OPEN_SHARE 2           /* the usual is half of the most: evenings are busier */
#define WARM_UP_VISITS 5       /* it begins so many mean visits before the start … */
#define WARM_UP_EVENTS_MAX 5e6 /* … but no more events than take a fraction of a second */

/* Share of a day's traffic by hour, UTC, in thousandths; the mean is 1,000 of each. */
static const uint16_t BY_HOUR[24] = { 450,  350,  280,  250,  270,  380,  580,  820,  1050, 1200, 1280, 1320,
                                      1350, 1320, 1280, 1250, 1250, 1300, 1420, 1550, 1620, 1480, 1120, 830 };
static const uint16_t BY_WEEKDAY[7] = { 1020, 1050, 1040, 1000, 980, 920, 990 }; /* from Thursday, 1970-01-01 */

#define TYPE_NONE UINT16_MAX
#define CHOICES_MAX EVENT_TYPES_MAX

/* Event types by their weights. */
struct lot {
    uint16_t types[CHOICES_MAX];
    uint64_t up_to[CHOICES_MAX]; /* sums of weights, in parts of 2^20 */
    size_t count;
};

struct step {
    struct lot lot;
    uint64_t again, chance; /* of 2^32 */
    enum { SKIPS, LEAVES, DOES } otherwise;
    uint16_t other_type;
};

struct visit {
    uint64_t number, thing;
    uint32_t visitor, serial;
    uint16_t step, type; /* of its next event */
    bool last, between;  /* the next event: they leave behind it; no step names it */
};

struct due {
    int64_t at_ns;
    uint32_t visit;
};

struct visits {
    struct visits_options options;
    struct step *steps;
    size_t step_count;
    struct lot between;
    uint64_t between_chance;
    struct draws births;
    int64_t next_birth_ns, birth_ns; /* birth_ns: mean time between two births */
    int64_t pause_ns;
    struct visit *visit; /* VISITS_MAX places, taken as they are needed */
    struct due *heap;
    uint32_t *free_places;
    size_t open, used, free_count, open_max, room;
    uint64_t *busy; /* a bit for each visitor */
};

/* ---- the session ---- */

static void lot_add(struct lot *lot, uint16_t type, double weight)
{
    uint64_t parts = (uint64_t)(weight * 0x1p20);
    if (!parts || lot->count == CHOICES_MAX)
        return;
    lot->types[lot->count] = type;
    lot->up_to[lot->count] = parts + (lot->count ? lot->up_to[lot->count - 1] : 0);
    lot->count++;
}

static uint16_t lot_draw(const struct lot *lot, uint64_t number)
{
    if (lot->count <= 1)
        return lot->count ? lot->types[0] : TYPE_NONE;
    uint64_t at = (uint64_t)((unsigned __int128)number * lot->up_to[lot->count - 1] >> 64);
    size_t low = 0, high = lot->count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (at < lot->up_to[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return lot->types[low];
}

static uint16_t type_named(const struct plan *plan, struct slice name)
{
    for (size_t i = 0; i < plan->type_count; i++)
        if (slice_equal(plan->types[i].type->name, name))
            return (uint16_t)i;
    return TYPE_NONE;
}

static uint64_t again_share(double times)
{
    return draw_share(times > 1 ? 1 - 1 / times : 0);
}

static void step_of(const struct plan *plan, const struct generate_step *from, struct step *to, bool *io_named)
{
    *to = (struct step){ .again = again_share(from->times), .chance = draw_share(from->chance) };
    for (size_t i = 0; i < from->event_count; i++) {
        uint16_t type = type_named(plan, from->events[i]);
        assert(type != TYPE_NONE); /* the reader of domains has looked */
        io_named[type] = true;
        lot_add(&to->lot, type, plan->types[type].weight > 0 ? plan->types[type].weight : 1);
    }
    to->otherwise = from->otherwise == GENERATE_SKIP ? SKIPS : from->otherwise == GENERATE_LEAVE ? LEAVES : DOES;
    to->other_type = from->otherwise == GENERATE_EVENT ? type_named(plan, from->otherwise_event) : TYPE_NONE;
    if (to->other_type != TYPE_NONE)
        io_named[to->other_type] = true;
}

static void steps_of(struct visits *visits)
{
    const struct plan *plan = visits->options.plan;
    const struct generate_domain *hint = plan->domain->generate;
    bool named[EVENT_TYPES_MAX] = { 0 };
    visits->step_count = hint && hint->step_count ? hint->step_count : 1;
    visits->steps = calloc(visits->step_count, sizeof *visits->steps);
    if (!visits->steps)
        abort();
    for (size_t i = 0; hint && i < hint->step_count; i++)
        step_of(plan, &hint->session[i], &visits->steps[i], named);
    struct lot *rest = &visits->between;
    if (!hint || !hint->step_count) {
        visits->steps[0] = (struct step){ .again = again_share(EVENTS_USUAL), .chance = DRAW_ALWAYS };
        rest = &visits->steps[0].lot;
    }
    for (size_t i = 0; i < plan->type_count; i++)
        if (!named[i])
            lot_add(rest, (uint16_t)i, plan->types[i].weight);
    visits->step_count = rest->count || rest == &visits->between ? visits->step_count : 0;
    if (visits->between.count) {
        double weight = (double)visits->between.up_to[visits->between.count - 1] / 0x1p20;
        visits->between_chance = draw_share(weight / (weight + BETWEEN));
    }
}

/* Mean events of a visit. */
static double events_expected(const struct visits *visits)
{
    double here = 1, events = 0;
    for (size_t i = 0; i < visits->step_count; i++) {
        const struct step *step = &visits->steps[i];
        double chance = (double)step->chance * 0x1p-32;
        events += here * chance / (1 - (double)step->again * 0x1p-32);
        if (step->otherwise == DOES)
            events += here * (1 - chance);
        if (step->otherwise != SKIPS)
            here *= chance;
    }
    return events * (1 + (double)visits->between_chance * 0x1p-32);
}

/* ---- time ---- */

static int64_t rhythm(const struct visits *visits, int64_t at_ns)
{
    if (visits->options.flat)
        return 1000000;
    int64_t at_ms = visits->options.start_ms + at_ns / 1000000, hours = at_ms / 3600000, in_hour = at_ms % 3600000;
    int64_t now = BY_HOUR[hours % 24], then = BY_HOUR[(hours + 1) % 24];
    return (now + (then - now) * in_hour / 3600000) * BY_WEEKDAY[hours / 24 % 7];
}

static int64_t pause_of(const struct visits *visits, const struct visit *visit)
{
    struct draws draws = { draw_mix(visit->number + visit->serial) };
    return visits->pause_ns / 8 + draw_exponential(&draws, visits->pause_ns - visits->pause_ns / 8);
}

/* ---- the heap ---- */

static void heap_sink(struct due *heap, size_t count)
{
    struct due moving = heap[0];
    size_t at = 0;
    for (;;) {
        size_t first = 4 * at + 1, least = first;
        if (first >= count)
            break;
        for (size_t child = first + 1; child < first + 4 && child < count; child++)
            if (heap[child].at_ns < heap[least].at_ns)
                least = child;
        if (heap[least].at_ns >= moving.at_ns)
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = moving;
}

static void heap_add(struct due *heap, size_t at, struct due due)
{
    for (; at && heap[(at - 1) / 4].at_ns > due.at_ns; at = (at - 1) / 4)
        heap[at] = heap[(at - 1) / 4];
    heap[at] = due;
}

/* ---- visits ---- */

/* The first step from `step` on that happens. False: they leave. */
static bool enter(const struct visits *visits, struct visit *visit, size_t step)
{
    for (; step < visits->step_count; step++) {
        const struct step *to = &visits->steps[step];
        uint64_t number = draw_mix(visit->number ^ draw_mix(step + UINT64_C(0x51e9) + ((uint64_t)visit->serial << 16)));
        visit->step = (uint16_t)step;
        if (to->chance >= DRAW_ALWAYS || draw_hits(number, to->chance)) {
            visit->type = lot_draw(&to->lot, draw_mix(number));
            return true;
        }
        if (to->otherwise == LEAVES)
            return false;
        visit->type = to->other_type;
        visit->last = to->otherwise == DOES;
        if (visit->last)
            return true;
    }
    return false;
}

/* What comes behind the event in hand. False: nothing, they leave. */
static bool walk(const struct visits *visits, struct visit *visit)
{
    uint64_t number = draw_mix(visit->number ^ draw_mix(visit->serial));
    const struct step *step = &visits->steps[visit->step];
    visit->serial++;
    if (draw_below(number, 3) == 0)
        visit->thing = draw_mix(number + 1);
    visit->between = !visit->between && draw_hits(draw_mix(number + 4), visits->between_chance);
    if (visit->between) {
        visit->type = lot_draw(&visits->between, draw_mix(number + 5));
        return true;
    }
    if (visit->last)
        return false;
    if (draw_hits(draw_mix(number + 2), step->again)) {
        visit->type = lot_draw(&step->lot, draw_mix(number + 3));
        return true;
    }
    return enter(visits, visit, (size_t)visit->step + 1);
}

/* Somebody who is not here yet; the first visitors come most often: half of all visits are by a quarter of them. */
static uint32_t choose_visitor(struct visits *visits)
{
    uint64_t count = (uint64_t)visits->options.visitors, u = draw_next(&visits->births) >> 32;
    uint32_t visitor = (uint32_t)((u * u >> 32) * count >> 32);
    for (int i = 0; i < BUSY_TRIES && visits->busy[visitor / 64] >> visitor % 64 & 1; i++)
        visitor = visitor + 1 < count ? visitor + 1 : 0;
    return visitor;
}

static uint32_t place_for(struct visits *visits)
{
    if (visits->free_count)
        return visits->free_places[--visits->free_count];
    if (visits->used == visits->room) {
        visits->room = visits->room ? visits->room * 2 : 1024;
        visits->visit = realloc(visits->visit, visits->room * sizeof *visits->visit);
        visits->heap = realloc(visits->heap, visits->room * sizeof *visits->heap);
        visits->free_places = realloc(visits->free_places, visits->room * sizeof *visits->free_places);
        if (!visits->visit || !visits->heap || !visits->free_places)
            abort();
    }
    return (uint32_t)visits->used++;
}

/* At the door: false, there is by chance no room, or they leave at once. */
static bool begin(struct visits *visits, struct visit *visit)
{
    int64_t mean_ns = (int64_t)((__int128)visits->birth_ns * 1000000 / rhythm(visits, visits->next_birth_ns));
    visits->next_birth_ns += 1 + draw_exponential(&visits->births, mean_ns);
    *visit = (struct visit){ .number = draw_next(&visits->births) };
    visit->thing = draw_mix(visit->number + 1);
    return visits->open < visits->open_max && enter(visits, visit, 0);
}

static void let_in(struct visits *visits, struct visit *visit, int64_t at_ns)
{
    visit->visitor = choose_visitor(visits);
    visits->busy[visit->visitor / 64] |= UINT64_C(1) << visit->visitor % 64;
    uint32_t place = place_for(visits);
    visits->visit[place] = *visit;
    heap_add(visits->heap, visits->open++, (struct due){ at_ns, place });
}

static void give_birth(struct visits *visits)
{
    struct visit visit;
    int64_t now_ns = visits->next_birth_ns;
    if (begin(visits, &visit))
        let_in(visits, &visit, now_ns);
}

static void leave(struct visits *visits)
{
    uint32_t place = visits->heap[0].visit, visitor = visits->visit[place].visitor;
    visits->busy[visitor / 64] &= ~(UINT64_C(1) << visitor % 64);
    visits->free_places[visits->free_count++] = place;
    visits->heap[0] = visits->heap[--visits->open];
    heap_sink(visits->heap, visits->open);
}

void visits_next(struct visits *visits, struct visit_event *out)
{
    while (visits->open == 0 || visits->next_birth_ns <= visits->heap[0].at_ns)
        give_birth(visits);
    struct visit *visit = &visits->visit[visits->heap[0].visit];
    *out = (struct visit_event){ .at_ns = visits->heap[0].at_ns,
                                 .visit = visit->number,
                                 .thing = visit->thing,
                                 .visitor = visit->visitor,
                                 .serial = visit->serial,
                                 .type = visit->type };
    if (!walk(visits, visit)) {
        leave(visits);
        return;
    }
    visits->heap[0].at_ns += pause_of(visits, visit);
    heap_sink(visits->heap, visits->open);
}

/* Those who are there at the start came before it: each visit of that time goes on by itself, and stays if it is not
 * over by then. */
static void warm_up(struct visits *visits, double events)
{
    double seconds = WARM_UP_VISITS * events * (double)visits->pause_ns / (double)SECOND_NS;
    double most = WARM_UP_EVENTS_MAX / visits->options.events_per_s;
    visits->next_birth_ns = -(int64_t)((seconds < most ? seconds : most) * (double)SECOND_NS);
    while (visits->next_birth_ns < 0) {
        struct visit visit;
        int64_t at_ns = visits->next_birth_ns;
        bool stays = begin(visits, &visit);
        while (stays && at_ns < 0) {
            stays = walk(visits, &visit);
            at_ns += pause_of(visits, &visit);
        }
        if (stays)
            let_in(visits, &visit, at_ns);
    }
}

struct visits *visits_new(const struct visits_options *options)
{
    struct visits *visits = calloc(1, sizeof *visits);
    if (!visits)
        abort();
    visits->options = *options;
    steps_of(visits);
    double events = events_expected(visits);
    if (events < 1e-6) {
        visits_free(visits);
        return NULL;
    }
    const struct generate_domain *hint = options->plan->domain->generate;
    visits->births.state = draw_mix(options->seed);
    visits->birth_ns = (int64_t)(events * (double)SECOND_NS / options->events_per_s);
    visits->open_max = options->visitors < VISITS_MAX ? (size_t)options->visitors : VISITS_MAX;
    int64_t fits_ns = (int64_t)((double)visits->open_max / OPEN_SHARE / options->events_per_s * (double)SECOND_NS);
    visits->pause_ns = (hint && hint->pause_ms ? hint->pause_ms : PAUSE_MS) * 1000000;
    visits->pause_ns = visits->pause_ns < fits_ns ? visits->pause_ns : fits_ns + 8;
    visits->busy = calloc((size_t)options->visitors / 64 + 1, sizeof *visits->busy);
    if (!visits->busy)
        abort();
    warm_up(visits, events);
    return visits;
}

void visits_free(struct visits *visits)
{
    if (!visits)
        return;
    free(visits->steps);
    free(visits->visit);
    free(visits->heap);
    free(visits->free_places);
    free(visits->busy);
    free(visits);
}
