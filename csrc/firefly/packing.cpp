#include "firefly/packing.h"

#include <algorithm>
#include <cstring>

#include "core/fixed_point.h"

namespace lampyris::firefly {

std::vector<uint8_t> pack_weights(std::span<const int8_t> weight, int out, int in, int taps,
                                  int p) {
  const int64_t co = tile_count(out, p), ci = tile_count(in, p);
  std::vector<uint8_t> packed(static_cast<size_t>(co * ci * taps * p * p), 0);
  const int8_t* w = weight.data();
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i)
      for (int64_t tap = 0; tap < taps; ++tap, ++w) {
        const int64_t tile = ((o / p) * ci + i / p) * taps + tap;
        packed[static_cast<size_t>((tile * p + i % p) * p + o % p)] = static_cast<uint8_t>(*w);
      }
  return packed;
}

std::vector<uint8_t> pack_bias(std::span<const int16_t> bias, int parallelism, int16_t pad) {
  std::vector<int16_t> padded(
      static_cast<size_t>(tile_count(static_cast<int>(bias.size()), parallelism) * parallelism),
      pad);
  std::copy(bias.begin(), bias.end(), padded.begin());
  std::vector<uint8_t> bytes(padded.size() * sizeof(int16_t));
  std::memcpy(bytes.data(), padded.data(), bytes.size());
  return bytes;
}

std::vector<uint8_t> pack_int32(std::span<const int32_t> values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(int32_t));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

void append_thresholds(std::vector<uint8_t>& bytes, std::span<const int32_t> threshold,
                       int parallelism) {
  const int count = static_cast<int>(threshold.size());
  std::vector<int32_t> padded(static_cast<size_t>(tile_count(count, parallelism) * parallelism),
                              kMembraneMax);
  std::copy(threshold.begin(), threshold.end(), padded.begin());
  const std::vector<uint8_t> packed = pack_int32(padded);
  bytes.insert(bytes.end(), packed.begin(), packed.end());
}

}  // namespace lampyris::firefly
