// Parameter streams in the order the DMA sends them: (o op)(i ip) kr kc -> (o i kr kc) ip op,
// channels padded with zeros to multiples of P.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lampyris::firefly {

inline int tile_count(int channels, int parallelism) {
  return (channels + parallelism - 1) / parallelism;
}

// [out][in][taps] to bytes.
std::vector<uint8_t> pack_weights(std::span<const int8_t> weight, int out, int in, int taps,
                                  int parallelism);

// int16 little-endian, padded channels get `pad`.
std::vector<uint8_t> pack_bias(std::span<const int16_t> bias, int parallelism, int16_t pad = 0);

// int32 little-endian behind `bytes`; padded channels get the largest threshold.
void append_thresholds(std::vector<uint8_t>& bytes, std::span<const int32_t> threshold,
                       int parallelism);

std::vector<uint8_t> pack_int32(std::span<const int32_t> values);

}  // namespace lampyris::firefly
