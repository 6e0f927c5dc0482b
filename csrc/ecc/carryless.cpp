#include "ecc/carryless.h"

#include "cpu/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris::ecc {

Product128 carryless_multiply_portable(uint64_t a, uint64_t b) {
  Product128 sum;
  for (int i = 0; i < 64; ++i) {
    const uint64_t take = -(b >> i & 1);
    sum.low ^= take & a << i;
    if (i > 0) sum.high ^= take & a >> (64 - i);
  }
  return sum;
}

#if defined(__x86_64__)

__attribute__((target("pclmul,sse4.1"))) Product128 carryless_multiply_hardware(uint64_t a,
                                                                                uint64_t b) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<int64_t>(a)),
                                               _mm_cvtsi64_si128(static_cast<int64_t>(b)), 0);
  return {static_cast<uint64_t>(_mm_cvtsi128_si64(product)),
          static_cast<uint64_t>(_mm_extract_epi64(product, 1))};
}

bool has_carryless() {
  static const bool hardware = __builtin_cpu_supports("pclmul") != 0;
  return hardware && isa() >= Isa::kAvx2;
}

bool has_wide_carryless() {
  static const bool hardware = __builtin_cpu_supports("vpclmulqdq") != 0;
  return hardware && isa() >= Isa::kAvx512;
}

#else

Product128 carryless_multiply_hardware(uint64_t a, uint64_t b) {
  return carryless_multiply_portable(a, b);
}

bool has_carryless() { return false; }
bool has_wide_carryless() { return false; }

#endif

Product128 carryless_multiply(uint64_t a, uint64_t b) {
  return has_carryless() ? carryless_multiply_hardware(a, b) : carryless_multiply_portable(a, b);
}

}  // namespace lampyris::ecc
