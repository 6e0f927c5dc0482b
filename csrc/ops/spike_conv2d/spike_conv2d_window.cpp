#include "core/neuron.h"
#include "cpu/isa.h"
#include "cpu/kernel_log.h"
#include "ops/spike_conv2d/spike_conv2d_amx.h"
#include "ops/spike_conv2d/spike_conv2d_front.h"
#include "ops/spike_conv2d/spike_conv2d_window.h"

namespace lampyris {

namespace {

// Share of open windows up to which their dot products beat torch's whole dX, 3 x 3 on 64 to 256
// channels, one thread (Zen 5): float32, and bfloat16 against oneDNN's.
constexpr double kBreakEvenFloat32 = 0.45;
constexpr double kBreakEvenBfloat16 = 0.35;
// Where dX runs on matrix tiles. Not measured together: the above, times how much faster than
// oneDNN's float32 tiles were on a Sapphire Rapids class processor (1.5 and 6.5 times).
constexpr double kBreakEvenTilesFloat32 = 0.3;
constexpr double kBreakEvenTilesBfloat16 = 0.1;

double break_even(const SpikeConv2dShape& s, Precision precision, bool narrow) {
  const bool exact = precision == Precision::kFloat32;
  if (grad_input_parts(s, exact) > 0) {
    return exact ? kBreakEvenTilesFloat32 : kBreakEvenTilesBfloat16;
  }
  return narrow ? kBreakEvenBfloat16 : kBreakEvenFloat32;
}

// lampyris::spike_conv2d, whichever backend `words` is on.
Tensor window_conv2d(Tensor words, Tensor carrier, Tensor codes, Tensor weight,
                     std::optional<Tensor> bias, int64_t stride, int64_t padding, int64_t groups,
                     std::string precision) {
  (void)codes;
  using torch::stable::detail::from;
  std::array<StableIValue, 8> stack{from(words),  from(carrier), from(weight), from(bias),
                                    from(stride), from(padding), from(groups), from(precision)};
  STABLE_TORCH_ERROR_CODE_CHECK(
      torch_call_dispatcher("lampyris::spike_conv2d", "", stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

Tensor whole_grad_input(const Tensor& carrier, const Tensor& grad, const Tensor& weight,
                        int64_t stride, int64_t padding, int64_t groups,
                        const std::string& precision) {
  using torch::stable::detail::from;
  std::array<StableIValue, 7> stack{from(carrier), from(grad),   from(weight),   from(stride),
                                    from(padding), from(groups), from(precision)};
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("lampyris::_spike_conv2d_grad_input", "",
                                                      stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

Tensor run_windows(const SpikeConv2dShape& s, const Tensor& codes, int64_t batch,
                   const Tensor& grad, const Tensor& weight, bool narrow) {
  const Tensor dy = in_channels_last(grad), w = torch::stable::contiguous(weight);
  const int64_t row = s.taps() * window_channels(s);
  const Tensor packed =
      empty({s.in_channels, row}, narrow ? ScalarType::BFloat16 : ScalarType::Float, weight);
  const Tensor out = empty_channels_last({s.images, s.in_channels, s.in_height, s.in_width},
                                         ScalarType::Float, grad);
  void* const to = packed.mutable_data_ptr();
  constexpr int64_t kGrainChannels = 8;
  torch::stable::parallel_for(0, s.in_channels, kGrainChannels, [&](int64_t begin, int64_t end) {
    pack_window_weights(s, w.const_data_ptr<float>(), narrow, to, begin, end);
  });
  const WindowGrad a{s,
                     batch,
                     codes.const_data_ptr<uint8_t>(),
                     dy.const_data_ptr<float>(),
                     to,
                     out.mutable_data_ptr<float>()};
  torch::stable::parallel_for(
      0, window_tiles(s, narrow), 1,
      [&](int64_t begin, int64_t end) { window_grad(a, narrow, begin, end); });
  return out;
}

// carrier [T B, C, H, W], codes [ceil(T / 4), B, C, H, W] with C innermost in memory.
Tensor window_grad_input(Tensor carrier, Tensor codes, Tensor grad, Tensor weight, int64_t stride,
                         int64_t padding, int64_t groups, std::string precision) {
  constexpr const char* kOp = "_window_conv2d_grad_input";
  const SpikeConv2dShape s{carrier.size(0), carrier.size(1), carrier.size(2), carrier.size(3),
                           weight.size(0),  weight.size(2),  weight.size(3),  stride,
                           padding,         groups};
  check_grad(kOp, grad, s, weight);
  check_dtype(kOp, "codes", codes, ScalarType::Byte);
  check_device(kOp, "codes", codes, grad);
  const int64_t batch = codes.dim() == 5 ? std::max<int64_t>(codes.size(1), 1) : 1;
  const int64_t steps = s.images / batch;
  const Sizes want{(steps + kStepsPerByte - 1) / kStepsPerByte, batch, s.in_channels, s.in_height,
                   s.in_width};
  if (sizes_of(codes) != want || steps * batch != s.images ||
      !torch::stable::permute(codes, {0, 1, 3, 4, 2}).is_contiguous()) {
    fail("{}: codes must have shape [ceil(T / 4), B, C, H, W] with T B = {}, C innermost, got {}",
         kOp, s.images, shape_text(codes));
  }
  const Precision p = parse_precision(kOp, precision);
  const bool float32 = weight.scalar_type() == ScalarType::Float &&
                       carrier.scalar_type() == ScalarType::Float && weight.is_cpu();
  const bool narrow = p != Precision::kFloat32 && has_avx512_bf16();
  const bool rounds = p == Precision::kBfloat16 && !narrow;
  if (float32 && !rounds && windows_fit(s)) {
    const double open =
        static_cast<double>(count_windows(codes.const_data_ptr<uint8_t>(), codes.numel())) /
        static_cast<double>(carrier.numel());
    if (open < break_even(s, p, narrow)) {
      note_kernel("lif_conv2d dX", narrow ? "windows bfloat16" : "windows float32", open);
      return run_windows(s, codes, batch, grad, weight, narrow);
    }
    note_kernel("lif_conv2d dX", "whole", open);
  }
  return whole_grad_input(carrier, grad, weight, stride, padding, groups, precision);
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  // spike_conv2d of the spikes of lif, whose codes [ceil(T / 4), B, C, H, W] say where its backward
  // reads the gradient of the carrier [T B, C, H, W]; elsewhere that gradient may be 0.
  m.def(
      "_window_conv2d(Tensor words, Tensor carrier, Tensor codes, Tensor weight, Tensor? bias, "
      "int stride, int padding, int groups, str precision) -> Tensor");
  m.def(
      "_window_conv2d_grad_input(Tensor carrier, Tensor codes, Tensor grad, Tensor weight, "
      "int stride, int padding, int groups, str precision) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CompositeExplicitAutograd, m) {
  m.impl("_window_conv2d", TORCH_BOX(&window_conv2d));
  m.impl("_window_conv2d_grad_input", TORCH_BOX(&window_grad_input));
}

}  // namespace lampyris
