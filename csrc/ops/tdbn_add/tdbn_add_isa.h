// The passes with neurons for each instruction set; tdbn_add_lif_cpu.cpp chooses.
#pragma once

#include "ops/tdbn_add/tdbn_add.h"

namespace lampyris {

void tdbn_add_lif_avx2(const TdbnForward<float>& a, const LifForward<float>& lif, int64_t begin,
                       int64_t end);
void tdbn_lif_grad_sums_avx2(const TdbnGradSums<float>& a, const LifBackward<float>& lif,
                             double* partial, int64_t begin, int64_t end);
void tdbn_add_lif_avx512(const TdbnForward<float>& a, const LifForward<float>& lif, int64_t begin,
                         int64_t end);
void tdbn_lif_grad_sums_avx512(const TdbnGradSums<float>& a, const LifBackward<float>& lif,
                               double* partial, int64_t begin, int64_t end);

}  // namespace lampyris
