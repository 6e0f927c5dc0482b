// Register files: any sequence of writes and reads leaves the device alive, its memory untouched by
// commands it refuses, and says in the status register what came of every start.
//
// An input is a sequence of bytes: register (offset / 4), then four bytes of value. Register 0x60
// reads the register in the value; 0x61 writes a memory byte (value: address << 8 | byte).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "driver.h"
#include "firefly/command.h"
#include "firefly/device.h"

namespace {

using namespace lampyris::firefly;

constexpr uint64_t kMemory = 1 << 16;
constexpr size_t kRecord = 5, kMostRecords = 400;
constexpr uint8_t kRead = 0x60, kPoke = 0x61;
constexpr double kMostWork = 2e8;  // synapses, neurons and copies of one command

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "fuzz_device: %s\n", what);
  std::abort();
}

// What the device would do, so that inputs stay quick.
double work(const RegisterValues& values, int parallelism) {
  const Command c = decode_command(values);
  const V1Command v = decode_v1(values);
  const double p = parallelism;
  const double lanes = c.co_tiles * p * c.steps * c.out_h * c.out_w;
  const double layer = v.co_tiles * p * v.steps * v.height * v.width;
  return std::max(lanes * (1 + c.ci_tiles * p * c.kernel * c.kernel / 64),
                  layer * (1 + v.ci_tiles * p * 9 / 64));
}

class Run {
 public:
  Run(int parallelism, bool trace) : parallelism_(parallelism) {
    DeviceOptions options;
    options.parallelism = parallelism, options.memory_bytes = kMemory, options.trace = trace;
    device_ = std::make_unique<Device>(options);
  }

  void record(const uint8_t* data) {
    uint32_t value;
    std::memcpy(&value, data + 1, sizeof(value));
    if (data[0] == kRead) return poll(value);
    if (data[0] == kPoke) {
      device_->memory()[value >> 8 & (kMemory - 1)] = static_cast<uint8_t>(value);
      return;
    }
    write(uint32_t{data[0]} * 4, value);
  }

  // Ends what runs: done is set, busy is not. A released layer may wait for its parameters for ever.
  void finish() {
    poll(reg::kStatus);
    if (!pulsed_ && (device_->read32(reg::kStatus) & kStatusBusy)) broken("busy after a poll");
  }

 private:
  void write(uint32_t offset, uint32_t value) {
    const bool starts = offset == reg::kStart || offset == reg::kPulse;
    if (starts && work(values_, parallelism_) > kMostWork) return;
    if (offset / 4 < values_.size()) values_[offset / 4] = value;
    pulsed_ = pulsed_ || offset == reg::kPulse;
    device_->write32(offset, value);
    if (offset != reg::kStart || !(value & 1)) return;
    // Not poll(): reading the status ends the command.
    const FuzzInput before(device_->memory().begin(), device_->memory().end());
    const uint32_t status = device_->read32(reg::kStatus);
    if (!(status & (kStatusDone | kStatusError))) broken("a start without done or error");
    const uint32_t code = status >> 8 & 0xFF;
    if ((status & kStatusError) && code == 0) broken("an error without a code");
    const bool refused = (status & kStatusError) && !(status & kStatusDone);
    const auto memory = device_->memory();
    if (refused && !std::equal(before.begin(), before.end(), memory.begin()))
      broken("a refused command wrote to memory");
    device_->write32(reg::kStatus, kStatusDone | kStatusError);
  }

  void poll(uint32_t offset) {
    const uint32_t first = device_->read32(offset), second = device_->read32(offset);
    if (first != second) broken("two reads differ");
  }

  int parallelism_;
  bool pulsed_ = false;
  std::unique_ptr<Device> device_;
  RegisterValues values_{};
};

void append(FuzzInput& input, uint32_t offset, uint32_t value) {
  input.push_back(static_cast<uint8_t>(offset / 4));
  for (int i = 0; i < 4; ++i) input.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

FuzzInput sequence(const std::vector<RegisterWrite>& writes) {
  FuzzInput input{0};
  for (uint32_t at = 0; at < 40; ++at) {
    input.push_back(kPoke);
    const uint32_t value = (at * 37) << 8 | (at * 91 & 0xFF);
    for (int i = 0; i < 4; ++i) input.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  for (const RegisterWrite& write : writes) append(input, write.offset, write.value);
  input.push_back(kRead);
  for (int i = 0; i < 4; ++i)
    input.push_back(static_cast<uint8_t>(uint32_t{reg::kDone} >> (8 * i)));
  return input;
}

}  // namespace

std::vector<FuzzInput> fuzz_seeds() {
  std::vector<FuzzInput> seeds;
  Command conv;
  conv.op = Op::kConv, conv.kernel = 3, conv.spikes_out = conv.stream_out = conv.preload = true;
  conv.pad_top = conv.pad_bottom = conv.pad_left = conv.pad_right = true;
  conv.in_h = conv.out_h = 4, conv.in_w = conv.out_w = 6, conv.steps = 2, conv.theta = 100;
  conv.source = {0x1000, 64, 64}, conv.residual = {0x2000, 1024, 1024};
  conv.spikes = {0x3000, 64, 64}, conv.stream = {0x4000, 1024, 1024};
  conv.weights = 0x5000, conv.weight_bytes = 9 * 256, conv.bias = 0x6000, conv.bias_bytes = 32;
  seeds.push_back(sequence(encode_command(conv)));
  Command sum = conv;
  sum.spikes_out = sum.stream_out = sum.preload = false, sum.accumulate = true;
  seeds.push_back(sequence(encode_command(sum)));
  Command neuron = conv;
  neuron.op = Op::kNeuron, neuron.kernel = 1, neuron.preload = neuron.stream_out = false;
  neuron.pad_top = neuron.pad_bottom = neuron.pad_left = neuron.pad_right = false;
  neuron.membrane_out = neuron.table = true, neuron.leak = Leak::kBefore, neuron.k = 2;
  neuron.source = conv.stream, neuron.weight_bytes = 0, neuron.bias_bytes = 64;
  neuron.stream = {0x7000, 0, 1536};
  seeds.push_back(sequence(encode_command(neuron)));
  Command pool = neuron;
  pool.op = Op::kMaxPool, pool.kernel = pool.stride = 2, pool.out_h = 2, pool.out_w = 3;
  pool.membrane_out = pool.table = pool.spikes_out = false, pool.stream_out = true;
  pool.bias_bytes = 0, pool.stream = {0x7000, 256, 256};
  seeds.push_back(sequence(encode_command(pool)));
  Command up = pool;
  up.op = Op::kUpsample, up.kernel = 1, up.out_h = 8, up.out_w = 12;
  up.stream = {0x8000, 3072, 3072};
  seeds.push_back(sequence(encode_command(up)));
  V1Command layer;
  layer.height = 4, layer.width = 6, layer.steps = 2, layer.co_tiles = 2, layer.pool = true;
  layer.ci_steps = 2, layer.co_steps = 4, layer.weight_length = 16, layer.theta = 50;
  layer.input = 0x1000, layer.input_bytes = 96, layer.output = {0x2000, 64, 32};
  layer.output_bytes = 12, layer.weights = 0x3000, layer.weight_bytes = 2 * 9 * 256;
  layer.bias = 0x5000, layer.bias_bytes = 64, layer.leak = true;
  seeds.push_back(sequence(encode_v1(layer)));
  return seeds;
}

// The first byte: P in bit 0, a tracing device in bit 1.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Run run(data[0] & 1 ? 32 : 16, data[0] & 2);
  const size_t records = std::min((size - 1) / kRecord, kMostRecords);
  for (size_t i = 0; i < records; ++i) run.record(data + 1 + i * kRecord);
  run.finish();
  return 0;
}
