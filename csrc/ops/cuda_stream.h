// The device of a tensor made current, and torch's stream on it.
#pragma once

#include <torch/csrc/stable/accelerator.h>

#include "ops/tensor.h"

struct CUstream_st;

namespace lampyris {

class OnDevice {
 public:
  explicit OnDevice(const Tensor& t)
      : guard_(t.get_device_index()),
        stream_(torch::stable::accelerator::getCurrentStream(t.get_device_index())) {}

  CUstream_st* stream() const { return static_cast<CUstream_st*>(stream_.nativeHandle()); }

 private:
  torch::stable::accelerator::DeviceGuard guard_;
  torch::stable::accelerator::Stream stream_;
};

}  // namespace lampyris
