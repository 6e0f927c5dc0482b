// One accelerator core: AXI-Lite register file, parameter FIFOs, one command at a time, on a DDR
// that its owner holds. A started command is busy until the host polls it (status, or the released
// done flag).
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "firefly/command.h"
#include "firefly/config.h"
#include "firefly/data_mover.h"
#include "firefly/trace.h"

namespace lampyris::firefly {

class Core {
 public:
  // `memory` must outlive the core. With `strict`, what a board would pass over in silence or hang
  // on throws std::invalid_argument: see docs/firefly.md, "Wrong sequences".
  Core(const Config& config, std::span<uint8_t> memory, bool strict, bool trace);

  uint32_t read32(uint32_t offset);
  void write32(uint32_t offset, uint32_t value);
  // The interrupt line: done or error of an extension command, where 0x8C enables it.
  bool interrupt() const;
  // Power-on state: registers, FIFOs, toggle.
  void reset();
  const CommandTrace* trace() const { return keep_trace_ ? &trace_ : nullptr; }
  // DataMover commands of the command started last.
  std::vector<Transfer> transfers() const;

 private:
  enum class Kind : uint8_t { kNone, kExtension, kReleased };

  void start_extension();
  void start_released();
  void pulse(uint32_t value);
  void load_parameters();
  V1Command started_layer() const { return decode_v1(started_values_); }
  bool parameters_ready(const V1Command& command) const;
  void finish();  // runs the pending command, if it has what it needs
  void error(ErrorCode code, const std::string& why);
  // Strict mode only.
  void check_written(std::span<const uint32_t> offsets) const;
  void check_sequence(const V1Command& command) const;

  Config config_;
  std::span<uint8_t> memory_;
  bool strict_, keep_trace_;
  RegisterValues values_{};
  std::bitset<reg::kEnd / 4> written_;
  Kind pending_ = Kind::kNone;
  Kind started_ = Kind::kNone;  // of `started_values_`
  RegisterValues started_values_{};
  uint32_t status_ = 0;
  bool v1_done_ = false;
  bool weights_next_ = false;  // toggle of the parameter pulse: bias first, then weights
  bool input_started_ = false, output_started_ = false;
  std::vector<uint8_t> bias_fifo_, weight_fifo_;  // bytes that the movers have been asked for
  CommandTrace trace_;
};

}  // namespace lampyris::firefly
