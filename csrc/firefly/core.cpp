#include "firefly/core.h"

#include <cstring>

#include "core/error.h"
#include "firefly/area.h"
#include "firefly/datapath.h"
#include "firefly/timing.h"

namespace lampyris::firefly {

namespace {

bool read_only(uint32_t offset) {
  return offset == reg::kIdentity || offset == reg::kCapability ||
         (offset >= reg::kCyclesLow && offset <= reg::kSaturated);
}

bool exists(uint32_t offset) {
  return offset % 4 == 0 && (offset <= reg::kShape || offset == reg::kDone ||
                             (offset >= reg::kOutputStrideT && offset <= reg::kPulse) ||
                             (offset >= reg::kIdentity && offset < reg::kEnd));
}

uint32_t clip32(int64_t count) {
  return count > int64_t{UINT32_MAX} ? UINT32_MAX : static_cast<uint32_t>(count);
}

bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes) {
  return a < b + b_bytes && b < a + a_bytes;
}

constexpr uint32_t kReleasedRegisters[] = {
    reg::kTiles,         reg::kTileSteps,     reg::kThreshold,  reg::kShape,
    reg::kOutputStrideT, reg::kOutputStrideC, reg::kInput,      reg::kOutput,
    reg::kInputBytes,    reg::kOutputBytes,   reg::kV1Weights,  reg::kV1WeightBytes,
    reg::kV1Bias,        reg::kV1BiasBytes};

}  // namespace

Core::Core(const Config& config, std::span<uint8_t> memory, bool strict, bool trace)
    : config_(config), memory_(memory), strict_(strict), keep_trace_(trace) {
  reset();
}

void Core::reset() {
  values_ = {};
  written_.reset();
  pending_ = started_ = Kind::kNone;
  status_ = 0;
  v1_done_ = weights_next_ = input_started_ = output_started_ = false;
  bias_fifo_.clear();
  weight_fifo_.clear();
  trace_ = {};
  values_[reg::kIdentity / 4] = kIdentityValue;
  values_[reg::kCapability / 4] =
      static_cast<uint32_t>(config_.parallelism) | kCapabilityV1 | kCapabilityEms;
}

void Core::error(ErrorCode code, const std::string& why) {
  status_ = (status_ & 0xFF) | kStatusError | static_cast<uint32_t>(code) << 8;
  if (strict_) fail("device: {}", why);
}

uint32_t Core::read32(uint32_t offset) {
  if (!exists(offset)) {
    if (strict_) fail("device: read must name a register, got 0x{:x}", offset);
    return 0;
  }
  switch (offset) {
    case reg::kStatus:
      finish();
      return status_;
    case reg::kDone:
      if (strict_ && input_started_ != output_started_)
        fail("device: a layer must start with both pulses 0x101 (0x48), got only the {} mover",
             input_started_ ? "input" : "output");
      finish();
      return v1_done_ ? 1 : 0;
    case reg::kPulse:
    case reg::kStart:
      return 0;
    default:
      return values_[offset / 4];
  }
}

void Core::write32(uint32_t offset, uint32_t value) {
  if (!exists(offset))
    return error(ErrorCode::kRegister, text("write must name a register, got 0x{:x}", offset));
  if (read_only(offset))
    return error(ErrorCode::kRegister, text("register 0x{:x} must not be written", offset));
  // A released layer that waits for parameters takes them, and nothing else.
  const bool parameters = (offset == reg::kPulse && value == kPulseParameters) ||
                          (offset >= reg::kV1Weights && offset <= reg::kV1BiasBytes);
  const bool waits = pending_ == Kind::kReleased && !parameters_ready(started_layer());
  if (pending_ != Kind::kNone && !(waits && parameters))
    return error(ErrorCode::kBusy, text("register 0x{:x} must not be written while busy", offset));
  written_.set(offset / 4);
  switch (offset) {
    case reg::kStatus:
      if (value & kStatusDone) status_ &= ~kStatusDone;
      if (value & kStatusError) status_ &= kStatusBusy | kStatusDone;
      break;
    case reg::kDone:
      v1_done_ = false;
      break;
    case reg::kPulse:
      pulse(value);
      break;
    case reg::kStart:
      if (value & 1) start_extension();
      break;
    default:
      values_[offset / 4] = value;
  }
}

void Core::check_written(std::span<const uint32_t> offsets) const {
  if (!strict_) return;
  for (const uint32_t offset : offsets)
    if (!written_[offset / 4])
      fail("device: register 0x{:02x} must be written before a start, got none since reset",
           offset);
}

void Core::start_extension() {
  std::vector<uint32_t> needed;
  for (uint32_t offset = reg::kOperation; offset < reg::kCyclesLow; offset += 4)
    needed.push_back(offset);
  check_written(needed);
  const Command command = decode_command(values_);
  Check check = check_reserved(values_);
  if (check == ErrorCode::kNone) check = check_command(command, config_, memory_.size());
  if (check == ErrorCode::kNone) check = check_table(command, config_, memory_);
  if (check != ErrorCode::kNone)
    return error(check.code, text("command must have a valid {}", check.what));
  pending_ = started_ = Kind::kExtension;
  started_values_ = values_;
  status_ = (status_ & ~kStatusDone) | kStatusBusy;
}

void Core::load_parameters() {
  const V1Command c = decode_v1(values_);
  const bool weights = weights_next_;
  weights_next_ = !weights_next_;
  const uint64_t begin = weights ? c.weights : c.bias;
  const uint64_t bytes = weights ? c.weight_bytes : c.bias_bytes;
  const char* what = weights ? "weights (0x38, 0x3C)" : "biases (0x40, 0x44)";
  std::vector<uint8_t>& fifo = weights ? weight_fifo_ : bias_fifo_;
  if (begin % config_.parameter_align() != 0)
    return error(ErrorCode::kAlignment, text("{} must start at a multiple of {}, got 0x{:x}", what,
                                             config_.parameter_align(), begin));
  if (static_cast<int64_t>(bytes) >= config_.max_transfer())
    return error(ErrorCode::kRange, text("{} must be below {} bytes, got {}", what,
                                         config_.max_transfer(), bytes));
  if (begin + bytes > memory_.size())
    return error(ErrorCode::kMemory,
                 text("{} must end within {} bytes, got {}", what, memory_.size(), begin + bytes));
  // A mover queues one transfer behind the one that runs; more are lost.
  if (static_cast<int64_t>(fifo.size() + bytes) > 2 * config_.max_transfer())
    return error(ErrorCode::kParameters,
                 text("{} must wait for a layer that uses the {} bytes before them", what,
                      fifo.size()));
  fifo.insert(fifo.end(), memory_.begin() + static_cast<std::ptrdiff_t>(begin),
              memory_.begin() + static_cast<std::ptrdiff_t>(begin + bytes));
  if (pending_ == Kind::kReleased && parameters_ready(started_layer()))
    status_ &= kStatusBusy | kStatusDone;
}

bool Core::parameters_ready(const V1Command& c) const {
  return weight_fifo_.size() >= c.weight_bytes && bias_fifo_.size() >= c.bias_bytes;
}

void Core::pulse(uint32_t value) {
  if (value & kPulseParameters) load_parameters();
  input_started_ = input_started_ || (value & kPulseInput);
  output_started_ = output_started_ || (value & kPulseOutput);
  if (input_started_ && output_started_) start_released();
}

void Core::check_sequence(const V1Command& c) const {
  if (v1_done_)
    fail("device: done flag (0x18) must be cleared before a start, got 1 of the layer before");
  const auto left = [](const char* what, size_t got, uint32_t needed) {
    if (got != needed)
      fail("device: {} FIFO must hold the layer's {} bytes at its start, got {} (two parameter "
           "pulses a layer: first biases, then weights)",
           what, needed, got);
  };
  left("bias", bias_fifo_.size(), c.bias_bytes);
  left("weight", weight_fifo_.size(), c.weight_bytes);
  const uint64_t out = area_extent(c.output, c.steps, c.co_tiles, c.output_bytes);
  if (overlap(c.input, c.input_bytes, c.output.base, out))
    fail("device: output must not overlap the input, got 0x{:x} + {} and 0x{:x} + {}",
         c.output.base, out, c.input, c.input_bytes);
}

void Core::start_released() {
  input_started_ = output_started_ = false;
  check_written(kReleasedRegisters);
  const V1Command c = decode_v1(values_);
  const Check check = check_v1(c, config_, memory_.size());
  if (check != ErrorCode::kNone)
    return error(check.code, text("layer must have a valid {}", check.what));
  if (strict_) check_sequence(c);
  pending_ = started_ = Kind::kReleased;
  started_values_ = values_;
  status_ = (status_ & ~kStatusDone) | kStatusBusy;
  if (!parameters_ready(c))
    error(ErrorCode::kParameters, "layer must have its parameters, got less");
}

void Core::finish() {
  if (pending_ == Kind::kNone) return;
  if (pending_ == Kind::kReleased && !parameters_ready(started_layer())) return;
  CommandTrace* trace = keep_trace_ ? &trace_ : nullptr;
  if (trace) *trace = {};
  Outcome outcome;
  if (pending_ == Kind::kExtension) {
    outcome = execute_command(decode_command(values_), config_, memory_, trace);
  } else {
    const V1Command c = started_layer();
    std::vector<int16_t> bias(c.bias_bytes / sizeof(int16_t));
    std::memcpy(bias.data(), bias_fifo_.data(), c.bias_bytes);
    const auto* weights = reinterpret_cast<const int8_t*>(weight_fifo_.data());
    outcome = execute_v1(c, config_, {weights, c.weight_bytes}, bias, memory_, trace);
    // What a host sent too much stays in front of the next layer's.
    bias_fifo_.erase(bias_fifo_.begin(), bias_fifo_.begin() + c.bias_bytes);
    weight_fifo_.erase(weight_fifo_.begin(), weight_fifo_.begin() + c.weight_bytes);
    v1_done_ = true;
  }
  pending_ = Kind::kNone;
  status_ = (status_ & ~kStatusBusy) | kStatusDone;
  const uint64_t total = static_cast<uint64_t>(outcome.cycles.total);
  values_[reg::kCyclesLow / 4] = static_cast<uint32_t>(total);
  values_[reg::kCyclesHigh / 4] = static_cast<uint32_t>(total >> 32);
  values_[reg::kClamped / 4] = clip32(outcome.counters.clamped);
  values_[reg::kSaturated / 4] = clip32(outcome.counters.saturated);
}

bool Core::interrupt() const {
  return (values_[reg::kInterrupt / 4] & 1) && (status_ & (kStatusDone | kStatusError));
}

std::vector<Transfer> Core::transfers() const {
  if (started_ == Kind::kNone) return {};
  if (started_ == Kind::kExtension) return transfers_of(decode_command(started_values_), config_);
  return transfers_of(started_layer(), config_);
}

}  // namespace lampyris::firefly
