#include "ops/cuda_stream.h"
#include "ops/goat_aggregate/goat_aggregate_front.h"

namespace lampyris {

namespace {

struct Cuda {
  template <typename T>
  static void forward(const GoatForward<T>& a, const std::optional<Tensor>& weight_hh,
                      const Tensor& like) {
    const OnDevice device(like);
    std::vector<Tensor> keep;
    goat_forward_cuda(a, transposed<T>(weight_hh, keep), device.stream());
  }

  template <typename T>
  static void steps_grad(const GoatStepsGrad<T>& a, const T* weight_t, const Tensor& like) {
    goat_steps_grad_cuda(a, weight_t, OnDevice(like).stream());
  }

  template <typename T>
  static void softmax(const Tensor& row_ptr, int64_t edges, int64_t heads, const T* score, T* y,
                      const Tensor& like) {
    std::vector<Tensor> keep;
    goat_softmax_cuda(check_goat_rows(row_ptr, edges, like, keep), heads, score, y,
                      OnDevice(like).stream());
  }

  template <typename T>
  static void softmax_grad(const Tensor& row_ptr, int64_t edges, int64_t heads, const T* grad,
                           const T* y, T* grad_score, const Tensor& like) {
    std::vector<Tensor> keep;
    goat_softmax_grad_cuda(check_goat_rows(row_ptr, edges, like, keep), heads, grad, y, grad_score,
                           OnDevice(like).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("goat_aggregate", TORCH_BOX(&goat_forward<Cuda>));
  m.impl("_goat_steps_grad", TORCH_BOX(&goat_steps_grad<Cuda>));
  m.impl("_goat_softmax", TORCH_BOX(&goat_softmax<Cuda>));
  m.impl("_goat_softmax_backward", TORCH_BOX(&goat_softmax_grad<Cuda>));
}

}  // namespace lampyris
