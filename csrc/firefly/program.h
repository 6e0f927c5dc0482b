// Builds images for target ems: named maps, one method per operation, docs/contract.md sections
// 2 to 6. Every method checks what it is given and throws std::invalid_argument naming the layer;
// limits of the target are collected and reported together by build().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firefly/command.h"
#include "firefly/image.h"
#include "firefly/plan.h"
#include "firefly/violations.h"

namespace lampyris::firefly {

// int8 [out][in][kernel][kernel].
struct WeightView {
  std::span<const int8_t> values;
  int out = 0, in = 0, kernel_h = 0, kernel_w = 0;
};

struct NeuronSpec {
  std::string name;
  std::vector<int32_t> threshold;  // one for all channels, or one per channel
  Leak leak = Leak::kNone;
  int k = 2;              // `before` only
  bool membrane = false;  // give V after the last step instead of spikes
};

struct ConvSpec {
  std::string name, source, residual;
  WeightView weight;
  std::span<const int16_t> bias;
  int stride = 1, padding = 1, shift = 0;
  std::optional<NeuronSpec> neuron;
  bool store_stream = false;  // with a neuron; without one the stream is always stored
};

struct StemSpec {
  std::string name;
  WeightView weight;
  std::span<const int32_t> bias;
  int stride = 1, padding = 0, shift = 0, exponent = 8;
  int channels = 0, height = 0, width = 0, steps = 1;
};

class Program {
 public:
  Program(int parallelism, int time_steps, const std::string& preset);

  // A map that the host fills; returns its name, as all methods do.
  std::string input(const std::string& name, Kind kind, int channels, int height, int width,
                    int steps);
  std::string neuron(const NeuronSpec& spec, const std::string& source);
  std::string conv(const ConvSpec& spec);
  std::string max_pool(const std::string& name, const std::string& source);
  std::string upsample(const std::string& name, const std::string& source);
  std::string concat(const std::string& name, const std::vector<std::string>& parts);
  // int32 sum over T of P + B; kernel 1 or 3 (padded).
  std::string output(const std::string& name, const std::string& source, const WeightView& weight,
                     std::span<const int16_t> bias);
  void host_stem(const StemSpec& spec);
  void host_output(const std::string& name, std::vector<double> step,
                   std::vector<std::string> class_names);
  void note(const std::string& key, const std::string& value) { notes_[key] = value; }

  Image build() const;

  // Records shared with the lowering (lower.cpp).
  struct Map {
    std::string name;
    Kind kind = Kind::kSpikes;
    int channels = 0, height = 0, width = 0, steps = 1;
    int parent = -1, first_channel = 0;  // part of a concatenation
    int producer = -1;                   // node, or -1 for an input or a concatenation
    bool joined = false;                 // is a concatenation
    bool read = false;
  };
  struct Node {
    std::string name;
    Op op = Op::kConv;
    bool copies = false, accumulates = false;
    int source = -1, residual = -1, spikes = -1, stream = -1, int32 = -1;
    int kernel = 1, kernel_w = 1, stride = 1, padding = 0, shift = 0;
    std::vector<int8_t> weight;  // [out][in][kernel][kernel]
    std::vector<int16_t> bias;
    std::optional<NeuronSpec> neuron;
  };
  const std::vector<Map>& maps() const { return maps_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  int parallelism() const { return parallelism_; }
  int time_steps() const { return steps_; }
  const std::string& preset() const { return preset_; }

 private:
  int find(const std::string& layer, const std::string& name);
  int find_kind(const std::string& layer, const std::string& name, Kind kind);
  int add_map(const std::string& layer, Map map);
  void check_neuron(const NeuronSpec& spec, int channels);
  Node make_conv(const std::string& name, const WeightView& weight, std::span<const int16_t> bias,
                 int source, int stride, int padding);
  void output_size(const Node& node, int& height, int& width) const;
  int part_for(const std::string& name, int part, int steps, int index);
  int push(Node node);
  std::string resize(Op op, const std::string& name, const std::string& source);

  int parallelism_, steps_;
  std::string preset_;
  std::vector<Map> maps_;
  std::vector<Node> nodes_;
  std::map<std::string, int> names_;
  std::optional<HostStem> stem_;
  std::vector<int8_t> stem_weight_;
  std::vector<int32_t> stem_bias_;
  std::optional<HostOutput> output_;
  std::vector<HostOutput> further_outputs_;
  std::map<std::string, std::string> notes_;
  int input_ = -1;
  Violations violations_;  // limits of the target, found so far
};

}  // namespace lampyris::firefly
