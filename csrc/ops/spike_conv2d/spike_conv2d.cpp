#include <numeric>

#include "cpu/isa.h"
#include "cpu/kernel_log.h"
#include "ops/spike_conv2d/spike_conv2d_amx_front.h"
#include "ops/spike_conv2d/spike_conv2d_event.h"
#include "ops/spike_conv2d/spike_conv2d_event_grad.h"
#include "ops/spike_conv2d/spike_conv2d_front.h"

namespace lampyris {

namespace {

struct Cpu {
  template <typename T>
  static Tensor forward(const SpikeConv2dShape& s, const Tensor& words, const Tensor& weight,
                        const std::optional<Tensor>& bias, Precision precision) {
    const Tensor out =
        empty_channels_last({s.images, s.out_channels, s.out_height(), s.out_width()},
                            weight.scalar_type(), weight);
    const SpikeConv2d<T> a{s, words_of(words), weight.const_data_ptr<T>(),
                           bias.has_value() ? bias->const_data_ptr<T>() : nullptr,
                           out.mutable_data_ptr<T>()};
    const double density = static_cast<double>(count_spikes(a.words, s.images * s.image_words())) /
                           static_cast<double>(s.spikes());
    const int64_t rows = s.images * s.out_height();
    if constexpr (std::is_same_v<T, float>) {
      if (tiles_forward(a, precision, density)) return out;
      if (events_fit(s)) {
        const Tensor packed = empty({event_weights(s)}, ScalarType::Float, weight);
        float* weights = packed.mutable_data_ptr<float>();
        const int64_t blocks = s.groups * EventBlocks(s.group_out()).count;
        torch::stable::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
          pack_event_weights(s, a.weight, weights, begin, end);
        });
        note_kernel("spike_conv2d", text("event float32 {}", isa_name(isa())), density);
        torch::stable::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
          spike_conv2d_event(a, weights, begin, end);
        });
        return out;
      }
    }
    note_kernel("spike_conv2d", "plain", density);
    torch::stable::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
      spike_conv2d_rows(a, begin, end);
    });
    return out;
  }

  template <typename T>
  static Tensor grad_weight(const SpikeConv2dShape& s, const Tensor& words, const Tensor& grad,
                            Precision precision) {
    const Tensor out =
        empty({s.out_channels, s.group_in(), s.kernel_height, s.kernel_width}, grad.scalar_type(),
              grad);
    const SpikeConv2dGradWeight<T> a{s, words_of(words), grad.const_data_ptr<T>(),
                                     out.mutable_data_ptr<T>()};
    if constexpr (std::is_same_v<T, float>) {
      if (tiles_grad_weight(a, precision)) return out;
      const auto threads = static_cast<int64_t>(torch::stable::get_num_threads());
      const int64_t blocks = EventGradWeight(a, 1).items();
      EventGradWeight events(a, threads / std::gcd(threads, blocks));
      torch::stable::parallel_for(0, events.tiles(), 1, [&](int64_t begin, int64_t end) {
        events.list(begin, end);
      });
      note_kernel("spike_conv2d dW", text("event float32 {}", isa_name(isa())), -1);
      torch::stable::parallel_for(0, events.items(), 1, [&](int64_t begin, int64_t end) {
        events.accumulate(begin, end);
      });
      return out;
    }
    note_kernel("spike_conv2d dW", "plain", -1);
    torch::stable::parallel_for(
        0, s.words_per_pixel(), 1,
        [&](int64_t begin, int64_t end) { spike_conv2d_grad_weight_words(a, begin, end); });
    return out;
  }

  static std::optional<Tensor> grad_input(const SpikeConv2dShape& s, const Tensor& grad,
                                          const Tensor& weight, Precision precision) {
    return tiles_grad_input(s, grad, weight, precision);
  }

  static ScalarType grad_input_type(const SpikeConv2dShape&, ScalarType sums, Precision) {
    return sums;
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // words [N, H, W, ceil(C / 32)], carrier [N, C, H, W], weight [Co, C / groups, kh, kw], bias [Co];
  // returns [N, Co, H', W'] in channels_last strides, dtype of the weight.
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
