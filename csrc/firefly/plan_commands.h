// The commands that a plan means. The builders write these registers, check_program compares a
// stored image with them.
#pragma once

#include <cstdint>

#include "firefly/command.h"
#include "firefly/plan.h"

namespace lampyris::firefly {

// Where a layer's parameters lie, from the image base.
struct ParameterPlace {
  uint32_t weights = 0, weight_bytes = 0, bias = 0, bias_bytes = 0;
};

// Rows of the source that output rows [row0, row1) need, before clipping at the borders.
struct SourceRows {
  int first = 0, last = 0;
};
SourceRows source_rows(Op op, int kernel, int stride, int padding, int row0, int row1);

int pixel_bytes(Kind kind, int parallelism);

// Throw std::invalid_argument for a plan that names maps it does not describe.
Command plan_command(const Plan& plan, const PlanLayer& layer, const PlanBand& band,
                     const ParameterPlace& place);
V1Command plan_v1_command(const Plan& plan, const PlanLayer& layer, const ParameterPlace& place);

// Bytes of the parameter streams a layer needs.
int64_t layer_weight_bytes(const Plan& plan, const PlanLayer& layer);
int64_t layer_bias_bytes(const Plan& plan, const PlanLayer& layer);

// Input tiles of a released layer: channels, or nine beats of P inputs when fully connected.
int v1_input_tiles(const Plan& plan, const PlanLayer& layer);

}  // namespace lampyris::firefly
