#include "cpu/kernel_log.h"
#include "cpu/spike_sums.h"
#include "ops/spike_conv2d/spike_conv2d_int8_front.h"

namespace lampyris {

namespace {

// Additions a task should at least be worth.
constexpr double kGrainWork = 1 << 18;

struct Cpu {
  static void run(const char* op, const SpikeConv2dInt8& a, const Tensor&) {
    const SpikeConv2dShape& c = a.shape;
    const SpikeSums s = spike_sums_of(c);
    const double density = spike_density(s, a.words, c.images);
    const SumsKernel kernel = choose_sums_kernel(s, density);
    note_kernel(op, sums_kernel_name(kernel), density);
    SpikeWeights weights(s, kernel);
    torch::stable::parallel_for(0, weights.parts(), 1, [&](int64_t begin, int64_t end) {
      weights.pack(a.weight, begin, end);
    });
    const SpikeSumsJob job{&weights, a.words, a.bias, a.shift, a.out, a.as_float};
    const double row = static_cast<double>(c.out_width() * c.out_channels * c.group_in()) *
                       static_cast<double>(c.taps());
    const auto grain = static_cast<int64_t>(kGrainWork / row) + 1;
    torch::stable::parallel_for(
        0, c.images * c.out_height(), grain,
        [&](int64_t begin, int64_t end) { spike_sums_rows(job, begin, end); });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // words [N, H, W, ceil(C / 32)], carrier [N, C, H, W], weight int8 [Co, C / groups, kh, kw], bias
  // int32 [Co]; returns int32 [N, Co, H', W'] in channels_last strides.
  m.def(
      "spike_conv2d_int8(Tensor words, Tensor carrier, Tensor weight, Tensor? bias, int stride, "
      "int padding, int groups) -> Tensor");
  // The same as (P << shift) + bias in float32, for exact training.
  m.def(
      "_spike_conv2d_exact(Tensor words, Tensor carrier, Tensor weight, Tensor? bias, int shift, "
      "int stride, int padding, int groups) -> Tensor");
  // words [M, ceil(K / 32)], weight int8 [N, K]; returns int32 [M, N].
  m.def("spike_linear_int8(Tensor words, Tensor weight) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("spike_conv2d_int8", TORCH_BOX(&spike_conv2d_int8<Cpu>));
  m.impl("_spike_conv2d_exact", TORCH_BOX(&spike_conv2d_exact<Cpu>));
  m.impl("spike_linear_int8", TORCH_BOX(&spike_linear_int8<Cpu>));
}

}  // namespace lampyris
