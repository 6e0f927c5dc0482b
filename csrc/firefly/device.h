// The accelerator behind its registers: AXI-Lite register file, DDR, one command at a time.
// A started command is busy until the host polls it (status, or the released done flag).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "firefly/command.h"
#include "firefly/config.h"
#include "firefly/port.h"

namespace lampyris::firefly {

struct DeviceOptions {
  int parallelism = 16;
  std::string preset = "zcu104";  // bus widths for the cycle counter
  std::string datapath = "functional";
  bool trace = false;
  uint64_t memory_bytes = uint64_t{1} << 30;  // DDR; pages are taken when first touched
};

class Device : public Port {
 public:
  // Throws std::invalid_argument for an unknown data path, preset or P.
  explicit Device(const DeviceOptions& options = {});

  // Offsets that hold nothing read 0.
  uint32_t read32(uint32_t offset) override;
  // Never throws: mistakes set the error code of the status register.
  void write32(uint32_t offset, uint32_t value) override;
  std::span<uint8_t> memory() override { return {memory_.get(), options_.memory_bytes}; }
  void reserve(uint64_t bytes) override;
  const CommandTrace* trace() override { return options_.trace ? &trace_ : nullptr; }

  const DeviceOptions& options() const { return options_; }

 private:
  enum class Pending : uint8_t { kNone, kExtension, kReleased };

  void start_extension();
  void pulse(uint32_t value);
  void load_parameters();
  void finish();  // runs the pending command
  void error(ErrorCode code);

  DeviceOptions options_;
  Config config_;
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t[], Free> memory_;
  RegisterValues values_{};
  Pending pending_ = Pending::kNone;
  uint32_t status_ = 0;
  bool v1_done_ = false;
  bool weights_next_ = false;  // toggle of the parameter pulse: bias first, then weights
  bool input_started_ = false, output_started_ = false;
  std::vector<int16_t> bias_fifo_;
  std::vector<int8_t> weight_fifo_;
  CommandTrace trace_;
};

}  // namespace lampyris::firefly
