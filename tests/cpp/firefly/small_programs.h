// Small programs and layers that several tests share. Values come from a fixed generator.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "firefly/program.h"
#include "firefly/v1_builder.h"

namespace lampyris::firefly {

template <class T>
std::vector<T> random_values(size_t count, int low, int high, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<T> values(count);
  for (T& value : values)
    value =
        static_cast<T>(low + static_cast<int>(generator() % static_cast<uint32_t>(high - low + 1)));
  return values;
}

// Input stream [1, 16, 6, 8], neuron, 3 x 3 convolution with a fused neuron and a threshold table,
// 1 x 1 output with 5 channels.
inline Program small_program(int parallelism = 16, int steps = 3) {
  Program program(parallelism, steps, "zcu104");
  program.input("x", Kind::kStream, 16, 6, 8, 1);
  program.neuron({"n0", {30}, Leak::kBefore, 2, false}, "x");
  const auto w1 = random_values<int8_t>(20 * 16 * 9, -127, 127, 1);
  const auto b1 = random_values<int16_t>(20, -500, 500, 2);
  ConvSpec conv;
  conv.name = "c1", conv.source = "n0", conv.weight = {w1, 20, 16, 3, 3}, conv.bias = b1;
  conv.neuron = NeuronSpec{"n1", random_values<int32_t>(20, 0, 900, 3), Leak::kNone, 2, false};
  program.conv(conv);
  const auto w2 = random_values<int8_t>(5 * 20, -127, 127, 4);
  program.output("head", "n1", {w2, 5, 20, 1, 1}, random_values<int16_t>(5, -99, 99, 5));
  program.host_output("head", std::vector<double>(5, 0.125), {"a"});
  return program;
}

inline V1LayerSpec v1_conv(const std::string& name, const std::vector<int8_t>& weight,
                           const std::vector<int16_t>& bias, int out, int in, int32_t threshold) {
  V1LayerSpec spec;
  spec.neuron = name, spec.weight = weight, spec.bias = bias;
  spec.out = out, spec.in = in, spec.threshold = threshold;
  return spec;
}

}  // namespace lampyris::firefly
