#include "firefly/command.h"

#include "core/error.h"
#include "core/fixed_point.h"

namespace lampyris::firefly {

namespace {

uint32_t field(uint32_t word, int low, int bits) { return (word >> low) & ((1u << bits) - 1); }

Area area_at(const RegisterValues& values, uint32_t offset) {
  const size_t i = offset / 4;
  return {values[i], values[i + 1], values[i + 2]};
}

class Writer {
 public:
  void literal(uint32_t offset, uint32_t value) {
    writes_.push_back({offset, Relocation::kLiteral, value});
  }
  void image(uint32_t offset, uint32_t value, bool used) {
    writes_.push_back({offset, used ? Relocation::kImage : Relocation::kLiteral, value});
  }
  void area(uint32_t offset, const Area& area, bool used) {
    writes_.push_back({offset, used ? Relocation::kArena : Relocation::kLiteral, area.base});
    literal(offset + 4, area.stride_t);
    literal(offset + 8, area.stride_c);
  }
  void arena(uint32_t offset, uint32_t value) {
    writes_.push_back({offset, Relocation::kArena, value});
  }
  std::vector<RegisterWrite> take() { return std::move(writes_); }

 private:
  std::vector<RegisterWrite> writes_;
};

uint32_t shape_word(int height, int width) {
  return static_cast<uint32_t>(height - 1) << 16 | static_cast<uint32_t>(width - 1);
}

}  // namespace

std::string_view op_name(Op op) {
  switch (op) {
    case Op::kConv:
      return "conv";
    case Op::kNeuron:
      return "neuron";
    case Op::kMaxPool:
      return "max_pool";
    case Op::kUpsample:
      return "upsample";
  }
  return "unknown";
}

std::string_view leak_name(Leak leak) {
  switch (leak) {
    case Leak::kNone:
      return "none";
    case Leak::kHalfAfter:
      return "half_after";
    case Leak::kBefore:
      return "before";
    case Leak::kEveryPass:
      return "leak_every_pass";
  }
  return "unknown";
}

Leak parse_leak(std::string_view op, std::string_view text) {
  for (Leak leak : {Leak::kNone, Leak::kHalfAfter, Leak::kBefore, Leak::kEveryPass})
    if (text == leak_name(leak)) return leak;
  fail("{}: leak must be none, half_after, before or leak_every_pass, got \"{}\"", op, text);
}

Command decode_command(const RegisterValues& values) {
  Command c;
  const uint32_t op = values[reg::kOperation / 4];
  c.op = static_cast<Op>(field(op, 0, 4));
  c.preload = field(op, 4, 1);
  c.spikes_out = field(op, 5, 1);
  c.stream_out = field(op, 6, 1);
  c.accumulate = field(op, 7, 1);
  c.membrane_out = field(op, 8, 1);
  c.shift = static_cast<int>(field(op, 9, 3));
  c.leak = static_cast<Leak>(field(op, 12, 2));
  c.k = static_cast<int>(field(op, 14, 4));
  c.table = field(op, 18, 1);
  const uint32_t window = values[reg::kWindow / 4];
  c.kernel = static_cast<int>(field(window, 0, 4));
  c.stride = static_cast<int>(field(window, 4, 4));
  c.pad_top = field(window, 8, 1);
  c.pad_bottom = field(window, 9, 1);
  c.pad_left = field(window, 10, 1);
  c.pad_right = field(window, 11, 1);
  const uint32_t in = values[reg::kSourceBand / 4], out = values[reg::kOutputBand / 4];
  c.in_h = static_cast<int>(field(in, 16, 16)) + 1;
  c.in_w = static_cast<int>(field(in, 0, 16)) + 1;
  c.out_h = static_cast<int>(field(out, 16, 16)) + 1;
  c.out_w = static_cast<int>(field(out, 0, 16)) + 1;
  const uint32_t tiles = values[reg::kChannelTiles / 4];
  c.ci_tiles = static_cast<int>(field(tiles, 0, 12)) + 1;
  c.co_tiles = static_cast<int>(field(tiles, 12, 12)) + 1;
  c.steps = static_cast<int>(field(values[reg::kSteps / 4], 0, 16)) + 1;
  c.theta = static_cast<int32_t>(values[reg::kTheta / 4]);
  c.source = area_at(values, reg::kSource);
  c.residual = area_at(values, reg::kResidual);
  c.spikes = area_at(values, reg::kSpikes);
  c.stream = area_at(values, reg::kStream);
  c.weights = values[reg::kWeights / 4];
  c.weight_bytes = values[reg::kWeightBytes / 4];
  c.bias = values[reg::kBias / 4];
  c.bias_bytes = values[reg::kBiasBytes / 4];
  return c;
}

std::vector<RegisterWrite> encode_command(const Command& c) {
  Writer w;
  uint32_t op = static_cast<uint32_t>(c.op);
  op |= uint32_t{c.preload} << 4 | uint32_t{c.spikes_out} << 5 | uint32_t{c.stream_out} << 6;
  op |= uint32_t{c.accumulate} << 7 | uint32_t{c.membrane_out} << 8;
  op |= static_cast<uint32_t>(c.shift) << 9 | static_cast<uint32_t>(c.leak) << 12;
  op |= static_cast<uint32_t>(c.k) << 14 | uint32_t{c.table} << 18;
  w.literal(reg::kOperation, op);
  w.literal(reg::kWindow, static_cast<uint32_t>(c.kernel) | static_cast<uint32_t>(c.stride) << 4 |
                              uint32_t{c.pad_top} << 8 | uint32_t{c.pad_bottom} << 9 |
                              uint32_t{c.pad_left} << 10 | uint32_t{c.pad_right} << 11);
  w.literal(reg::kSourceBand, shape_word(c.in_h, c.in_w));
  w.literal(reg::kOutputBand, shape_word(c.out_h, c.out_w));
  w.literal(reg::kChannelTiles,
            static_cast<uint32_t>(c.co_tiles - 1) << 12 | static_cast<uint32_t>(c.ci_tiles - 1));
  w.literal(reg::kSteps, static_cast<uint32_t>(c.steps - 1));
  w.literal(reg::kTheta, static_cast<uint32_t>(c.theta));
  w.area(reg::kSource, c.source, true);
  w.area(reg::kResidual, c.residual, c.preload);
  w.area(reg::kSpikes, c.spikes, c.spikes_out);
  w.area(reg::kStream, c.stream, c.stream_out || c.accumulate || c.membrane_out);
  w.image(reg::kWeights, c.weights, c.weight_bytes != 0);
  w.literal(reg::kWeightBytes, c.weight_bytes);
  w.image(reg::kBias, c.bias, c.bias_bytes != 0);
  w.literal(reg::kBiasBytes, c.bias_bytes);
  w.literal(reg::kStatus, kStatusDone | kStatusError);
  w.literal(reg::kStart, 1);
  return w.take();
}

V1Command decode_v1(const RegisterValues& values) {
  V1Command c;
  const uint32_t tiles = values[reg::kTiles / 4];
  c.ci_tiles = static_cast<int>(field(tiles, 0, 8)) + 1;
  c.co_tiles = static_cast<int>(field(tiles, 8, 8)) + 1;
  c.steps = static_cast<int>(field(tiles, 16, 8)) + 1;
  const uint32_t products = values[reg::kTileSteps / 4];
  c.ci_steps = static_cast<int>(field(products, 0, 12)) + 1;
  c.co_steps = static_cast<int>(field(products, 12, 12)) + 1;
  const uint32_t threshold = values[reg::kThreshold / 4];
  c.weight_length = static_cast<int>(field(threshold, 0, 10)) + 1;
  c.theta = wrap(static_cast<int32_t>(threshold >> 14), kMembraneBits);
  const uint32_t shape = values[reg::kShape / 4];
  c.width = static_cast<int>(field(shape, 0, 9)) + 1;
  c.height = static_cast<int>(field(shape, 16, 9)) + 1;
  c.pool = shape & kShapePool;
  c.linear = shape & kShapeLinear;
  c.winner = shape & kShapeWinner;
  c.leak = shape & kShapeLeak;
  c.every_pass = shape & kShapeEveryPass;
  c.output = {values[reg::kOutput / 4], field(values[reg::kOutputStrideT / 4], 0, 24),
              field(values[reg::kOutputStrideC / 4], 0, 24)};
  c.input = values[reg::kInput / 4];
  c.input_bytes = values[reg::kInputBytes / 4];
  c.output_bytes = values[reg::kOutputBytes / 4];
  c.weights = values[reg::kV1Weights / 4];
  c.weight_bytes = values[reg::kV1WeightBytes / 4];
  c.bias = values[reg::kV1Bias / 4];
  c.bias_bytes = values[reg::kV1BiasBytes / 4];
  return c;
}

std::vector<RegisterWrite> encode_v1(const V1Command& c) {
  Writer w;
  w.literal(reg::kTiles, static_cast<uint32_t>(c.steps - 1) << 16 |
                             static_cast<uint32_t>(c.co_tiles - 1) << 8 |
                             static_cast<uint32_t>(c.ci_tiles - 1));
  w.literal(reg::kTileSteps,
            static_cast<uint32_t>(c.co_steps - 1) << 12 | static_cast<uint32_t>(c.ci_steps - 1));
  w.literal(reg::kThreshold,
            static_cast<uint32_t>(c.theta) << 14 | static_cast<uint32_t>(c.weight_length - 1));
  uint32_t shape = shape_word(c.height, c.width);
  if (c.pool) shape |= kShapePool;
  if (c.linear) shape |= kShapeLinear;
  if (c.winner) shape |= kShapeWinner;
  if (c.leak) shape |= kShapeLeak;
  if (c.leak && c.every_pass) shape |= kShapeEveryPass;
  w.literal(reg::kShape, shape);
  w.literal(reg::kOutputStrideT, c.output.stride_t);
  w.literal(reg::kOutputStrideC, c.output.stride_c);
  w.arena(reg::kInput, c.input);
  w.arena(reg::kOutput, c.output.base);
  w.literal(reg::kInputBytes, c.input_bytes);
  w.literal(reg::kOutputBytes, c.output_bytes);
  w.image(reg::kV1Weights, c.weights, true);
  w.literal(reg::kV1WeightBytes, c.weight_bytes);
  w.image(reg::kV1Bias, c.bias, true);
  w.literal(reg::kV1BiasBytes, c.bias_bytes);
  w.literal(reg::kPulse, kPulseParameters);
  w.literal(reg::kPulse, kPulseParameters);
  w.literal(reg::kPulse, kPulseInput | kPulseOutput);
  return w.take();
}

}  // namespace lampyris::firefly
