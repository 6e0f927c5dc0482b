#include "ops/cuda_stream.h"
#include "ops/spike_linear/spike_linear_front.h"

namespace lampyris {

namespace {

struct Cuda {
  static bool narrow(Precision p) { return p != Precision::kFloat32; }

  template <typename T>
  static Tensor run(const SpikeLinearShape& s, const Tensor& words, const Tensor& weight,
                    const std::optional<Tensor>& bias) {
    const Tensor out = empty({s.rows, s.outputs}, weight.scalar_type(), weight);
    const SpikeLinear<T> a{s.rows,
                           s.inputs,
                           s.outputs,
                           words_of(words),
                           weight.const_data_ptr<T>(),
                           bias.has_value() ? bias->const_data_ptr<T>() : nullptr,
                           out.mutable_data_ptr<T>()};
    spike_linear_cuda(a, OnDevice(words).stream());
    return out;
  }

  static Tensor forward(const SpikeLinearShape& s, const Tensor& words, const Tensor& weight,
                        const std::optional<Tensor>& bias, Precision p) {
    const ScalarType type = weight.scalar_type();
    const bool round = type == ScalarType::Float && p == Precision::kBfloat16;
    const Tensor w = torch::stable::contiguous(as_operand(weight, type, round));
    return type == ScalarType::Double ? run<double>(s, words, w, bias)
                                      : run<float>(s, words, w, bias);
  }

  static Tensor grad_weight(const SpikeLinearShape& s, const Tensor& words, const Tensor& grad,
                            Precision p) {
    const ScalarType type = grad.scalar_type();
    const bool fast = type == ScalarType::Float && narrow(p);
    const ScalarType operand = fast ? ScalarType::BFloat16 : type;
    const Tensor g = torch::stable::transpose(cast(grad, operand), 0, 1);
    return cast(torch::stable::matmul(g, dense_spikes(words, s, operand)), type);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lampyris, CUDA, m) {
  m.impl("spike_linear", TORCH_BOX(&spike_linear<Cuda>));
  m.impl("_spike_linear_grad_weight", TORCH_BOX(&spike_linear_grad_weight<Cuda>));
  m.impl("_spike_linear_grad_input", TORCH_BOX(&spike_linear_grad_input<Cuda>));
}

}  // namespace lampyris
