/* A training step, one kernel or a part of one at a time: for both runners, module and simulator. */
#include <string.h>

#include "tt_model.h"

#if TT_LOSS != TT_LOSS_NONE

void tt_step_begin(tt_run *run, const uint8_t *weights, uint8_t *state, uint8_t *arena,
    const tt_rate *rate, int32_t accumulate) {
    memset(run, 0, sizeof(*run));
    run->weights = weights;
    run->state = state;
    run->arena = arena;
    run->rate = *rate;
    run->rate.accumulate = accumulate;
    tt_rate_begin(&run->rate, *(const uint32_t *)(const void *)state);
}

int32_t tt_step_some(tt_run *run, int32_t units) {
    run->part.units = units;
    tt_model_call(run);
    if (run->part.at != 0 || ++run->call < TT_STEP_CALLS) {
        return 0;
    }
    uint32_t *steps = (uint32_t *)(void *)run->state;
    steps[0]++; /* counts what has rounded something */
#if TT_BATCH
    steps[1] += (uint32_t)run->rate.accumulate; /* the examples added up */
#endif
    return 1;
}

void tt_step_until(tt_run *run, int32_t call) {
    while (run->call < call) {
        tt_step_some(run, INT32_MAX);
    }
}

#endif
