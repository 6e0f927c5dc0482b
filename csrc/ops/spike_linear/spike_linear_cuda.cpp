#include "ops/cuda_stream.h"
#include "ops/spike_gemm.h"
#include "ops/spike_linear/spike_linear_front.h"

namespace lampyris {

namespace {

struct Cuda {
  static bool narrow(Precision p) { return p != Precision::kFloat32; }

  template <typename T>
  static SpikeLinear<T> problem(const SpikeLinearShape& s, const Tensor& words, const Tensor& weight,
                                const std::optional<Tensor>& bias, const Tensor& out) {
    return {s.rows,
            s.inputs,
            s.outputs,
            words_of(words),
            weight.const_data_ptr<T>(),
            bias.has_value() ? bias->const_data_ptr<T>() : nullptr,
            out.mutable_data_ptr<T>()};
  }

  static Tensor forward(const SpikeLinearShape& s, const Tensor& words, const Tensor& weight,
                        const std::optional<Tensor>& bias, Precision p) {
    const ScalarType type = weight.scalar_type();
    const Tensor w = torch::stable::contiguous(weight), out = empty({s.rows, s.outputs}, type, w);
    const OnDevice device(words);
    if (type == ScalarType::Double) {
      spike_linear_cuda(problem<double>(s, words, w, bias, out), device.stream());
      return out;
    }
    const bool narrow = p == Precision::kBfloat16;
    const SpikeGemm g{s.rows, s.outputs, s.words_per_row()};
    const int64_t terms = narrow ? 1 : 3;
    const Tensor packed = empty({g.depth_words * kGemmDepth * g.padded_columns() * terms},
                                ScalarType::Short, words);
    spike_linear_gemm_cuda(problem<float>(s, words, w, bias, out), narrow,
                           reinterpret_cast<uint16_t*>(packed.mutable_data_ptr<int16_t>()),
                           device.stream());
    return out;
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
