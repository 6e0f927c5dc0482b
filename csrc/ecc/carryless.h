// Products of 64-bit polynomials over GF(2): the instruction of the processor, or shifts.
#pragma once

#include <cstdint>

namespace lampyris::ecc {

struct Product128 {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Product128&) const = default;
};

// Coefficient of x^(i+j) = XOR of a_i b_j; takes PCLMULQDQ where the processor has it and isa() is
// above kBase.
Product128 carryless_multiply(uint64_t a, uint64_t b);

// The two ways by themselves, for tests. carryless_multiply_hardware needs has_carryless().
Product128 carryless_multiply_portable(uint64_t a, uint64_t b);
Product128 carryless_multiply_hardware(uint64_t a, uint64_t b);

// Whether kernels may use PCLMULQDQ now, and its form on 512-bit vectors (VPCLMULQDQ).
bool has_carryless();
bool has_wide_carryless();

}  // namespace lampyris::ecc
