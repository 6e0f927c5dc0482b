#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/fixed_point.h"
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

TEST(Device, OnePulseHangsUntilTheWeightsCome) {
  Device device(small());
  auto writes = encode_v1(v1_command());
  writes.erase(writes.end() - 2);  // one parameter pulse only: the weight FIFO stays empty
  write_all(device, writes);
  EXPECT_EQ(device.read32(reg::kDone), 0u);
  EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kParameters));
  EXPECT_EQ(device.read32(reg::kStatus) & kStatusBusy, kStatusBusy);
  device.write32(reg::kTiles, 5);  // anything else is ignored
  EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kBusy));
  device.write32(reg::kPulse, kPulseParameters);
  EXPECT_EQ(device.read32(reg::kDone), 1u);
  EXPECT_EQ(error_code(device), 0u);
  EXPECT_EQ(device.memory()[512], 0);  // weights 0: nothing fires
}

TEST(Device, ParametersTooManyReachTheNextLayer) {
  Device device(small());
  std::fill_n(device.memory().data(), 8, uint8_t{0xFF});
  std::fill_n(device.memory().data() + 4096, 9 * 256, uint8_t{5});
  const auto writes = encode_v1(v1_command());
  device.write32(reg::kV1Weights, 8192);  // zeros, sent by mistake
  device.write32(reg::kV1WeightBytes, 9 * 256);
  device.write32(reg::kV1Bias, 1024);
  device.write32(reg::kV1BiasBytes, 32);
  device.write32(reg::kPulse, kPulseParameters);
  device.write32(reg::kPulse, kPulseParameters);
  write_all(device, writes);
  EXPECT_EQ(device.read32(reg::kDone), 1u);
  EXPECT_EQ(device.memory()[512], 0);  // the zeros lay in front
  device.write32(reg::kDone, 0);
  write_all(device, writes);
  EXPECT_EQ(device.read32(reg::kDone), 1u);
  EXPECT_EQ(device.memory()[512], 0xFF);
}

TEST(Device, ResetEmptiesFifos) {
  Device device(small());
  auto writes = encode_v1(v1_command());
  writes.erase(writes.end() - 2);
  write_all(device, writes);
  device.reset();
  EXPECT_EQ(device.read32(reg::kStatus), 0u);
  EXPECT_EQ(device.read32(reg::kTiles), 0u);
  write_all(device, encode_v1(v1_command()));
  EXPECT_EQ(device.read32(reg::kDone), 1u);
}

std::string refusal(Device& device, const std::vector<RegisterWrite>& writes) {
  try {
    write_all(device, writes);
    device.read32(reg::kDone);
    device.read32(reg::kStatus);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(StrictDevice, RunsWhatIsRight) {
  DeviceOptions options = small();
  options.strict = true;
  Device device(options);
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_EQ(refusal(device, encode_v1(v1_command())), "");
    device.write32(reg::kDone, 0);
  }
  EXPECT_EQ(refusal(device, encode_command(neuron_command())), "");
}

TEST(StrictDevice, SaysWhatIsWrong) {
  DeviceOptions options = small();
  options.strict = true;
  const auto good = encode_v1(v1_command());
  const auto expect = [&](std::vector<RegisterWrite> writes, const char* part) {
    Device device(options);
    const std::string got = refusal(device, writes);
    EXPECT_NE(got.find(part), std::string::npos) << got;
  };
  expect({{0x10, Relocation::kLiteral, 1}}, "must name a register, got 0x10");
  expect({{reg::kIdentity, Relocation::kLiteral, 1}}, "0x80 must not be written");
  auto writes = good;
  writes.erase(writes.begin() + 9);  // output bytes
  expect(writes, "0x34 must be written before a start");
  writes = good, writes[1].value += 1;
  expect(writes, "input tiles x T (0x04)");
  writes = good, writes.erase(writes.end() - 2);
  expect(writes, "weight FIFO must hold the layer's 2304 bytes at its start, got 0");
  writes = good, writes.insert(writes.end() - 1, writes[14]);
  expect(writes, "bias FIFO must hold the layer's 32 bytes at its start, got 64");
  writes = good, writes.back().value = kPulseInput;
  expect(writes, "got only the input mover");
  writes = good, writes.insert(writes.end(), good.begin(), good.end());
  expect(writes, "must not be written while busy");
  V1Command overlapping = v1_command();
  overlapping.output.base = 4;
  expect(encode_v1(overlapping), "output must not overlap the input");
  Command command = neuron_command();
  command.spikes.base = 4098;
  expect(encode_command(command), "valid spikes (0xC4)");
  Device device(options);
  EXPECT_EQ(refusal(device, good), "");
  EXPECT_NE(refusal(device, good).find("done flag (0x18) must be cleared"), std::string::npos);
}

TEST(Device, CoresHaveRegistersOfTheirOwn) {
  DeviceOptions options = small();
  options.cores = 2;
  Device device(options);
  device.write32(reg::kTheta, 7);
  device.write32(kCoreWindow + reg::kTheta, 8);
  EXPECT_EQ(device.read32(reg::kTheta), 7u);
  EXPECT_EQ(device.read32(kCoreWindow + reg::kTheta), 8u);
  EXPECT_EQ(device.read32(2 * kCoreWindow + reg::kTheta), 0u);
  CorePort second(device, 1);
  EXPECT_EQ(second.read32(reg::kTheta), 8u);
  EXPECT_EQ(second.base_address(), 1u << 19);
  EXPECT_EQ(second.memory().data(), device.memory().data() + (1 << 19));
  EXPECT_THROW(second.reserve((1 << 19) + 1), std::invalid_argument);
  EXPECT_THROW(CorePort(device, 2), std::invalid_argument);
}

TEST(Device, ReservedBitsAreRefused) {
  for (const size_t write : {0u, 1u, 4u, 5u}) {
    Device device(small());
    auto writes = encode_command(neuron_command());
    writes[write].value |= 1u << 31;
    write_all(device, writes);
    EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kRange)) << write;
  }
}

TEST(Device, ThresholdTablesHave18Bits) {
  Device device(small());
  Command c = neuron_command();
  c.table = true, c.bias = 8192, c.bias_bytes = 64;
  auto* table = reinterpret_cast<int32_t*>(device.memory().data() + c.bias);
  std::fill_n(table, 16, kMembraneMax);
  write_all(device, encode_command(c));
  EXPECT_EQ(error_code(device), 0u);
  table[15] = kMembraneMax + 1;
  write_all(device, encode_command(c));
  EXPECT_EQ(error_code(device), static_cast<uint32_t>(ErrorCode::kRange));
}

TEST(Device, InterruptLine) {
  Device device(small());
  write_all(device, encode_command(neuron_command()));
  device.read32(reg::kStatus);
  EXPECT_FALSE(device.interrupt());  // not enabled
  device.write32(reg::kInterrupt, 1);
  EXPECT_TRUE(device.interrupt());
  device.write32(reg::kStatus, kStatusDone);
  EXPECT_FALSE(device.interrupt());
  device.write32(reg::kIdentity, 1);  // an error raises it too
  EXPECT_TRUE(device.interrupt());
}

TEST(Device, TransfersOfTheStartedCommand) {
  Device device(small());
  EXPECT_TRUE(device.transfers().empty());
  write_all(device, encode_v1(v1_command()));
  device.read32(reg::kDone);
  const std::vector<Transfer> expected = {{Mover::kParameters, 1024, 32},
                                          {Mover::kParameters, 4096, 9 * 256},
                                          {Mover::kInput, 0, 8},
                                          {Mover::kOutput, 512, 8}};
  EXPECT_EQ(device.transfers(), expected);
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
