#include "firefly/device.h"

#include <new>

#include "core/error.h"

namespace lampyris::firefly {

namespace {

Config device_config(const DeviceOptions& options) {
  Config config = options.config ? *options.config
                                 : preset_config(options.preset, options.parallelism);
  if (!options.config) {
    check_parallelism("device", options.parallelism);
    config.datapath = parse_datapath("device", options.datapath);
    config.cores = options.cores;
  }
  check_config(config);
  return config;
}

}  // namespace

Device::Device(const DeviceOptions& options) : options_(options), config_(device_config(options)) {
  constexpr uint64_t kLeast = 4096, kMost = uint64_t{1} << 32;
  if (options.memory_bytes < kLeast || options.memory_bytes > kMost)
    fail("device: memory_bytes must be {} to {}, got {}", kLeast, kMost, options.memory_bytes);
  // Zeroed pages that cost nothing until they are used.
  memory_.reset(static_cast<uint8_t*>(std::calloc(options.memory_bytes, 1)));
  if (!memory_) throw std::bad_alloc();
  for (int i = 0; i < config_.cores; ++i)
    cores_.emplace_back(config_, memory(), options.strict, options.trace);
}

void Device::reserve(uint64_t bytes) {
  if (bytes > options_.memory_bytes)
    fail("device: memory must have at least {} bytes for this image, got {}", bytes,
         options_.memory_bytes);
}

uint32_t Device::read32(uint32_t offset) {
  const size_t index = offset / kCoreWindow;
  return index < cores_.size() ? cores_[index].read32(offset % kCoreWindow)
                               : cores_[0].read32(offset);
}

void Device::write32(uint32_t offset, uint32_t value) {
  const size_t index = offset / kCoreWindow;
  if (index < cores_.size()) return cores_[index].write32(offset % kCoreWindow, value);
  cores_[0].write32(offset, value);
}

void Device::reset() {
  for (Core& core : cores_) core.reset();
}

CorePort::CorePort(Device& device, int core)
    : core_(device.core(core >= 0 && core < device.cores() ? core : 0)) {
  if (core < 0 || core >= device.cores())
    fail("device: core must be below {}, got {}", device.cores(), core);
  constexpr uint64_t kPage = 4096;
  const uint64_t pages = device.memory().size() / kPage;
  const uint64_t share = pages / static_cast<uint64_t>(device.cores()) * kPage;
  base_ = static_cast<uint32_t>(share * static_cast<uint64_t>(core));
  memory_ = device.memory().subspan(base_, share);
}

void CorePort::reserve(uint64_t bytes) {
  if (bytes > memory_.size())
    fail("device: memory must have at least {} bytes a core for this image, got {}", bytes,
         memory_.size());
}

}  // namespace lampyris::firefly
