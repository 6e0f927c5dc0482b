#include <gtest/gtest.h>

#include <algorithm>

#include "firefly/device.h"
#include "firefly/packing.h"
#include "small_programs.h"

namespace lampyris::firefly {
namespace {

DeviceOptions small() {
  DeviceOptions options;
  options.memory_bytes = 1 << 20;
  return options;
}

void write_all(Device& device, const std::vector<RegisterWrite>& writes) {
  for (const RegisterWrite& write : writes) device.write32(write.offset, write.value);
}

uint32_t error_code(Device& device) {
  const uint32_t status = device.read32(reg::kStatus);
  return status & kStatusError ? status >> 8 & 0xFF : 0;
}

// One neuron command: stream [1][1][1][16] at 0 to spikes at 4096.
Command neuron_command() {
  Command c;
  c.op = Op::kNeuron, c.spikes_out = true;
  c.in_w = c.out_w = 1, c.theta = 3;
  c.spikes = {4096, 0, 0};
  return c;
}

V1Command v1_command() {
  V1Command c;
  c.height = 2, c.width = 2, c.theta = 100, c.weight_length = 16;
  c.input = 0, c.input_bytes = 8, c.output = {512, 8, 8}, c.output_bytes = 8;
  c.weights = 4096, c.weight_bytes = 9 * 256, c.bias = 1024, c.bias_bytes = 32;
  return c;
}

TEST(Device, Identity) {
  Device device(small());
  EXPECT_EQ(device.read32(reg::kIdentity), kIdentityValue);
  EXPECT_EQ(device.read32(reg::kCapability) & 0xFF, 16u);
  EXPECT_EQ(device.read32(0x10), 0u);
  EXPECT_EQ(device.read32(0x4000), 0u);
  device.write32(reg::kTheta, 77);
  EXPECT_EQ(device.read32(reg::kTheta), 77u);
}

TEST(Device, RefusesRegistersThatDoNotExist) {
  for (const uint32_t offset :
       {0x10u, 0x4Cu, 0x80u, 0xECu, 0xF4u, 0xF8u, 0x100u, 0x91u, 0xFFFFFFFCu}) {
    Device device(small());
    device.write32(offset, 1);
    EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kRegister)) << offset;
    device.write32(reg::kStatus, kStatusError);
    EXPECT_EQ(device.read32(reg::kStatus), 0u);
  }
}

TEST(Device, RunsWhenPolledAndIgnoresWritesWhileBusy) {
  Device device(small());
  auto* stream = reinterpret_cast<int16_t*>(device.memory().data());
  stream[0] = 3, stream[1] = 4, stream[15] = 9;
  write_all(device, encode_command(neuron_command()));
  device.write32(reg::kTheta, 1000);
  const uint32_t status = device.read32(reg::kStatus);
  EXPECT_EQ(status & 7, kStatusDone | kStatusError);
  EXPECT_EQ(status >> 8 & 0xFF, static_cast<uint32_t>(ErrorCode::kBusy));
  EXPECT_EQ(device.memory()[4096], 2);
  EXPECT_EQ(device.memory()[4097], 128);
  EXPECT_GT(device.read32(reg::kCyclesLow), 0u);
  device.write32(reg::kStatus, kStatusDone | kStatusError);
  EXPECT_EQ(device.read32(reg::kStatus), 0u);
}

TEST(Device, AnErrorMovesNothing) {
  Device device(small());
  std::fill_n(device.memory().data(), 32, uint8_t{0x7F});
  Command c = neuron_command();
  c.spikes.base = 4098;
  write_all(device, encode_command(c));
  EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kAlignment));
  EXPECT_EQ(device.memory()[4098], 0);
  EXPECT_EQ(device.read32(reg::kStatus) & kStatusDone, 0u);
  c.spikes.base = 1 << 20;
  write_all(device, encode_command(c));
  EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kMemory));
}

TEST(Device, ParameterPulseTogglesBiasThenWeights) {
  Device device(small());
  const std::vector<int8_t> weight(16 * 16 * 9, 5);
  const auto packed = pack_weights(weight, 16, 16, 9, 16);
  std::copy(packed.begin(), packed.end(), device.memory().begin() + 4096);
  std::fill_n(device.memory().data(), 8, uint8_t{0xFF});
  write_all(device, encode_v1(v1_command()));
  EXPECT_EQ(device.read32(reg::kDone), 1u);
  // 4 pixels * 16 channels * 5 = 320 > 100: everything fires.
  EXPECT_EQ(device.memory()[512], 0xFF);
  EXPECT_EQ(device.memory()[519], 0xFF);
  device.write32(reg::kDone, 0);
  EXPECT_EQ(device.read32(reg::kDone), 0u);
}

TEST(Device, OnePulseLeavesTheToggleWrong) {
  Device device(small());
  auto writes = encode_v1(v1_command());
  writes.erase(writes.end() - 2);  // one parameter pulse only: weights never come
  write_all(device, writes);
  EXPECT_EQ(device.read32(reg::kDone), 0u);
  EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kParameters));
}

TEST(Device, InputWithoutOutputDoesNotStart) {
  Device device(small());
  auto writes = encode_v1(v1_command());
  writes.back().value = kPulseInput;
  write_all(device, writes);
  EXPECT_EQ(device.read32(reg::kDone), 0u);
  device.write32(reg::kPulse, kPulseOutput);
  EXPECT_EQ(device.read32(reg::kDone), 1u);
}

TEST(Device, ProductsAreValueMinusOne) {
  Device device(small());
  auto writes = encode_v1(v1_command());
  writes[1].value += 1;  // ci T - 1 no longer agrees with tiles and T
  write_all(device, writes);
  EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kRange));
  EXPECT_EQ(device.read32(reg::kDone), 0u);
}

TEST(Device, RandomRegistersNeverCrash) {
  DeviceOptions options = small();
  options.memory_bytes = 1 << 16;
  Device device(options);
  const auto values = random_values<uint32_t>(4000, 0, 1 << 30, 17);
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    device.write32(values[i] % 0x110, values[i + 1] >> values[i] % 31);
    if (values[i] % 7 == 0) device.write32(reg::kStart, 1);
    if (values[i] % 5 == 0) device.write32(reg::kPulse, values[i + 1]);
    device.read32(reg::kStatus);
  }
}

TEST(Device, Options) {
  DeviceOptions options = small();
  options.datapath = "quantum";
  EXPECT_THROW(Device{options}, std::invalid_argument);
  options = small();
  options.parallelism = 8;
  EXPECT_THROW(Device{options}, std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::firefly
