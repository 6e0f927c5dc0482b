#include "ops/cuda_stream.h"
#include "ops/tdbn_add/tdbn_add_lif_front.h"

namespace lampyris {

namespace {

template <typename T>
Tensor partial_sums(const TdbnInput<T>& a, const Tensor& x) {
  return empty({tdbn_cuda_partial(a)}, ScalarType::Double, x);
}

struct Cuda {
  template <typename T>
  static void stats(const TdbnInput<T>& a, double* sums, const Tensor& x) {
    const Tensor partial = partial_sums(a, x);
    tdbn_stats_cuda(a, partial.mutable_data_ptr<double>(), sums, OnDevice(x).stream());
  }

  template <typename T>
  static void moments(const double* sums, int64_t channels, double momentum, double eps,
                      T* running_mean, T* running_var, double* out, const Tensor& x) {
    tdbn_moments_cuda(sums, channels, momentum, eps, running_mean, running_var, out,
                      OnDevice(x).stream());
  }

  template <typename T>
  static void forward_constants(const double* moments, const T* weight, const T* bias,
                                int64_t channels, T* scale, T* shift, const Tensor& x) {
    tdbn_forward_constants_cuda(moments, weight, bias, channels, scale, shift,
                                OnDevice(x).stream());
  }

  template <typename T>
  static void means(const double* moments, int64_t channels, T* mean, const Tensor& x) {
    T* const none = nullptr;
    backward_constants(moments, static_cast<const T*>(none), nullptr, channels, none, none, none,
                       mean, x);
  }

  template <typename T>
  static void backward_constants(const double* moments, const T* weight, const double* sums,
                                 int64_t channels, T* a, T* b, T* d, T* mean, const Tensor& x) {
    tdbn_backward_constants_cuda(moments, weight, sums, channels, a, b, d, mean,
                                 OnDevice(x).stream());
  }

  template <typename T>
  static void add(const TdbnForward<T>& a, const Tensor& x) {
    tdbn_add_cuda(a, OnDevice(x).stream());
  }

  template <typename T>
  static void add_lif(const TdbnForward<T>& a, const LifForward<T>& lif, const Tensor& x) {
    tdbn_add_lif_cuda(a, lif, OnDevice(x).stream());
  }

  static void repack(const uint32_t* plane, const SpikeShape& s, uint32_t* words, const Tensor& x) {
    repack_plane_cuda(plane, s, words, OnDevice(x).stream());
  }

  template <typename T>
  static void grad_sums(const TdbnGradSums<T>& a, const Steps<T>& dz, double* sums,
                        const Tensor& x) {
    const Tensor partial = partial_sums(a, x);
    tdbn_grad_sums_cuda(a, dz, partial.mutable_data_ptr<double>(), sums, OnDevice(x).stream());
  }

  template <typename T>
  static void lif_grad_sums(const TdbnGradSums<T>& a, const LifBackward<T>& lif, double* sums,
                            const Tensor& x) {
    const OnDevice device(x);
    lif_backward_cuda(lif, device.stream());
    if (a.grad_stream.data != nullptr) tdbn_add_steps_cuda(a, lif.grad_x, device.stream());
    grad_sums(a, Steps<T>{lif.grad_x, a.neurons}, sums, x);
  }

  template <typename T>
  static void grad(const TdbnBackward<T>& a, const Tensor& x) {
    tdbn_grad_cuda(a, OnDevice(x).stream());
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("_tdbn_stats", TORCH_BOX(&tdbn_stats<Cuda>));
  m.impl("_tdbn_moments", TORCH_BOX(&tdbn_moments<Cuda>));
  m.impl("tdbn_add", TORCH_BOX(&tdbn_add<Cuda>));
  m.impl("tdbn_add_lif", TORCH_BOX(&tdbn_add_lif<Cuda>));
  m.impl("_tdbn_grad_sums", TORCH_BOX(&tdbn_grad_sums<Cuda>));
  m.impl("_tdbn_lif_grad_sums", TORCH_BOX(&tdbn_lif_grad_sums<Cuda>));
  m.impl("_tdbn_grad", TORCH_BOX(&tdbn_grad<Cuda>));
  m.impl("_tdbn_grad_", TORCH_BOX(&tdbn_grad_in_place<Cuda>));
}

}  // namespace lampyris
