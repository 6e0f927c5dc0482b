// Samples of one command: windows, tile sums, membranes in the hardware's order.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/fixed_point.h"
#include "firefly/area.h"
#include "firefly/datapath.h"
#include "firefly/wave.h"
#include "firefly/wave_clocked.h"

namespace lampyris::firefly {

namespace {

constexpr int kReleasedSumBits = 16;

// Windows and weights of a convolution, as bytes in memory.
struct WaveSynapses {
  std::span<const uint8_t> memory;
  int parallelism;
  Area source;
  int in_h, in_w, out_w, kernel, stride, top, left, ci_tiles;
  std::span<const uint8_t> weights;  // (o i kr kc) ip op

  uint32_t word(int t, int tile, int y, int x) const {
    if (y < 0 || x < 0 || y >= in_h || x >= in_w) return 0;
    uint32_t bits = 0;
    const int64_t bytes = spike_pixel_bytes(parallelism);
    const uint64_t at = area_block(source, t, tile) +
                        static_cast<uint64_t>((int64_t{y} * in_w + x) * bytes);
    std::memcpy(&bits, memory.data() + at, static_cast<size_t>(bytes));
    return bits;
  }

  // P spikes of every tap; a 1 x 1 kernel uses the centre.
  std::array<uint32_t, kWaveTaps> window(int t, int tile, int pixel) const {
    std::array<uint32_t, kWaveTaps> taps{};
    const int y = pixel / out_w * stride - top, x = pixel % out_w * stride - left;
    if (kernel == 1) {
      taps[kWaveTaps / 2] = word(t, tile, y, x);
      return taps;
    }
    for (int tap = 0; tap < kWaveTaps; ++tap)
      taps[static_cast<size_t>(tap)] = word(t, tile, y + tap / 3, x + tap % 3);
    return taps;
  }

  WaveLanes sums(const std::array<uint32_t, kWaveTaps>& taps, int o, int tile) const {
    const int p = parallelism, count = kernel * kernel;
    WaveLanes sums{};
    for (int tap = 0; tap < count; ++tap) {
      uint32_t bits = taps[static_cast<size_t>(kernel == 1 ? kWaveTaps / 2 : tap)];
      const int64_t block = ((int64_t{o} * ci_tiles + tile) * count + tap) * p * p;
      for (int input = 0; bits; ++input, bits >>= 1) {
        if (!(bits & 1)) continue;
        const uint8_t* row = weights.data() + block + int64_t{input} * p;
        for (int lane = 0; lane < p; ++lane)
          sums[static_cast<size_t>(lane)] += static_cast<int8_t>(row[lane]);
      }
    }
    return sums;
  }
};

template <class T>
WaveLanes lanes_of(const LaneMap<T>& map, int t, int tile, int pixel) {
  WaveLanes out{};
  if (map.empty()) return out;
  const T* row = map.row(t, tile, pixel / map.columns) + pixel % map.columns * map.parallelism;
  std::copy_n(row, map.parallelism, out.begin());
  return out;
}

uint32_t fired_word(const LaneMap<uint8_t>& map, int t, int tile, int pixel) {
  const WaveLanes lanes = lanes_of(map, t, tile, pixel);
  uint32_t word = 0;
  for (size_t i = 0; i < kWaveLanes; ++i) word |= static_cast<uint32_t>(lanes[i] & 1) << i;
  return word;
}

WaveLanes thresholds(const Command& c, int p, int tile, std::span<const uint8_t> memory) {
  WaveLanes lanes;
  lanes.fill(c.theta);
  if (!c.table) return lanes;
  const uint32_t behind = c.op == Op::kConv ? static_cast<uint32_t>(c.co_tiles * p) * 2 : 0;
  const uint64_t at = c.bias + behind + static_cast<uint32_t>(tile * p) * sizeof(int32_t);
  std::memcpy(lanes.data(), memory.data() + at, static_cast<size_t>(p) * sizeof(int32_t));
  return lanes;
}

WaveLanes biases(std::span<const uint8_t> bytes, int p, int tile) {
  std::array<int16_t, kWaveLanes> values{};
  std::memcpy(values.data(), bytes.data() + static_cast<size_t>(tile * p) * 2,
              static_cast<size_t>(p) * 2);
  WaveLanes lanes{};
  std::copy(values.begin(), values.end(), lanes.begin());
  return lanes;
}

void check_place(const WaveRequest& at, int tiles, int steps) {
  if (at.tile >= tiles || at.t >= steps)
    fail("trace: the command must have tile {} and t {}, got {} tiles and {} steps", at.tile, at.t,
         tiles, steps);
}

// V that ems compares: leak, add, saturate.
int32_t charged(const Command& c, int32_t v, int32_t x) {
  if (c.leak == Leak::kBefore) v = shift_floor(v, c.k);
  v += x;
  return sat18(c.leak == Leak::kHalfAfter ? shift_floor(v, 1) : v);
}

void functional_samples(const Command& c, int p, std::span<const uint8_t> memory,
                        const CommandTrace& trace, const WaveRequest& at, WaveFile& file) {
  const WaveSynapses synapses{memory,   p,        c.source,   c.in_h,     c.in_w,
                              c.out_w,  c.kernel, c.stride,   c.pad_top,  c.pad_left,
                              c.ci_tiles, memory.subspan(c.weights, c.weight_bytes)};
  const bool matrix = c.op == Op::kConv;
  const int pixels = c.out_h * c.out_w, tiles = matrix ? c.ci_tiles : 1;
  const WaveLanes bias = matrix ? biases(memory.subspan(c.bias), p, at.tile) : WaveLanes{};
  std::vector<WaveLanes> total(static_cast<size_t>(c.accumulate ? pixels : 0));
  for (int t = c.accumulate ? 0 : at.t; t <= at.t; ++t)
    for (int tile = 0; tile < tiles; ++tile)
      for (int pixel = 0; pixel < pixels; ++pixel) {
        WaveSample s;
        s.input_valid = s.output_valid = true, s.sum_valid = matrix;
        s.in_tile = s.out_tile = tile, s.in_pixel = s.out_pixel = pixel;
        s.last = tile + 1 == tiles;
        if (matrix) {
          s.taps = synapses.window(t, tile, pixel);
          s.sums = synapses.sums(s.taps, at.tile, tile);
        }
        if (c.accumulate) {
          WaveLanes& sum = total[static_cast<size_t>(pixel)];
          for (size_t i = 0; i < kWaveLanes; ++i) sum[i] += s.sums[i] + (s.last ? bias[i] : 0);
          s.current = sum;
        } else if (matrix) {
          s.current = lanes_of(trace.current, t, at.tile, pixel);
        } else {
          const uint64_t block = area_block(c.source, t, at.tile) +
                                 static_cast<uint64_t>(pixel * stream_pixel_bytes(p));
          s.current = biases(memory.subspan(block), p, 0);
        }
        if (s.last && c.fires()) {
          const WaveLanes before =
              t > 0 ? lanes_of(trace.membrane, t - 1, at.tile, pixel) : WaveLanes{};
          for (size_t i = 0; i < kWaveLanes; ++i)
            s.compared[i] = charged(c, before[i], s.current[i]);
          s.membrane = lanes_of(trace.membrane, t, at.tile, pixel);
          s.fired = fired_word(trace.fired, t, at.tile, pixel);
        }
        if (t == at.t) file.cycle(s);
      }
}

}  // namespace

void wave_command(const Command& c, const Config& config, std::span<const uint8_t> memory,
                  const WaveRequest& at, WaveFile& file) {
  check_place(at, c.co_tiles, c.steps);
  const int p = config.parallelism;
  file.threshold(thresholds(c, p, at.tile, memory));
  std::vector<uint8_t> copy(memory.begin(), memory.end());
  if (config.datapath != Datapath::kFunctional && c.op == Op::kConv)
    return wave_clocked(c, config, copy, at, file);
  CommandTrace trace;
  run_command(c, p, copy, &trace);
  functional_samples(c, p, memory, trace, at, file);
}

void wave_v1(const V1Command& c, const Config& config, std::span<const uint8_t> memory,
             const WaveRequest& at, WaveFile& file) {
  check_place(at, c.co_tiles, c.steps);
  const int p = config.parallelism;
  const auto* weights = reinterpret_cast<const int8_t*>(memory.data() + c.weights);
  std::vector<int16_t> fifo(c.bias_bytes / 2);
  std::memcpy(fifo.data(), memory.data() + c.bias, fifo.size() * 2);
  std::vector<uint8_t> copy(memory.begin(), memory.end());
  WaveLanes theta;
  theta.fill(c.theta);
  file.threshold(theta);
  if (config.datapath != Datapath::kFunctional)
    return wave_clocked(c, config, {weights, c.weight_bytes}, fifo, copy, at, file);
  CommandTrace trace;
  run_v1(c, p, {weights, c.weight_bytes}, fifo, copy, &trace);

  const uint32_t block =
      static_cast<uint32_t>(int64_t{c.height} * c.width * spike_pixel_bytes(p));
  const int pad = c.linear ? 0 : 1;
  const WaveSynapses synapses{
      memory, p, {c.input, block * static_cast<uint32_t>(c.ci_tiles), block}, c.height, c.width,
      c.linear ? 1 : c.width, 3, 1, pad, pad, c.ci_tiles,
      memory.subspan(c.weights, c.weight_bytes)};
  const int pixels = c.linear ? 1 : c.height * c.width;
  const WaveLanes bias = biases(memory.subspan(c.bias), p, at.tile);
  std::vector<WaveLanes> psum(static_cast<size_t>(pixels));
  for (int pixel = 0; pixel < pixels && at.t > 0; ++pixel)
    psum[static_cast<size_t>(pixel)] = lanes_of(trace.membrane, at.t - 1, at.tile, pixel);
  for (int tile = 0; tile < c.ci_tiles; ++tile)
    for (int pixel = 0; pixel < pixels; ++pixel) {
      WaveSample s;
      s.input_valid = s.sum_valid = s.output_valid = true;
      s.in_tile = s.out_tile = tile, s.in_pixel = s.out_pixel = pixel;
      s.last = tile + 1 == c.ci_tiles;
      s.taps = synapses.window(at.t, tile, pixel);
      s.sums = synapses.sums(s.taps, at.tile, tile);
      WaveLanes& v = psum[static_cast<size_t>(pixel)];
      for (size_t i = 0; i < kWaveLanes; ++i) {
        s.sums[i] = wrap(s.sums[i], kReleasedSumBits);
        v[i] = wrap(v[i] + s.sums[i] + (s.last ? bias[i] : 0), kMembraneBits);
        const bool halves = c.leak_kind() == Leak::kEveryPass ||
                            (s.last && c.leak_kind() == Leak::kHalfAfter);
        if (halves) v[i] = shift_floor(v[i], 1);
      }
      s.compared = v, s.membrane = v;
      if (s.last) {
        s.membrane = lanes_of(trace.membrane, at.t, at.tile, pixel);
        s.fired = fired_word(trace.fired, at.t, at.tile, pixel);
      }
      file.cycle(s);
    }
}

}  // namespace lampyris::firefly
