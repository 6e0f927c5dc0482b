// Builds images for target v1, the released accelerator: a chain of layers, docs/contract.md
// section 4 and facts of the released source. build() reports every broken limit at once, and
// refuses weights for which a sum could wrap.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firefly/image.h"
#include "firefly/plan.h"
#include "firefly/program.h"
#include "firefly/violations.h"

namespace lampyris::firefly {

struct V1LayerSpec {
  std::string neuron, pool;  // names of the spikes before and, when pooling, behind it
  bool linear = false;
  // conv [out][in][9]; linear [out][inputs] with inputs in (c, h, w) order.
  std::span<const int8_t> weight;
  int out = 0, in = 0;
  std::span<const int16_t> bias;
  int32_t threshold = 0;
  Leak leak = Leak::kNone;
  bool winner = false;
};

class V1Builder {
 public:
  V1Builder(int parallelism, int time_steps, int channels, int height, int width,
            const std::string& preset);

  void layer(const V1LayerSpec& spec);
  // The host runs stem and neuron; its spikes, named `neuron`, are the input.
  void host_stem(const StemSpec& spec, const std::string& neuron, int32_t threshold, Leak leak);
  // The host convolves the spikes of the last layer.
  void host_output(const std::string& name, const WeightView& weight, std::span<const int16_t> bias,
                   std::vector<double> step, std::vector<std::string> class_names);
  void note(const std::string& key, const std::string& value) { notes_[key] = value; }

  Image build() const;

 private:
  struct Layer {
    V1LayerSpec spec;  // its spans are not used
    std::vector<int8_t> weight;
    std::vector<int16_t> bias;
    int in_channels = 0, in_height = 0, in_width = 0;
    int out_height = 0, out_width = 0;  // behind pooling

    const std::string& name() const { return spec.pool.empty() ? spec.neuron : spec.pool; }
  };

  std::vector<PlanMap> make_maps() const;
  // Weights in the order of the input's memory, [out][in tiles * P][9].
  std::vector<int8_t> arranged(const Layer& layer, const PlanMap& in, int& inputs) const;
  PlanLayer describe(const Layer& layer, const PlanMap& in, std::span<const int8_t> weight,
                     int inputs) const;
  void check_layer(const Layer& layer, const PlanLayer& plan, const PlanMap& in, const PlanMap& out,
                   bool last, Violations& violations) const;
  void check_host(Violations& violations) const;
  void new_name(const std::string& name);

  int p_, steps_, channels_, height_, width_;
  std::string preset_;
  std::vector<Layer> layers_;
  std::vector<std::string> names_;
  std::optional<HostStem> stem_;
  std::vector<int8_t> stem_weight_, output_weight_;
  std::vector<int32_t> stem_bias_;
  std::vector<int16_t> output_bias_;
  std::optional<HostOutput> output_;
  std::map<std::string, std::string> notes_;
};

}  // namespace lampyris::firefly
