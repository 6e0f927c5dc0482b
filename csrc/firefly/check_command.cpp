// Range, alignment and memory checks of a command. Nothing runs unless they all pass.
#include <cstring>

#include "core/fixed_point.h"
#include "firefly/area.h"
#include "firefly/command.h"
#include "firefly/config.h"

namespace lampyris::firefly {

namespace {

struct Checker {
  uint64_t memory_bytes;
  Check found = {};

  void require(bool ok, ErrorCode failure, std::string_view what) {
    if (!ok && found.code == ErrorCode::kNone) found = {failure, what};
  }
  void range(bool ok, std::string_view what) { require(ok, ErrorCode::kRange, what); }
  bool failed() const { return found.code != ErrorCode::kNone; }

  void block(uint32_t base, uint64_t extent, uint32_t align, std::string_view what) {
    require(base % align == 0, ErrorCode::kAlignment, what);
    require(base + extent <= memory_bytes, ErrorCode::kMemory, what);
  }
  void area(const Area& area, int steps, int tiles, int64_t bytes, uint32_t align,
            std::string_view what) {
    require(area.stride_t % align == 0 && area.stride_c % align == 0, ErrorCode::kAlignment, what);
    block(area.base, area_extent(area, steps, tiles, bytes), align, what);
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

std::string_view error_text(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNone:
      return "none";
    case ErrorCode::kBusy:
      return "write while busy";
    case ErrorCode::kRange:
      return "a field outside its range";
    case ErrorCode::kAlignment:
      return "an address or stride not aligned";
    case ErrorCode::kOperation:
      return "no such operation";
    case ErrorCode::kMemory:
      return "an area outside the memory";
    case ErrorCode::kRegister:
      return "no such register";
    case ErrorCode::kParameters:
      return "parameters missing";
  }
  return "unknown";
}

Check check_reserved(const RegisterValues& values) {
  struct Field {
    uint32_t offset, used;
    std::string_view what;
  };
  constexpr Field kFields[] = {{reg::kOperation, 0x0007FFFF, "0x90 with bits 31:19 clear"},
                               {reg::kWindow, 0x00000FFF, "0x94 with bits 31:12 clear"},
                               {reg::kChannelTiles, 0x00FFFFFF, "0xA0 with bits 31:24 clear"},
                               {reg::kSteps, 0x0000FFFF, "0xA4 with bits 31:16 clear"}};
  for (const Field& field : kFields)
    if (values[field.offset / 4] & ~field.used) return {ErrorCode::kRange, field.what};
  return {};
}

Check check_table(const Command& c, const Config& config, std::span<const uint8_t> memory) {
  if (!c.table) return {};
  const size_t lanes = static_cast<size_t>(c.co_tiles) * static_cast<size_t>(config.parallelism);
  const size_t behind = c.op == Op::kConv ? lanes * sizeof(int16_t) : 0;
  for (size_t lane = 0; lane < lanes; ++lane) {
    int32_t theta = 0;
    std::memcpy(&theta, memory.data() + c.bias + behind + lane * sizeof(theta), sizeof(theta));
    if (wrap(theta, kMembraneBits) != theta)
      return {ErrorCode::kRange, "threshold table (0xE4) of 18 bits, sign-extended"};
  }
  return {};
}

Check check_command(const Command& c, const Config& config, uint64_t memory_bytes) {
  Checker check{memory_bytes};
  const int64_t p = config.parallelism;
  check.require(c.op >= Op::kConv && c.op <= Op::kUpsample, ErrorCode::kOperation, "op (0x90)");
  if (check.failed()) return check.found;
  check.require(valid_flags(c), ErrorCode::kOperation, "flags (0x90) for this op");
  check.range(valid_window(c), "kernel, stride and padding (0x94) for this op");
  check.range(c.in_w <= config.max_width() && c.out_w <= config.max_width(),
              "width (0x98, 0x9C) within the line buffer");
  check.range(int64_t{c.out_h} * c.out_w <= config.max_pixels(),
              "output band (0x9C) within the membrane buffer");
  check.range(c.bias_bytes == 0 || c.co_tiles <= config.bias_depth,
              "output tiles (0xA0) within the bias FIFO");
  check.range(c.steps <= kMaxSteps, "T (0xA4)");
  check.range(c.shift <= kMaxShift, "left shift (0x90)");
  check.range(wrap(c.theta, kMembraneBits) == c.theta, "Theta (0xA8) as 18 bits, sign-extended");
  check.range(c.leak != Leak::kEveryPass, "leak (0x90)");
  if (c.fires() && c.leak == Leak::kBefore) check.range(c.k >= 1 && c.k <= 4, "k (0x90)");
  check.range(c.op == Op::kConv || c.co_tiles == c.ci_tiles, "equal tiles in and out (0xA0)");
  if (check.failed()) return check.found;
  check.range(valid_shape(c), "output band (0x9C) as source band and window give it");

  const int64_t table_bytes = c.table ? c.co_tiles * p * 4 : 0;
  if (c.op == Op::kConv) {
    const int64_t fan_in = c.ci_tiles * p * c.kernel * c.kernel;
    // Padded channels have no weights: some network within these tiles must keep the limit.
    const int64_t least = fan_in - (p - 1) * c.kernel * c.kernel;
    check.range(least * (c.accumulate ? c.steps : 1) <= kMaxFanIn, "inputs per output (0xA0)");
    check.range(c.weight_bytes == fan_in * c.co_tiles * p, "weight bytes (0xE0)");
    check.range(c.bias_bytes == c.co_tiles * p * 2 + table_bytes, "bias bytes (0xE8)");
  } else {
    check.range(c.weight_bytes == 0, "weight bytes (0xE0)");
    check.range(c.bias_bytes == table_bytes, "bias bytes (0xE8)");
  }
  if (check.failed()) return check.found;

  if (c.weight_bytes)
    check.block(c.weights, c.weight_bytes, config.parameter_align(), "weights (0xDC)");
  if (c.bias_bytes) check.block(c.bias, c.bias_bytes, config.parameter_align(), "biases (0xE4)");
  const uint32_t spike_align = config.spike_align(), stream_align = config.stream_align();
  const int64_t spike = spike_pixel_bytes(config.parallelism);
  const int64_t stream = stream_pixel_bytes(config.parallelism);
  const int64_t in_pixels = int64_t{c.in_h} * c.in_w, out_pixels = int64_t{c.out_h} * c.out_w;
  const bool spikes_in = c.op == Op::kConv || (c.op != Op::kNeuron && c.spikes_out);
  check.area(c.source, c.steps, c.ci_tiles, in_pixels * (spikes_in ? spike : stream),
             spikes_in ? spike_align : stream_align, "source (0xAC)");
  if (c.preload)
    check.area(c.residual, c.steps, c.co_tiles, out_pixels * stream, stream_align,
               "residual (0xB8)");
  if (c.spikes_out)
    check.area(c.spikes, c.steps, c.co_tiles, out_pixels * spike, spike_align, "spikes (0xC4)");
  if (c.stream_out)
    check.area(c.stream, c.steps, c.co_tiles, out_pixels * stream, stream_align, "stream (0xD0)");
  if (c.accumulate || c.membrane_out)
    check.area(c.stream, 1, c.co_tiles, out_pixels * int32_pixel_bytes(config.parallelism),
               stream_align, "accumulator or membrane (0xD0)");
  return check.found;
}

Check check_v1(const V1Command& c, const Config& config, uint64_t memory_bytes) {
  Checker check{memory_bytes};
  const int64_t p = config.parallelism;
  const int64_t pixels = int64_t{c.height} * c.width;
  check.range(c.width <= config.max_width(), "width (0x0C) within the line buffer");
  check.range(pixels <= config.max_pixels(), "H W (0x0C) within the membrane buffer");
  check.range(c.ci_tiles * p <= config.max_v1_channels(),
              "input channels (0x00) within the weight FIFO");
  check.range(c.co_tiles <= config.bias_depth, "output tiles (0x00) within the bias FIFO");
  check.range(c.ci_steps == c.ci_tiles * c.steps, "input tiles x T (0x04)");
  check.range(c.co_steps == c.co_tiles * c.steps, "output tiles x T (0x04)");
  check.range(!c.pool || (c.height % 2 == 0 && c.width % 2 == 0 && !c.linear),
              "pooling (0x0C): even H and W of a convolution");
  check.range(!c.linear || (c.height == 3 && c.width == 3), "fully connected (0x0C): H = W = 3");
  check.range(c.weight_length == c.ci_tiles * p, "weights length (0x08)");
  check.range(c.weight_bytes == c.ci_tiles * c.co_tiles * p * p * kTaps, "weight bytes (0x3C)");
  check.range(c.bias_bytes == c.co_tiles * p * 2, "bias bytes (0x44)");
  check.range(c.input_bytes == pixels * c.steps * c.ci_tiles * p / 8, "input bytes (0x30)");
  const int64_t out_pixels = c.linear ? 1 : (c.pool ? pixels / 4 : pixels);
  check.range(c.output_bytes == out_pixels * p / 8, "output bytes (0x34)");
  check.range(c.input_bytes < config.max_transfer(), "input bytes (0x30) of one transfer");
  check.range(c.weight_bytes < config.max_transfer(), "weight bytes (0x3C) of one transfer");
  check.range(c.output_bytes < config.max_output_transfer(),
              "output bytes (0x34) of one transfer");
  if (check.failed()) return check.found;
  check.block(c.weights, c.weight_bytes, config.parameter_align(), "weights (0x38)");
  check.block(c.bias, c.bias_bytes, config.parameter_align(), "biases (0x40)");
  check.block(c.input, c.input_bytes, config.spike_align(), "input (0x28)");
  check.area(c.output, c.steps, c.co_tiles, c.output_bytes, config.spike_align(),
             "output (0x2C, strides 0x20 and 0x24)");
  return check.found;
}

}  // namespace lampyris::firefly
