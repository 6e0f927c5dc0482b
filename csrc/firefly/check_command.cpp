// Range, alignment and memory checks of a command. Nothing runs unless they all pass.
#include "core/fixed_point.h"
#include "firefly/area.h"
#include "firefly/command.h"
#include "firefly/config.h"

namespace lampyris::firefly {

namespace {

constexpr uint32_t kSpikeAlign = 4;
constexpr uint32_t kStreamAlign = 16;

struct Checker {
  int parallelism;
  uint64_t memory_bytes;
  ErrorCode code = ErrorCode::kNone;

  void require(bool ok, ErrorCode failure) {
    if (!ok && code == ErrorCode::kNone) code = failure;
  }
  void range(bool ok) { require(ok, ErrorCode::kRange); }

  void block(uint32_t base, uint64_t extent, uint32_t align) {
    require(base % align == 0, ErrorCode::kAlignment);
    require(base + extent <= memory_bytes, ErrorCode::kMemory);
  }
  void area(const Area& area, int steps, int tiles, int64_t bytes, uint32_t align) {
    require(area.stride_t % align == 0 && area.stride_c % align == 0, ErrorCode::kAlignment);
    block(area.base, area_extent(area, steps, tiles, bytes), align);
  }
};

bool valid_window(const Command& c) {
  const bool padded = c.pad_top || c.pad_bottom || c.pad_left || c.pad_right;
  switch (c.op) {
    case Op::kConv:
      return (c.kernel == 3 || (c.kernel == 1 && !padded)) && (c.stride == 1 || c.stride == 2);
    case Op::kNeuron:
      return c.kernel == 1 && c.stride == 1 && !padded;
    case Op::kMaxPool:  // 1 x 1 copies
      return (c.kernel == 1 || c.kernel == 2) && c.stride == c.kernel && !padded;
    case Op::kUpsample:
      return c.kernel == 1 && c.stride == 2 && !padded;
  }
  return false;
}

bool valid_shape(const Command& c) {
  if (c.op == Op::kUpsample) return c.out_h == 2 * c.in_h && c.out_w == 2 * c.in_w;
  const int rows = c.in_h + c.pad_top + c.pad_bottom - c.kernel;
  const int columns = c.in_w + c.pad_left + c.pad_right - c.kernel;
  if (rows < 0 || columns < 0) return false;
  return c.out_h == rows / c.stride + 1 && c.out_w == columns / c.stride + 1;
}

bool valid_flags(const Command& c) {
  const int third = c.stream_out + c.accumulate + c.membrane_out;
  if (third > 1 || (third == 0 && !c.spikes_out)) return false;
  switch (c.op) {
    case Op::kConv:
      return !(c.accumulate && (c.spikes_out || c.preload || c.shift != 0));
    case Op::kNeuron:
      return !c.preload && !c.accumulate && !c.stream_out && c.shift == 0;
    case Op::kMaxPool:
    case Op::kUpsample:
      return !c.preload && !c.accumulate && !c.membrane_out && !c.table && c.shift == 0 &&
             c.spikes_out != c.stream_out;
  }
  return false;
}

}  // namespace

ErrorCode check_command(const Command& c, int parallelism, uint64_t memory_bytes) {
  Checker check{parallelism, memory_bytes};
  const int64_t p = parallelism;
  check.require(c.op >= Op::kConv && c.op <= Op::kUpsample, ErrorCode::kOperation);
  if (check.code != ErrorCode::kNone) return check.code;
  check.require(valid_flags(c), ErrorCode::kOperation);
  check.range(valid_window(c));
  check.range(c.in_w <= kMaxWidth && c.out_w <= kMaxWidth);
  check.range(int64_t{c.out_h} * c.out_w <= kMaxPixels);
  check.range(c.steps <= kMaxSteps);
  check.range(c.shift <= kMaxShift);
  check.range(wrap(c.theta, kMembraneBits) == c.theta);
  check.range(c.leak != Leak::kEveryPass);
  if (c.fires() && c.leak == Leak::kBefore) check.range(c.k >= 1 && c.k <= 4);
  check.range(c.op == Op::kConv || c.co_tiles == c.ci_tiles);
  if (check.code != ErrorCode::kNone) return check.code;
  check.range(valid_shape(c));

  const int64_t table_bytes = c.table ? c.co_tiles * p * 4 : 0;
  if (c.op == Op::kConv) {
    const int64_t fan_in = c.ci_tiles * p * c.kernel * c.kernel;
    check.range(fan_in * (c.accumulate ? c.steps : 1) <= kMaxFanIn);
    check.range(c.weight_bytes == fan_in * c.co_tiles * p);
    check.range(c.bias_bytes == c.co_tiles * p * 2 + table_bytes);
  } else {
    check.range(c.weight_bytes == 0 && c.bias_bytes == table_bytes);
  }
  if (check.code != ErrorCode::kNone) return check.code;

  const uint32_t parameter_align = static_cast<uint32_t>(parallelism / 2);
  if (c.weight_bytes) check.block(c.weights, c.weight_bytes, parameter_align);
  if (c.bias_bytes) check.block(c.bias, c.bias_bytes, parameter_align);
  const int64_t in_pixels = int64_t{c.in_h} * c.in_w, out_pixels = int64_t{c.out_h} * c.out_w;
  const bool spikes_in = c.op == Op::kConv || (c.op != Op::kNeuron && c.spikes_out);
  check.area(
      c.source, c.steps, c.ci_tiles,
      in_pixels * (spikes_in ? spike_pixel_bytes(parallelism) : stream_pixel_bytes(parallelism)),
      spikes_in ? kSpikeAlign : kStreamAlign);
  if (c.preload)
    check.area(c.residual, c.steps, c.co_tiles, out_pixels * stream_pixel_bytes(parallelism),
               kStreamAlign);
  if (c.spikes_out)
    check.area(c.spikes, c.steps, c.co_tiles, out_pixels * spike_pixel_bytes(parallelism),
               kSpikeAlign);
  if (c.stream_out)
    check.area(c.stream, c.steps, c.co_tiles, out_pixels * stream_pixel_bytes(parallelism),
               kStreamAlign);
  if (c.accumulate || c.membrane_out)
    check.area(c.stream, 1, c.co_tiles, out_pixels * int32_pixel_bytes(parallelism), kStreamAlign);
  return check.code;
}

ErrorCode check_v1(const V1Command& c, int parallelism, uint64_t memory_bytes) {
  Checker check{parallelism, memory_bytes};
  const int64_t p = parallelism;
  const int64_t pixels = int64_t{c.height} * c.width;
  check.range(c.width <= kMaxWidth && c.height <= kMaxWidth && pixels <= kMaxPixels);
  check.range(c.ci_steps == c.ci_tiles * c.steps && c.co_steps == c.co_tiles * c.steps);
  check.range(!c.pool || (c.height % 2 == 0 && c.width % 2 == 0 && !c.linear));
  check.range(!c.linear || (c.height == 3 && c.width == 3));
  check.range(c.weight_length == c.ci_tiles * p);
  check.range(c.weight_bytes == c.ci_tiles * c.co_tiles * p * p * 9);
  check.range(c.bias_bytes == c.co_tiles * p * 2);
  check.range(c.input_bytes == pixels * c.steps * c.ci_tiles * p / 8);
  const int64_t out_pixels = c.linear ? 1 : (c.pool ? pixels / 4 : pixels);
  check.range(c.output_bytes == out_pixels * p / 8);
  check.range(c.input_bytes < kMaxTransfer && c.weight_bytes < kMaxTransfer);
  if (check.code != ErrorCode::kNone) return check.code;
  const uint32_t parameter_align = static_cast<uint32_t>(parallelism / 2);
  check.block(c.weights, c.weight_bytes, parameter_align);
  check.block(c.bias, c.bias_bytes, parameter_align);
  check.block(c.input, c.input_bytes, kSpikeAlign);
  check.area(c.output, c.steps, c.co_tiles, c.output_bytes, kSpikeAlign);
  return check.code;
}

}  // namespace lampyris::firefly
