#include "firefly/device.h"

#include <cstring>
#include <new>

#include "core/error.h"
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

}  // namespace

Device::Device(const DeviceOptions& options)
    : options_(options), config_(preset_config(options.preset, options.parallelism)) {
  check_parallelism("device", options.parallelism);
  config_.datapath = parse_datapath("device", options.datapath);
  constexpr uint64_t kLeast = 4096, kMost = uint64_t{1} << 32;
  if (options.memory_bytes < kLeast || options.memory_bytes > kMost)
    fail("device: memory_bytes must be {} to {}, got {}", kLeast, kMost, options.memory_bytes);
  // Zeroed pages that cost nothing until they are used.
  memory_.reset(static_cast<uint8_t*>(std::calloc(options.memory_bytes, 1)));
  if (!memory_) throw std::bad_alloc();
  values_[reg::kIdentity / 4] = kIdentityValue;
  values_[reg::kCapability / 4] =
      static_cast<uint32_t>(options.parallelism) | kCapabilityV1 | kCapabilityEms;
}

void Device::reserve(uint64_t bytes) {
  if (bytes > options_.memory_bytes)
    fail("device: memory must have at least {} bytes for this image, got {}", bytes,
         options_.memory_bytes);
}

void Device::error(ErrorCode code) {
  status_ = (status_ & 0xFF) | kStatusError | static_cast<uint32_t>(code) << 8;
}

uint32_t Device::read32(uint32_t offset) {
  if (!exists(offset)) return 0;
  switch (offset) {
    case reg::kStatus:
      finish();
      return status_;
    case reg::kDone:
      finish();
      return v1_done_ ? 1 : 0;
    case reg::kPulse:
    case reg::kStart:
      return 0;
    default:
      return values_[offset / 4];
  }
}

void Device::write32(uint32_t offset, uint32_t value) {
  if (pending_ != Pending::kNone) return error(ErrorCode::kBusy);
  if (!exists(offset) || read_only(offset)) return error(ErrorCode::kRegister);
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

void Device::start_extension() {
  const ErrorCode code =
      check_command(decode_command(values_), options_.parallelism, options_.memory_bytes);
  if (code != ErrorCode::kNone) return error(code);
  pending_ = Pending::kExtension;
  status_ = (status_ & ~kStatusDone) | kStatusBusy;
}

void Device::load_parameters() {
  const V1Command c = decode_v1(values_);
  const bool weights = weights_next_;
  weights_next_ = !weights_next_;
  const uint64_t begin = weights ? c.weights : c.bias;
  const uint64_t bytes = weights ? c.weight_bytes : c.bias_bytes;
  if (begin % static_cast<uint64_t>(options_.parallelism / 2) != 0)
    return error(ErrorCode::kAlignment);
  if (begin + bytes > options_.memory_bytes) return error(ErrorCode::kMemory);
  const uint8_t* from = memory_.get() + begin;
  if (weights) {
    weight_fifo_.assign(from, from + bytes);
  } else {
    bias_fifo_.resize(bytes / 2);
    if (!bias_fifo_.empty()) std::memcpy(bias_fifo_.data(), from, bytes / 2 * 2);
  }
}

void Device::pulse(uint32_t value) {
  if (value & kPulseParameters) load_parameters();
  input_started_ = input_started_ || (value & kPulseInput);
  output_started_ = output_started_ || (value & kPulseOutput);
  if (!input_started_ || !output_started_) return;
  input_started_ = output_started_ = false;
  const V1Command c = decode_v1(values_);
  const ErrorCode code = check_v1(c, options_.parallelism, options_.memory_bytes);
  if (code != ErrorCode::kNone) return error(code);
  // Hardware would wait for ever on an empty FIFO: the done flag stays 0 and the code says why.
  if (weight_fifo_.size() != c.weight_bytes || bias_fifo_.size() * 2 != c.bias_bytes)
    return error(ErrorCode::kParameters);
  pending_ = Pending::kReleased;
  status_ = (status_ & ~kStatusDone) | kStatusBusy;
}

void Device::finish() {
  if (pending_ == Pending::kNone) return;
  CommandTrace* trace = options_.trace ? &trace_ : nullptr;
  if (trace) *trace = {};
  Outcome outcome;
  if (pending_ == Pending::kExtension) {
    outcome = execute_command(decode_command(values_), config_, memory(), trace);
  } else {
    outcome =
        execute_v1(decode_v1(values_), config_, weight_fifo_, bias_fifo_, memory(), trace);
    weight_fifo_.clear();
    bias_fifo_.clear();
    v1_done_ = true;
  }
  pending_ = Pending::kNone;
  status_ = (status_ & ~kStatusBusy) | kStatusDone;
  const uint64_t total = static_cast<uint64_t>(outcome.cycles.total);
  values_[reg::kCyclesLow / 4] = static_cast<uint32_t>(total);
  values_[reg::kCyclesHigh / 4] = static_cast<uint32_t>(total >> 32);
  values_[reg::kClamped / 4] = clip32(outcome.counters.clamped);
  values_[reg::kSaturated / 4] = clip32(outcome.counters.saturated);
}

}  // namespace lampyris::firefly
