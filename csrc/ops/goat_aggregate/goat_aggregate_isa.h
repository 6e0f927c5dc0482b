// The cells for each instruction set; goat_aggregate_cpu.cpp chooses.
#pragma once

#include "ops/goat_aggregate/goat_aggregate.h"

namespace lampyris {

void goat_forward_avx2(const GoatForward<float>& a, int64_t head, int64_t begin, int64_t end);
void goat_backward_avx2(const GoatBackward<float>& a, const GoatSums<float>& sums, int64_t head,
                        int64_t begin, int64_t end);
void goat_forward_avx512(const GoatForward<float>& a, int64_t head, int64_t begin, int64_t end);
void goat_backward_avx512(const GoatBackward<float>& a, const GoatSums<float>& sums, int64_t head,
                          int64_t begin, int64_t end);

}  // namespace lampyris
