// What a driver needs from a device: registers and the memory they point into. The model is one,
// a board's memory-mapped registers and a contiguous buffer are another.
#pragma once

#include <cstdint>
#include <span>

#include "firefly/trace.h"

namespace lampyris::firefly {

class Port {
 public:
  virtual ~Port() = default;
  virtual uint32_t read32(uint32_t offset) = 0;
  virtual void write32(uint32_t offset, uint32_t value) = 0;
  virtual std::span<uint8_t> memory() = 0;
  // Bus address of the memory's first byte.
  virtual uint32_t base_address() { return 0; }
  // Makes at least `bytes` of memory available; throws std::invalid_argument when it cannot.
  virtual void reserve(uint64_t bytes) = 0;
  // The last command's internals, or nullptr where nobody looks inside (a board).
  virtual const CommandTrace* trace() { return nullptr; }
};

}  // namespace lampyris::firefly
