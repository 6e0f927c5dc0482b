// The accelerator: one or two cores behind their registers, and the DDR they share.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firefly/config.h"
#include "firefly/core.h"
#include "firefly/port.h"

namespace lampyris::firefly {

// Core i answers at offsets i * kCoreWindow + register.
inline constexpr uint32_t kCoreWindow = 0x10000;

struct DeviceOptions {
  int parallelism = 16;
  std::string preset = "zcu104";  // bus widths for the cycle counter
  std::string datapath = "functional";
  bool trace = false;
  uint64_t memory_bytes = uint64_t{1} << 30;  // DDR; pages are taken when first touched
  bool strict = false;                        // wrong register sequences throw
  int cores = 1;
  std::optional<Config> config = {};  // instead of parallelism and preset
};

class Device : public Port {
 public:
  // Throws std::invalid_argument for an unknown data path, preset or P.
  explicit Device(const DeviceOptions& options = {});
  Device(Device&&) = default;

  // Offsets that hold nothing read 0.
  uint32_t read32(uint32_t offset) override;
  // Mistakes set the error code of the status register; they throw in strict mode only.
  void write32(uint32_t offset, uint32_t value) override;
  std::span<uint8_t> memory() override { return {memory_.get(), options_.memory_bytes}; }
  void reserve(uint64_t bytes) override;
  const CommandTrace* trace() override { return cores_[0].trace(); }
  // Of the command started last on core 0.
  std::vector<Transfer> transfers() const { return cores_[0].transfers(); }
  bool interrupt() const { return cores_[0].interrupt(); }
  // Power-on state of all cores; memory keeps its bytes.
  void reset();

  const DeviceOptions& options() const { return options_; }
  const Config& config() const { return config_; }
  int cores() const { return static_cast<int>(cores_.size()); }
  Core& core(int index) { return cores_.at(static_cast<size_t>(index)); }

 private:
  DeviceOptions options_;
  Config config_;
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t[], Free> memory_;
  std::vector<Core> cores_;
};

// One core with its share of the DDR, for a driver of its own: share i of n starts at i / n of the
// memory. Drivers of different cores may run on different threads.
class CorePort : public Port {
 public:
  // Throws std::invalid_argument for a core that the device does not have.
  CorePort(Device& device, int core);

  uint32_t read32(uint32_t offset) override { return core_.read32(offset); }
  void write32(uint32_t offset, uint32_t value) override { core_.write32(offset, value); }
  std::span<uint8_t> memory() override { return memory_; }
  uint32_t base_address() override { return base_; }
  void reserve(uint64_t bytes) override;
  const CommandTrace* trace() override { return core_.trace(); }

 private:
  Core& core_;
  std::span<uint8_t> memory_;
  uint32_t base_ = 0;
};

}  // namespace lampyris::firefly
