#include "firefly/image_writer.h"

#include <cstring>

#include "core/error.h"
#include "firefly/plan.h"

namespace lampyris::firefly {

namespace {
constexpr uint64_t kAlign = 64;
}

uint32_t ImageWriter::place(std::string name, ImageDtype dtype, std::vector<uint8_t> bytes) {
  const uint64_t offset = end_;
  end_ += (bytes.size() + kAlign - 1) / kAlign * kAlign;
  if (end_ > UINT32_MAX) fail("program: parameters must fit 32-bit addresses, got {} bytes", end_);
  image_.tensors.push_back({std::move(name), dtype, std::move(bytes)});
  return static_cast<uint32_t>(offset);
}

size_t ImageWriter::add_layer(size_t register_writes, std::vector<uint8_t> weights,
                              std::vector<uint8_t> bias) {
  const size_t index = layers_.size();
  Layer layer;
  layer.registers = image_.tensors.size();
  layer.parameters.weight_bytes = static_cast<uint32_t>(weights.size());
  layer.parameters.bias_bytes = static_cast<uint32_t>(bias.size());
  place(layer_tensor(index, "registers"), ImageDtype::kU32,
        std::vector<uint8_t>(register_writes * 8));
  if (!weights.empty())
    layer.parameters.weights =
        place(layer_tensor(index, "weights"), ImageDtype::kU8, std::move(weights));
  if (!bias.empty())
    layer.parameters.bias = place(layer_tensor(index, "bias"), ImageDtype::kU8, std::move(bias));
  layers_.push_back(layer);
  return index;
}

void ImageWriter::set_registers(size_t layer, const std::vector<RegisterWrite>& writes) {
  std::vector<uint8_t>& bytes = image_.tensors[layers_[layer].registers].bytes;
  if (bytes.size() != writes.size() * 8)
    fail("program: layer {} must have {} register writes, got {}", layer, bytes.size() / 8,
         writes.size());
  for (size_t i = 0; i < writes.size(); ++i) {
    const uint32_t pair[2] = {writes[i].offset | static_cast<uint32_t>(writes[i].relocation) << 16,
                              writes[i].value};
    std::memcpy(bytes.data() + 8 * i, pair, sizeof(pair));
  }
}

void ImageWriter::add_host(std::string_view name, ImageDtype dtype, std::vector<uint8_t> bytes) {
  place(std::string(name), dtype, std::move(bytes));
}

Image ImageWriter::finish(std::string plan_json) {
  image_.plan_json = std::move(plan_json);
  return std::move(image_);
}

std::vector<RegisterWrite> read_registers(const ImageTensor& tensor) {
  std::vector<RegisterWrite> writes(tensor.bytes.size() / 8);
  for (size_t i = 0; i < writes.size(); ++i) {
    uint32_t pair[2];
    std::memcpy(pair, tensor.bytes.data() + 8 * i, sizeof(pair));
    writes[i] = {pair[0] & 0xFFFF, static_cast<Relocation>(pair[0] >> 16), pair[1]};
  }
  return writes;
}

}  // namespace lampyris::firefly
