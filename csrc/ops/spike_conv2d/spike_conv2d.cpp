#include <numeric>

#include "ops/pack_spikes/pack_spikes.h"
#include "ops/spike_conv2d/spike_conv2d_amx_front.h"
#include "ops/spike_conv2d/spike_conv2d_choice.h"
#include "ops/spike_conv2d/spike_conv2d_event_grad.h"

namespace lampyris {

namespace {

constexpr const char* kForward = "spike_conv2d";
constexpr const char* kGradWeight = "spike_conv2d dW";
constexpr const char* kGradInput = "spike_conv2d dX";

double density_of(const SpikeConv2dShape& s, const Tensor& words) {
  return static_cast<double>(count_spikes(words_of(words), s.images * s.image_words())) /
         static_cast<double>(s.spikes());
}

// The spikes as floats [N, C, H, W] in channels_last strides.
Tensor unpacked(const SpikeConv2dShape& s, const Tensor& words) {
  const Tensor maps = empty_channels_last({s.images, s.in_channels, s.in_height, s.in_width},
                                          ScalarType::Float, words);
  const SpikeShape lines{1, s.images * s.in_height * s.in_width, s.in_channels, 1};
  constexpr int64_t kGrainPixels = 256;
  torch::stable::parallel_for(0, lines.outer, kGrainPixels, [&](int64_t begin, int64_t end) {
    unpack_words(words_of(words), lines, maps.mutable_data_ptr<float>(), begin, end);
  });
  return maps;
}

void event_forward(const SpikeConv2d<float>& a, const Tensor& like) {
  const SpikeConv2dShape& s = a.shape;
  const Tensor packed = empty({event_weights(s)}, ScalarType::Float, like);
  float* const weights = packed.mutable_data_ptr<float>();
  const int64_t blocks = s.groups * EventBlocks(s.group_out()).count;
  torch::stable::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    pack_event_weights(s, a.weight, weights, begin, end);
  });
  torch::stable::parallel_for(
      0, s.images * s.out_height(), 1,
      [&](int64_t begin, int64_t end) { spike_conv2d_event(a, weights, begin, end); });
}

void event_grad_weight(const SpikeConv2dGradWeight<float>& a) {
  const auto threads = static_cast<int64_t>(torch::stable::get_num_threads());
  const int64_t blocks = EventGradWeight(a, 1).items();
  EventGradWeight events(a, threads / std::gcd(threads, blocks));
  torch::stable::parallel_for(
      0, events.tiles(), 1, [&](int64_t begin, int64_t end) { events.list(begin, end); });
  torch::stable::parallel_for(
      0, events.items(), 1, [&](int64_t begin, int64_t end) { events.accumulate(begin, end); });
}

struct Cpu {
  template <typename T>
  static Tensor forward(const SpikeConv2dShape& s, const Tensor& words, const Tensor& weight,
                        const std::optional<Tensor>& bias, Precision precision) {
    const double density = density_of(s, words);
    const auto out = [&] {
      return empty_channels_last({s.images, s.out_channels, s.out_height(), s.out_width()},
                                 weight.scalar_type(), weight);
    };
    const auto problem = [&](const Tensor& to) {
      return SpikeConv2d<T>{s, words_of(words), weight.const_data_ptr<T>(),
                            bias.has_value() ? bias->const_data_ptr<T>() : nullptr,
                            to.mutable_data_ptr<T>()};
    };
    const int64_t rows = s.images * s.out_height();
    if constexpr (std::is_same_v<T, float>) {
      const Tensor to = out();
      const SpikeConv2d<float> a = problem(to);
      if (tiles_forward(a, precision, density)) return to;
      const ConvKernel kernel = choose_kernel(ConvPass::kForward, s, density);
      note_kernel(kForward, kernel_name(kernel), density);
      if (kernel == ConvKernel::kOnednn) {
        return in_channels_last(convolution(unpacked(s, words), weight, bias, s));
      }
      if (kernel == ConvKernel::kEvent) {
        event_forward(a, weight);
      } else {
        torch::stable::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
          spike_conv2d_depthwise(a, begin, end);
        });
      }
      return to;
    }
    note_kernel(kForward, "plain float64", density);
    const Tensor to = out();
    torch::stable::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
      spike_conv2d_rows(problem(to), begin, end);
    });
    return to;
  }

  template <typename T>
  static Tensor grad_weight(const SpikeConv2dShape& s, const Tensor& words, const Tensor& grad,
                            Precision precision) {
    const Tensor out =
        empty({s.out_channels, s.group_in(), s.kernel_height, s.kernel_width}, grad.scalar_type(),
              grad);
    const SpikeConv2dGradWeight<T> a{s, words_of(words), grad.const_data_ptr<T>(),
                                     out.mutable_data_ptr<T>()};
    const double density = density_of(s, words);
    if constexpr (std::is_same_v<T, float>) {
      if (tiles_grad_weight(a, precision, density)) return out;
      const ConvKernel kernel = choose_kernel(ConvPass::kGradWeight, s, density);
      note_kernel(kGradWeight, kernel_name(kernel), density);
      if (kernel == ConvKernel::kOnednn) {
        return torch::stable::contiguous(
            convolution_grad_weight(grad, unpacked(s, words), out, s));
      }
      if (kernel == ConvKernel::kEvent) {
        event_grad_weight(a);
      } else {
        constexpr int64_t kLanes = 16;
        torch::stable::parallel_for(0, (s.in_channels + kLanes - 1) / kLanes, 1,
                                    [&](int64_t begin, int64_t end) {
                                      spike_conv2d_grad_weight_depthwise(a, begin, end);
                                    });
      }
      return out;
    }
    note_kernel(kGradWeight, "plain float64", density);
    torch::stable::parallel_for(
        0, s.words_per_pixel(), 1,
        [&](int64_t begin, int64_t end) { spike_conv2d_grad_weight_words(a, begin, end); });
    return out;
  }

  static std::optional<Tensor> grad_input(const SpikeConv2dShape& s, const Tensor& grad,
                                          const Tensor& weight, Precision precision) {
    return tiles_grad_input(s, grad, weight, precision);
  }

  // Depthwise convolutions gain nothing from bfloat16.
  static ScalarType grad_input_type(const SpikeConv2dShape& s, ScalarType sums, Precision p) {
    const bool narrow = sums == ScalarType::Float && p != Precision::kFloat32 &&
                        has_avx512_bf16() && !is_depthwise(s);
    const ScalarType type = narrow ? ScalarType::BFloat16 : sums;
    note_kernel(kGradInput, "onednn " + dtype_text(type), -1);
    return type;
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // words [N, H, W, ceil(C / 32)], carrier [N, C, H, W], weight [Co, C / groups, kh, kw], bias
  // [Co]; returns [N, Co, H', W'] in channels_last strides, dtype of the weight.
  m.def(
      "spike_conv2d(Tensor words, Tensor carrier, Tensor weight, Tensor? bias, int stride, "
      "int padding, int groups, str precision) -> Tensor");
  // grad [N, Co, H', W'], any strides; returns the weight's shape.
  m.def(
      "_spike_conv2d_grad_weight(Tensor words, Tensor carrier, Tensor grad, Tensor weight, "
      "int stride, int padding, int groups, str precision) -> Tensor");
  // Returns [N, C, H, W] in channels_last strides.
  m.def(
      "_spike_conv2d_grad_input(Tensor carrier, Tensor grad, Tensor weight, int stride, "
      "int padding, int groups, str precision) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("spike_conv2d", TORCH_BOX(&spike_conv2d<Cpu>));
  m.impl("_spike_conv2d_grad_weight", TORCH_BOX(&spike_conv2d_grad_weight<Cpu>));
  m.impl("_spike_conv2d_grad_input", TORCH_BOX(&spike_conv2d_grad_input<Cpu>));
}

}  // namespace lampyris
