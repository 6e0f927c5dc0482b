#include <algorithm>

#include "cpu/bits.h"
#include "ops/pack_spikes/pack_spikes.h"

namespace lampyris {

namespace {

template <typename T>
struct PackPlane {
  template <class Target>
  LAMPYRIS_INLINE static void run(const T* values, const SpikeShape& s, uint32_t* plane,
                                  int64_t begin, int64_t end) {
    const int64_t words = s.plane_words(), elements = s.elements();
    for (int64_t k = begin; k < end; ++k) {
      const int64_t first = k % words * 32;
      const T* source = values + k / words * elements + first;
      if (first + 32 <= elements) {
        plane[k] = pack_word(Target{}, source);
        continue;
      }
      T tail[32] = {};
      std::copy_n(source, elements - first, tail);
      plane[k] = pack_word(Target{}, tail);
    }
  }
};

struct RepackPlane {
  template <class Target>
  LAMPYRIS_INLINE static void run(const uint32_t* plane, const SpikeShape& s, uint32_t* words,
                                  int64_t begin, int64_t end) {
    const int64_t width = s.words_per_line();
    for (int64_t k = begin; k < end; ++k) {
      const uint32_t* row = plane + k / s.outer * s.plane_words();
      const int64_t base = k % s.outer * s.length * s.inner;
      uint32_t* out = words + k * s.inner * width;
      for (int64_t w = 0; w < width; ++w) {
        const int64_t lines = std::min<int64_t>(32, s.length - 32 * w);
        if (s.inner == 1) {
          const uint32_t keep = lines == 32 ? ~0U : (1U << lines) - 1;
          out[w] = read_bits(row, s.plane_words(), base + 32 * w) & keep;
        } else {
          tile(row, s, base + 32 * w * s.inner, lines, out + w, width);
        }
      }
    }
  }

  // `lines` rows of inner bits, one word of each column out.
  LAMPYRIS_INLINE static void tile(const uint32_t* row, const SpikeShape& s, int64_t base,
                                   int64_t lines, uint32_t* out, int64_t width) {
    for (int64_t i = 0; i < s.inner; i += 32) {
      uint32_t bits[32] = {};
      for (int64_t l = 0; l < lines; ++l) {
        bits[l] = read_bits(row, s.plane_words(), base + l * s.inner + i);
      }
      transpose_bits(bits);
      const int64_t columns = std::min<int64_t>(32, s.inner - i);
      for (int64_t c = 0; c < columns; ++c) out[(i + c) * width] = bits[c];
    }
  }
};

template <typename T>
struct UnpackWords {
  template <class Target>
  LAMPYRIS_INLINE static void run(const uint32_t* words, const SpikeShape& s, T* values,
                                  int64_t begin, int64_t end) {
    const int64_t width = s.words_per_line();
    for (int64_t k = begin; k < end; ++k) {
      const uint32_t* in = words + k * s.inner * width;
      T* out = values + k * s.length * s.inner;
      for (int64_t w = 0; w < width; ++w) {
        const int64_t lines = std::min<int64_t>(32, s.length - 32 * w);
        if (s.inner == 1) {
          write(in[w], lines, out + 32 * w);
          continue;
        }
        for (int64_t i = 0; i < s.inner; i += 32) {
          const int64_t columns = std::min<int64_t>(32, s.inner - i);
          uint32_t bits[32] = {};
          for (int64_t c = 0; c < columns; ++c) bits[c] = in[(i + c) * width + w];
          transpose_bits(bits);
          for (int64_t l = 0; l < lines; ++l) {
            write(bits[l], columns, out + (32 * w + l) * s.inner + i);
          }
        }
      }
    }
  }

  LAMPYRIS_INLINE static void write(uint32_t word, int64_t count, T* out) {
    if (count == 32) {
      unpack_word(word, out);
    } else {
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>((word >> i) & 1U);
    }
  }
};

}  // namespace

void pack_plane(const float* v, const SpikeShape& s, uint32_t* plane, int64_t begin, int64_t end) {
  dispatch<PackPlane<float>>(v, s, plane, begin, end);
}

void pack_plane(const double* v, const SpikeShape& s, uint32_t* plane, int64_t begin, int64_t end) {
  dispatch<PackPlane<double>>(v, s, plane, begin, end);
}

void pack_plane(const uint8_t* v, const SpikeShape& s, uint32_t* plane, int64_t begin,
                int64_t end) {
  dispatch<PackPlane<uint8_t>>(v, s, plane, begin, end);
}

void repack_plane(const uint32_t* plane, const SpikeShape& s, uint32_t* words, int64_t begin,
                  int64_t end) {
  dispatch<RepackPlane>(plane, s, words, begin, end);
}

void unpack_words(const uint32_t* words, const SpikeShape& s, float* v, int64_t begin,
                  int64_t end) {
  dispatch<UnpackWords<float>>(words, s, v, begin, end);
}

void unpack_words(const uint32_t* words, const SpikeShape& s, double* v, int64_t begin,
                  int64_t end) {
  dispatch<UnpackWords<double>>(words, s, v, begin, end);
}

void unpack_words(const uint32_t* words, const SpikeShape& s, uint8_t* v, int64_t begin,
                  int64_t end) {
  dispatch<UnpackWords<uint8_t>>(words, s, v, begin, end);
}

}  // namespace lampyris
