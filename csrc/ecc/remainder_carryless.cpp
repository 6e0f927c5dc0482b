// One carry-less product for every 8 bytes of a page, then one Barrett step:
// sum = XOR of word_w * (x^(offset + 64 w) mod g) has degree < degree + 63; with h = sum /
// x^degree, the quotient is the top half of h * (x^(degree + 63) / g), exactly.
#include <array>
#include <cstring>

#include "cpu/dispatch.h"
#include "ecc/carryless.h"
#include "ecc/remainder.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own headers (bug 105593)
#endif

namespace lampyris::ecc {

#if defined(__x86_64__)
namespace {

#define LAMPYRIS_TARGET_CLMUL __attribute__((target("arch=x86-64-v3,pclmul")))
#define LAMPYRIS_TARGET_WIDE_CLMUL __attribute__((target(LAMPYRIS_V4 ",pclmul,vpclmulqdq")))

LAMPYRIS_TARGET_CLMUL inline uint64_t reduce(const WordGenerator& g, __m128i sum) {
  const __m128i up = _mm_cvtsi32_si128(64 - g.degree), down = _mm_cvtsi32_si128(g.degree);
  const __m128i high = _mm_unpackhi_epi64(sum, sum);
  const __m128i h = _mm_xor_si128(_mm_sll_epi64(high, up), _mm_srl_epi64(sum, down));
  const __m128i constants =
      _mm_set_epi64x(static_cast<int64_t>(g.low), static_cast<int64_t>(g.inverse));
  const __m128i product = _mm_clmulepi64_si128(h, constants, 0x00);
  const __m128i q = _mm_xor_si128(_mm_slli_epi64(_mm_unpackhi_epi64(product, product), 1),
                                  _mm_srli_epi64(product, 63));
  const __m128i rest = _mm_xor_si128(sum, _mm_clmulepi64_si128(q, constants, 0x10));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(rest)) & ~uint64_t{0} >> (64 - g.degree);
}

struct Sums {
  __m128i even = {}, odd = {};
};

// Two words times their constants.
LAMPYRIS_TARGET_CLMUL inline void add_pair(Sums& sums, const __m128i* data, const __m128i* fold) {
  const __m128i d = _mm_loadu_si128(data), k = _mm_loadu_si128(fold);
  sums.even = _mm_xor_si128(sums.even, _mm_clmulepi64_si128(d, k, 0x00));
  sums.odd = _mm_xor_si128(sums.odd, _mm_clmulepi64_si128(d, k, 0x11));
}

LAMPYRIS_TARGET_CLMUL uint64_t remainder_clmul(const WordGenerator& g, const uint8_t* page,
                                               int64_t bytes) {
  constexpr int kStep = 16;
  Sums a, b;  // independent chains
  const auto* fold = reinterpret_cast<const __m128i*>(g.fold.data());
  const auto* pairs = reinterpret_cast<const __m128i*>(page);
  const int64_t whole = bytes / kStep;
  int64_t i = 0;
  for (; i + 2 <= whole; i += 2) {
    add_pair(a, pairs + i, fold + i);
    add_pair(b, pairs + i + 1, fold + i + 1);
  }
  if (i < whole) add_pair(a, pairs + i, fold + i);
  if (bytes % kStep != 0) {
    std::array<uint8_t, kStep> tail{};
    std::memcpy(tail.data(), page + whole * kStep, static_cast<size_t>(bytes % kStep));
    add_pair(b, reinterpret_cast<const __m128i*>(tail.data()), fold + whole);
  }
  return reduce(g, _mm_xor_si128(_mm_xor_si128(a.even, a.odd), _mm_xor_si128(b.even, b.odd)));
}

LAMPYRIS_TARGET_CLMUL void remainders_clmul(const WordGenerator& g, const uint8_t* pages,
                                            int64_t page_bytes, std::span<uint64_t> out) {
  for (uint64_t& word : out) {
    word = remainder_clmul(g, pages, page_bytes);
    pages += page_bytes;
  }
}

constexpr int64_t kVector = 64;  // bytes
constexpr int kInFlight = 4;     // pages: their four sums are reduced as one vector

// Lanes of a, then of b, added in neighbouring pairs; twice makes one lane of each of four vectors.
LAMPYRIS_TARGET_WIDE_CLMUL inline __m512i add_lanes(__m512i a, __m512i b) {
  return _mm512_xor_si512(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

// sum + eight words times their constants.
LAMPYRIS_TARGET_WIDE_CLMUL inline __m512i add_eight(__m512i sum, __m512i data, __m512i k) {
  return _mm512_ternarylogic_epi64(sum, _mm512_clmulepi64_epi128(data, k, 0x00),
                                   _mm512_clmulepi64_epi128(data, k, 0x11), 0x96);
}

// Remainders of the four 128-bit lanes, in the even words.
LAMPYRIS_TARGET_WIDE_CLMUL inline __m512i reduce_wide(const WordGenerator& g, __m512i sum) {
  const __m128i up = _mm_cvtsi32_si128(64 - g.degree), down = _mm_cvtsi32_si128(g.degree);
  const __m512i constants = _mm512_broadcast_i32x4(
      _mm_set_epi64x(static_cast<int64_t>(g.low), static_cast<int64_t>(g.inverse)));
  const __m512i mask = _mm512_set1_epi64(static_cast<int64_t>(~uint64_t{0} >> (64 - g.degree)));
  const __m512i high = _mm512_unpackhi_epi64(sum, sum);
  const __m512i h = _mm512_xor_si512(_mm512_sll_epi64(high, up), _mm512_srl_epi64(sum, down));
  const __m512i product = _mm512_clmulepi64_epi128(h, constants, 0x00);
  const __m512i q = _mm512_xor_si512(_mm512_slli_epi64(_mm512_unpackhi_epi64(product, product), 1),
                                     _mm512_srli_epi64(product, 63));
  const __m512i rest = _mm512_xor_si512(sum, _mm512_clmulepi64_epi128(q, constants, 0x10));
  return _mm512_and_si512(rest, mask);
}

// The `bytes` < 64 bytes at p, then zeros. A masked load that reaches into a page of memory whose
// address is not translated yet is slow even where the mask leaves it out: plain loads where one
// fits.
LAMPYRIS_TARGET_WIDE_CLMUL inline __m512i load_tail(const uint8_t* p, int64_t bytes) {
  if (bytes == 32) {
    return _mm512_zextsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  if (bytes == 8) {
    return _mm512_zextsi128_si512(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  return _mm512_maskz_loadu_epi8((uint64_t{1} << bytes) - 1, p);
}

LAMPYRIS_TARGET_WIDE_CLMUL void remainders_wide(const WordGenerator& g, const uint8_t* pages,
                                                int64_t page_bytes, std::span<uint64_t> out) {
  const int64_t whole = page_bytes / kVector * kVector;
  const int64_t tail = page_bytes % kVector;
  size_t page = 0;
  for (; page + kInFlight <= out.size(); page += kInFlight, pages += kInFlight * page_bytes) {
    __m512i sums[kInFlight] = {};
    for (int64_t byte = 0; byte < whole; byte += kVector) {
      const __m512i k = _mm512_loadu_si512(g.fold.data() + byte / 8);
      for (int p = 0; p < kInFlight; ++p)
        sums[p] = add_eight(sums[p], _mm512_loadu_si512(pages + p * page_bytes + byte), k);
    }
    if (tail != 0) {
      const __m512i k = _mm512_loadu_si512(g.fold.data() + whole / 8);
      for (int p = 0; p < kInFlight; ++p) {
        sums[p] = add_eight(sums[p], load_tail(pages + p * page_bytes + whole, tail), k);
      }
    }
    const __m512i lanes = add_lanes(add_lanes(sums[0], sums[1]), add_lanes(sums[2], sums[3]));
    const __m512i rest = reduce_wide(g, lanes);
    const __m512i packed = _mm512_maskz_compress_epi64(0x55, rest);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.data() + page),
                        _mm512_castsi512_si256(packed));
  }
  for (; page < out.size(); ++page, pages += page_bytes)
    out[page] = remainder_clmul(g, pages, page_bytes);
}

}  // namespace

uint64_t remainder_by_carryless(const WordGenerator& g, std::span<const uint8_t> page) {
  return remainder_clmul(g, page.data(), static_cast<int64_t>(page.size()));
}

#else

uint64_t remainder_by_carryless(const WordGenerator& g, std::span<const uint8_t> page) {
  return remainder_by_tables(g, page);
}

#endif

uint64_t remainder_of(const WordGenerator& g, std::span<const uint8_t> page) {
  return has_carryless() ? remainder_by_carryless(g, page) : remainder_by_tables(g, page);
}

void remainders_of(const WordGenerator& g, const uint8_t* pages, int64_t page_bytes,
                   std::span<uint64_t> out) {
#if defined(__x86_64__)
  if (has_wide_carryless()) return remainders_wide(g, pages, page_bytes, out);
  if (has_carryless()) return remainders_clmul(g, pages, page_bytes, out);
#endif
  for (uint64_t& word : out) {
    word = remainder_by_tables(g, {pages, static_cast<size_t>(page_bytes)});
    pages += page_bytes;
  }
}

}  // namespace lampyris::ecc
