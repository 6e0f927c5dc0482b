#include "ops/spike_max_pool2d/spike_max_pool2d_front.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainWords = 1 << 13;

int64_t grain(const SpikePool& p, int64_t width) {
  return std::max<int64_t>(1, kGrainWords / std::max<int64_t>(1, width * p.words()));
}

struct Cpu {
  static void pool(const SpikePool& p, const uint32_t* in, uint32_t* out, const Tensor&) {
    torch::stable::parallel_for(
        0, p.images * p.out_height(), grain(p, p.out_width()),
        [&](int64_t begin, int64_t end) { spike_max_pool2d_rows(p, in, out, begin, end); });
  }

  template <typename T>
  static void grad(const SpikePool& p, const uint32_t* in, const T* grad_out, T* grad_in,
                   const Tensor&) {
    torch::stable::parallel_for(0, p.images * p.height, grain(p, 32 * p.width),
                                [&](int64_t begin, int64_t end) {
                                  spike_max_pool2d_grad_rows(p, in, grad_out, grad_in, begin, end);
                                });
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // words [N, H, W, ceil(C / 32)], carrier [N, C, H, W]; returns (carrier [N, C, H', W'], words).
  m.def(
      "spike_max_pool2d(Tensor words, Tensor carrier, int kernel_size, int stride) -> (Tensor, "
      "Tensor)");
  m.def(
      "_spike_max_pool2d_backward(Tensor grad, Tensor words, int kernel_size, int stride) -> "
      "Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("spike_max_pool2d", TORCH_BOX(&spike_max_pool2d<Cpu>));
  m.impl("_spike_max_pool2d_backward", TORCH_BOX(&spike_max_pool2d_backward<Cpu>));
}

}  // namespace lampyris
