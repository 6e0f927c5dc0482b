#include <cstring>

#include "core/error.h"
#include "firefly/driver.h"
#include "firefly/image_writer.h"
#include "firefly/timing.h"

namespace lampyris::firefly {

namespace {

template <class T>
std::vector<T> values_of(const ImageTensor* tensor) {
  std::vector<T> values;
  if (!tensor || tensor->bytes.empty()) return values;
  values.resize(tensor->bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor->bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

LoadedImage::LoadedImage(const Image& image) {
  check_program(image);
  plan = plan_from_json(image.plan_json);
  ImageWriter places;  // the same places as when the image was written
  for (size_t n = 0; n < plan.layers.size(); ++n) {
    const ImageTensor* registers = image.find(layer_tensor(n, "registers"));
    const ImageTensor* w = image.find(layer_tensor(n, "weights"));
    const ImageTensor* b = image.find(layer_tensor(n, "bias"));
    writes.push_back(read_registers(*registers));
    weights.push_back(w ? w->bytes : std::vector<uint8_t>());
    bias.push_back(b ? b->bytes : std::vector<uint8_t>());
    places.add_layer(writes.back().size(), weights.back(), bias.back());
    weights_at.push_back(places.place_of(n).weights);
    bias_at.push_back(places.place_of(n).bias);
  }
  data_bytes = places.end();
  stem_weight = values_of<int8_t>(image.find(kStemWeight));
  stem_bias = values_of<int32_t>(image.find(kStemBias));
  output_weight = values_of<int8_t>(image.find(kOutputWeight));
  output_bias = values_of<int16_t>(image.find(kOutputBias));
  modelled_cycles = image_timing(image, "").total.total;
}

}  // namespace lampyris::firefly
