#include "cpu/isa.h"
#include "cpu/kernel_log.h"
#include "ops/spike_conv2d/spike_conv2d_amx_front.h"
#include "ops/spike_linear/spike_linear_front.h"

namespace lampyris {

namespace {

// Density up to which events beat torch's product, measured on 1024 x 1024 x 1024 and 2048 x 512 x
// 512 on one thread (Zen 5, AVX-512): against float32 and against bfloat16 of processors that have
// it.
constexpr double kBreakEvenFloat32 = 0.55;
constexpr double kBreakEvenBfloat16 = 0.15;
constexpr int64_t kGrainRows = 64;

// float [rows, columns] = spikes [rows, depth] times the matrix [depth, columns].
Tensor event_gemm(const Tensor& words, int64_t rows, int64_t depth, int64_t columns,
                  const MatrixView& matrix, const std::optional<Tensor>& bias, bool to_bfloat16) {
  const int64_t blocks = event_blocks(columns);
  const Tensor packed = empty({blocks * depth * kEventBlock}, ScalarType::Float, words);
  const Tensor out = empty({rows, columns}, ScalarType::Float, words);
  const EventGemm g{rows,
                    depth,
                    columns,
                    words_of(words),
                    packed.const_data_ptr<float>(),
                    bias.has_value() ? bias->const_data_ptr<float>() : nullptr,
                    out.mutable_data_ptr<float>()};
  float* const to = packed.mutable_data_ptr<float>();
  torch::stable::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    pack_event_blocks(matrix, depth, columns, to_bfloat16, to, begin, end);
  });
  torch::stable::parallel_for(0, rows, kGrainRows, [&](int64_t begin, int64_t end) {
    event_gemm_rows(g, begin, end);
  });
  return out;
}

Tensor transposed_words(const Tensor& words, const SpikeLinearShape& s) {
  const Tensor out = empty({s.inputs, (s.rows + 31) / 32}, ScalarType::Int, words);
  auto* const to = reinterpret_cast<uint32_t*>(out.mutable_data_ptr<int32_t>());
  torch::stable::parallel_for(0, s.words_per_row(), 1, [&](int64_t begin, int64_t end) {
    transpose_words(words_of(words), s.rows, s.inputs, to, begin, end);
  });
  return out;
}

Tensor transposed(const Tensor& in) {
  const int64_t rows = in.size(0), columns = in.size(1);
  const Tensor out = empty({columns, rows}, ScalarType::Float, in);
  torch::stable::parallel_for(0, (columns + 15) / 16, 4, [&](int64_t begin, int64_t end) {
    transpose_matrix(in.const_data_ptr<float>(), rows, columns, out.mutable_data_ptr<float>(),
                     begin, end);
  });
  return out;
}

// The product as a convolution under a kernel of one pixel, for matrix tiles: maps of kGrainRows
// rows where that divides them, so that threads share them.
SpikeConv2dShape as_convolution(const SpikeLinearShape& s) {
  SpikeConv2dShape c;
  c.images = s.rows % kGrainRows == 0 ? s.rows / kGrainRows : 1;
  c.in_height = s.rows / std::max<int64_t>(1, c.images);
  c.in_width = c.kernel_height = c.kernel_width = 1;
  c.in_channels = s.inputs;
  c.out_channels = s.outputs;
  return c;
}

struct Cpu {
  static bool narrow(Precision p) { return p != Precision::kFloat32 && has_avx512_bf16(); }

  static double density(const SpikeLinearShape& s, const Tensor& words) {
    const double spikes = static_cast<double>(count_spikes(words_of(words), words.numel()));
    return spikes / static_cast<double>(std::max<int64_t>(1, s.rows * s.inputs));
  }

  static bool events_win(double density, ScalarType type, bool narrow) {
    return type == ScalarType::Float && density < (narrow ? kBreakEvenBfloat16 : kBreakEvenFloat32);
  }

  static void note(const char* op, bool events, ScalarType type, double density) {
    const std::string kernel = events ? "event float32 " + std::string(isa_name(isa()))
                                      : "torch " + dtype_text(type);
    note_kernel(op, kernel, density);
  }

  static Tensor forward(const SpikeLinearShape& s, const Tensor& words, const Tensor& weight,
                        const std::optional<Tensor>& bias, Precision p) {
    const ScalarType type = weight.scalar_type();
    const bool round = type == ScalarType::Float && p == Precision::kBfloat16;
    const bool narrow = round && has_avx512_bf16();
    const double share = density(s, words);
    if (type == ScalarType::Float && s.rows > 0 && tile_policy() != TilePolicy::kNone) {
      const Tensor w = torch::stable::contiguous(weight);
      const Tensor out = empty({s.rows, s.outputs}, type, words);
      if (tiles_forward({as_convolution(s), words_of(words), w.const_data_ptr<float>(),
                         bias.has_value() ? bias->const_data_ptr<float>() : nullptr,
                         out.mutable_data_ptr<float>()},
                        p, share, "spike_linear")) {
        return out;
      }
    }
    const bool events = events_win(share, type, narrow);
    const ScalarType operand = narrow ? ScalarType::BFloat16 : type;
    note("spike_linear", events, operand, share);
    if (events) {
      const Tensor w = torch::stable::contiguous(weight);
      const MatrixView matrix{w.const_data_ptr<float>(), 1, s.inputs};
      return event_gemm(words, s.rows, s.inputs, s.outputs, matrix, bias, round);
    }
    std::optional<Tensor> b;
    if (bias.has_value()) b = cast(*bias, operand);
    const Tensor w = as_operand(weight, operand, round);
    return cast(linear(dense_spikes(words, s, operand), w, b), type);
  }

  static Tensor grad_weight(const SpikeLinearShape& s, const Tensor& words, const Tensor& grad,
                            Precision p) {
    const ScalarType type = grad.scalar_type();
    const bool round = type == ScalarType::Float && p == Precision::kBfloat16;
    const bool fast = type == ScalarType::Float && narrow(p);
    const double share = density(s, words);
    if (type == ScalarType::Float && s.rows > 0 && tile_policy() != TilePolicy::kNone) {
      const Tensor out = empty({s.outputs, s.inputs}, type, grad);
      if (tiles_grad_weight({as_convolution(s), words_of(words), grad.const_data_ptr<float>(),
                             out.mutable_data_ptr<float>()},
                            p, share, "_spike_linear_grad_weight")) {
        return out;
      }
    }
    const bool events = events_win(share, type, fast);
    const ScalarType operand = fast ? ScalarType::BFloat16 : type;
    note("_spike_linear_grad_weight", events, operand, share);
    if (events && s.rows > 0) {
      const MatrixView matrix{grad.const_data_ptr<float>(), s.outputs, 1};
      return transposed(event_gemm(transposed_words(words, s), s.inputs, s.rows, s.outputs, matrix,
                                   std::nullopt, round));
    }
    const Tensor g = torch::stable::transpose(as_operand(grad, operand, round || fast), 0, 1);
    return cast(torch::stable::matmul(g, dense_spikes(words, s, operand)), type);
  }
};

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // words [M, ceil(K / 32)], carrier [M, K], weight [N, K], bias [N]; returns [M, N].
  m.def(
      "spike_linear(Tensor words, Tensor carrier, Tensor weight, Tensor? bias, str precision) -> "
      "Tensor");
  m.def(
      "_spike_linear_grad_weight(Tensor words, Tensor carrier, Tensor grad, Tensor weight, str "
      "precision) -> Tensor");
  m.def("_spike_linear_grad_input(Tensor grad, Tensor weight, str precision) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CPU, m) {
  m.impl("spike_linear", TORCH_BOX(&spike_linear<Cpu>));
  m.impl("_spike_linear_grad_weight", TORCH_BOX(&spike_linear_grad_weight<Cpu>));
  m.impl("_spike_linear_grad_input", TORCH_BOX(&spike_linear_grad_input<Cpu>));
}

}  // namespace lampyris
