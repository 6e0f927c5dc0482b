// Assembles an image in file order, so that addresses of parameters are known while registers are
// written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firefly/image.h"
#include "firefly/plan_commands.h"
#include "firefly/registers.h"

namespace lampyris::firefly {

class ImageWriter {
 public:
  // Reserves the layer's registers (their count is known before their values) and places the
  // parameters behind them. Returns the layer's index.
  size_t add_layer(size_t register_writes, std::vector<uint8_t> weights, std::vector<uint8_t> bias);
  // Offsets from the image base, the first byte after the header.
  const ParameterPlace& place_of(size_t layer) const { return layers_[layer].parameters; }

  void set_registers(size_t layer, const std::vector<RegisterWrite>& writes);
  void add_host(std::string_view name, ImageDtype dtype, std::vector<uint8_t> bytes);
  // Bytes placed so far.
  uint64_t end() const { return end_; }
  Image finish(std::string plan_json);

 private:
  struct Layer {
    size_t registers;  // index of the tensor
    ParameterPlace parameters;
  };
  uint32_t place(std::string name, ImageDtype dtype, std::vector<uint8_t> bytes);

  Image image_;
  std::vector<Layer> layers_;
  uint64_t end_ = 0;
};

// A registers tensor's writes, in order.
std::vector<RegisterWrite> read_registers(const ImageTensor& tensor);

}  // namespace lampyris::firefly
