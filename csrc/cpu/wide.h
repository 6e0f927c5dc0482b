// Wide<T>: a vector of neurons with the functions that the rules of core/ ask of a number, loads and
// stores of every input type, and the two bits a neuron-step (WideCodes). The width is the file's
// (LAMPYRIS_WIDE, core/attributes.h): 16 or 8 floats, else 16 bytes of whatever the compiler has.
// Everything is in an anonymous namespace, since files differ in it.
#pragma once

#include "core/attributes.h"
#include "core/half.h"
#include "core/lanes.h"
#include "core/neuron.h"
#include "core/surrogate.h"

#if defined(__x86_64__) && defined(LAMPYRIS_WIDE)
#include <immintrin.h>
#if LAMPYRIS_WIDE == 512
#include "cpu/wide_avx512.h"
#else
#include "cpu/wide_avx2.h"
#endif
#else
#include "cpu/wide_base.h"
#endif

namespace lampyris {
namespace {

#if defined(__x86_64__) && defined(LAMPYRIS_WIDE)
inline constexpr bool kWideUnrolls = true;
#else
inline constexpr bool kWideUnrolls = false;  // the baseline saves code
#endif

}  // namespace
}  // namespace lampyris
