// Sanity of a plan that came from a file, before any size in it is used.
#pragma once

#include "firefly/image.h"
#include "firefly/plan.h"

namespace lampyris::firefly {

// Sizes, references, areas inside the arena, bands that cover each map once.
// Throws std::invalid_argument `weight image: plan: ...`.
void check_plan(const Plan& plan);

// Host tensors have the sizes the plan says.
void check_host(const Plan& plan, const Image& image);

}  // namespace lampyris::firefly
