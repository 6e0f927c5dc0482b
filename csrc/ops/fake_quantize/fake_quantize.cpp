#include "ops/fake_quantize/fake_quantize_front.h"

namespace lampyris {

namespace {

constexpr int64_t kGrainElements = 1 << 15;

template <typename T>
int64_t grain(const FakeQuantize<T>& a) {
  return std::max<int64_t>(1, kGrainElements / std::min(a.inner, kQuantizePiece));
}

struct Cpu {
  template <typename T>
  static void forward(const FakeQuantize<T>& a, T* out, const Tensor&) {
    torch::stable::parallel_for(
        0, a.rows() * pieces_per_row(a), grain(a),
        [&](int64_t begin, int64_t end) { fake_quantize_pieces(a, out, begin, end); });
  }

  template <typename T>
  static void backward(const FakeQuantize<T>& a, const T* grad, T* grad_x, double* sums,
                       double factor, T* grad_scale, T* grad_offset, const Tensor&) {
    torch::stable::parallel_for(0, a.rows() * pieces_per_row(a), grain(a),
                                [&](int64_t begin, int64_t end) {
                                  fake_quantize_backward_pieces(a, grad, grad_x, sums, begin, end);
                                });
    fake_quantize_reduce(a, sums, factor, grad_scale, grad_offset);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // x [...]; scale, offset [] or, with dim >= 0, [x.shape[dim]]; mask bool like x. dim -1: per
  // tensor.
  m.def(
      "fake_quantize(Tensor x, Tensor scale, Tensor? offset, Tensor? mask, int dim, int quant_min, "
      "int quant_max, float grad_scale) -> Tensor");
  m.def(
      "_fake_quantize_backward(Tensor grad, Tensor x, Tensor scale, Tensor? offset, Tensor? mask, "
      "int dim, int quant_min, int quant_max, float grad_scale) -> (Tensor, Tensor, Tensor?)");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("fake_quantize", TORCH_BOX(&fake_quantize<Cpu>));
  m.impl("_fake_quantize_backward", TORCH_BOX(&fake_quantize_backward<Cpu>));
}

}  // namespace lampyris
