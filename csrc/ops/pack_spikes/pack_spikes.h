// Spikes as bits. A *plane* holds the bits of a dense tensor in memory order, each of its `rows`
// padded to 32; *words* hold one dimension of length L moved last and padded to 32. Element (o, l,
// i) of a row, o < outer, i < inner, is bit (o L + l) inner + i of the plane and bit l % 32 of word
// (o inner + i) ceil(L / 32) + l / 32.
#pragma once

#include <cstdint>

#include "core/attributes.h"

struct CUstream_st;

namespace lampyris {

struct SpikeShape {
  int64_t rows = 0;
  int64_t outer = 1, length = 1, inner = 1;

  LAMPYRIS_INLINE int64_t elements() const { return outer * length * inner; }
  LAMPYRIS_INLINE int64_t plane_words() const { return (elements() + 31) / 32; }
  LAMPYRIS_INLINE int64_t words_per_line() const { return (length + 31) / 32; }
  LAMPYRIS_INLINE int64_t packed_words() const { return outer * inner * words_per_line(); }
  // The plane already is the packed form.
  LAMPYRIS_INLINE bool plane_is_packed() const { return inner == 1 && length % 32 == 0; }
};

// Plane words [begin, end) of all rows together; a bit is set where the value is not 0.
void pack_plane(const float* values, const SpikeShape& s, uint32_t* plane, int64_t begin,
                int64_t end);
void pack_plane(const double* values, const SpikeShape& s, uint32_t* plane, int64_t begin,
                int64_t end);
void pack_plane(const uint8_t* values, const SpikeShape& s, uint32_t* plane, int64_t begin,
                int64_t end);

// Plane to words, for (row, o) pairs [begin, end).
void repack_plane(const uint32_t* plane, const SpikeShape& s, uint32_t* words, int64_t begin,
                  int64_t end);

// Words to dense values 0 and 1 in the memory order above, for (row, o) pairs [begin, end).
void unpack_words(const uint32_t* words, const SpikeShape& s, float* values, int64_t begin,
                  int64_t end);
void unpack_words(const uint32_t* words, const SpikeShape& s, double* values, int64_t begin,
                  int64_t end);
void unpack_words(const uint32_t* words, const SpikeShape& s, uint8_t* values, int64_t begin,
                  int64_t end);

void pack_plane_cuda(const float* values, const SpikeShape& s, uint32_t* plane,
                     CUstream_st* stream);
void pack_plane_cuda(const double* values, const SpikeShape& s, uint32_t* plane,
                     CUstream_st* stream);
void pack_plane_cuda(const uint8_t* values, const SpikeShape& s, uint32_t* plane,
                     CUstream_st* stream);
void repack_plane_cuda(const uint32_t* plane, const SpikeShape& s, uint32_t* words,
                       CUstream_st* stream);
void unpack_words_cuda(const uint32_t* words, const SpikeShape& s, float* values,
                       CUstream_st* stream);
void unpack_words_cuda(const uint32_t* words, const SpikeShape& s, double* values,
                       CUstream_st* stream);
void unpack_words_cuda(const uint32_t* words, const SpikeShape& s, uint8_t* values,
                       CUstream_st* stream);

}  // namespace lampyris
