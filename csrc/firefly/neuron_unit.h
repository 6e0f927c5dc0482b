// Currents and neurons of one map row, P lanes at a time. A row buffer is [tile][x][p] int32; the
// arithmetic is contract sections 2 and 3.
#pragma once

#include <cstdint>

#include "firefly/command.h"

namespace lampyris::firefly {

// X = sat16((P << shift) + B + A).
struct CurrentJob {
  const int32_t* sums;  // [width][lanes]
  int lanes;
  const int16_t* bias;      // [tiles * P]
  const int16_t* residual;  // row of tile 0, or nullptr
  int64_t residual_tile;    // elements from tile to tile
  int16_t* stream;          // row of tile 0, or nullptr
  int64_t stream_tile;
  int32_t* current;  // out: row buffer
  int tiles, width, parallelism, shift;
  int64_t* clamped;
};
void current_row(const CurrentJob& job);

// acc += P + B, never clamped.
struct SumJob {
  const int32_t* sums;
  int lanes;
  const int16_t* bias;
  int32_t* total;  // row buffer
  int tiles, width, parallelism;
};
void sum_row(const SumJob& job);

enum class Overflow : uint8_t { kSaturate, kWrap };  // 18-bit membrane of ems, of v1

struct NeuronJob {
  const int32_t* current;    // row buffer
  int32_t* membrane;         // row buffer, in and out (after reset)
  const int32_t* threshold;  // [tiles * P]
  uint8_t* fired;            // out: row buffer of 0 and 1
  int tiles, width, parallelism;
  Leak leak;
  int k;
  Overflow overflow;
  int64_t* saturated;
};
void neuron_row(const NeuronJob& job);

// Winner-takes-all: a lane fires where V > max over the P lanes - 1. No reset.
void winner_row(const NeuronJob& job);

// Packs a row of one tile, least significant lane first; `pixels` * P / 8 bytes.
void pack_row(const uint8_t* fired, int pixels, int parallelism, uint8_t* out);

}  // namespace lampyris::firefly
