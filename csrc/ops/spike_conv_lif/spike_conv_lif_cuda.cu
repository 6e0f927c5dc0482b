// One warp a pixel and 32 output channels, over all steps: the lanes share the window's spikes, the
// membrane stays in a register and the spikes of the warp are one word. Nothing but bits is written
// (12.5 bytes of float currents a neuron-step are saved) unless a stream is asked for.
#include "ops/launch.cuh"
#include "ops/spike_conv_lif/spike_conv_lif_step.h"

namespace lampyris {

namespace {

// 64 registers a thread: without this ptxas aims at more blocks and spills.
constexpr int kBlocksPerProcessor = 4;

// The shape in 32 bits, with what would cost 64-bit divisions in every thread.
struct Geometry {
  int in_height, in_width, height, width, outputs, group_in, group_out, taps, kernel_width;
  int stride, padding, in_words, out_words;
};

Geometry geometry_of(const SpikeConvLif& a) {
  const SpikeConv2dShape& s = a.conv;
  const auto narrow = [](int64_t n) { return static_cast<int>(n); };
  return {narrow(s.in_height),    narrow(s.in_width),  narrow(s.out_height()),
          narrow(s.out_width()),  narrow(s.out_channels), narrow(s.group_in()),
          narrow(s.group_out()),  narrow(s.taps()),    narrow(s.kernel_width),
          narrow(s.stride),       narrow(s.padding),   narrow(s.words_per_pixel()),
          narrow(a.out_words())};
}

template <CurrentForm kForm>
__device__ __forceinline__ typename CurrentTypes<kForm>::Sum window_sum(
    const SpikeConvLif& a, const Geometry& g, const uint32_t* image, int o, int y, int x) {
  using Sum = typename CurrentTypes<kForm>::Sum;
  const int first = o / g.group_out * g.group_in, last = first + g.group_in;
  const int64_t row = static_cast<int64_t>(o) * g.group_in * g.taps;
  Sum sum = 0;
  if constexpr (kForm == CurrentForm::kFloat) {
    if (a.bias != nullptr) sum = static_cast<const float*>(a.bias)[o];
  }
  for (int tap = 0; tap < g.taps; ++tap) {
    const int iy = y * g.stride - g.padding + tap / g.kernel_width;
    const int ix = x * g.stride - g.padding + tap % g.kernel_width;
    if (iy < 0 || iy >= g.in_height || ix < 0 || ix >= g.in_width) continue;
    const uint32_t* pixel = image + static_cast<int64_t>(iy * g.in_width + ix) * g.in_words;
    for (int w = first / kWarp; w * kWarp < last; ++w) {
      for (uint32_t bits = pixel[w]; bits != 0; bits &= bits - 1) {
        const int c = w * kWarp + __ffs(static_cast<int>(bits)) - 1;
        if (c < first || c >= last) continue;
        const int64_t at = row + (c - first) * g.taps + tap;
        if constexpr (kForm == CurrentForm::kFloat) {
          sum += static_cast<const float*>(a.weight)[at];
        } else {
          sum += static_cast<const int8_t*>(a.weight)[at];
        }
      }
    }
  }
  return sum;
}

// Grid: warps of an image, batch elements.
template <CurrentForm kForm, Reset kReset>
__global__ void __launch_bounds__(kBlockThreads, kBlocksPerProcessor)
    conv_lif_kernel(const SpikeConvLif a, const Geometry g) {
  using Bias = typename CurrentTypes<kForm>::Bias;
  using Stream = typename CurrentTypes<kForm>::Stream;
  const int warp = static_cast<int>(global_thread() / kWarp);
  const int pixels = g.height * g.width;
  if (warp >= pixels * g.out_words) return;
  const int pixel = warp / g.out_words, word = warp % g.out_words;
  const int o = word * kWarp + static_cast<int>(threadIdx.x % kWarp);
  const bool live = o < g.outputs;
  const int64_t b = blockIdx.y, step = a.batch * pixels;
  const int64_t place = b * pixels + pixel;  // among the pixels of a step
  const int64_t neuron = place * g.outputs + o;
  const float decay = live ? a.decay.at(o) : 0.0F, gain = live ? a.gain.at(o) : 0.0F;
  const float threshold = live ? a.threshold.at(o) : 0.0F, scale = live ? a.scale.at(o) : 0.0F;
  const int64_t image_words = static_cast<int64_t>(g.in_height) * g.in_width * g.in_words;
  float v = live && a.v_init != nullptr ? a.v_init[neuron] : 0.0F;
  for (int64_t t = 0; t < a.steps; ++t) {
    bool spike = false;
    if (live) {
      const int64_t here = t * step * g.outputs + neuron;
      const uint32_t* image = a.words + (t * a.batch + b) * image_words;
      const auto sum = window_sum<kForm>(a, g, image, o, pixel / g.width, pixel % g.width);
      const Bias bias = a.bias == nullptr ? Bias(0) : static_cast<const Bias*>(a.bias)[o];
      const Stream residual =
          a.residual == nullptr ? Stream(0) : static_cast<const Stream*>(a.residual)[here];
      const Stream current = current_of<kForm>(sum, a.shift, scale, bias, residual);
      if (a.stream != nullptr) static_cast<Stream*>(a.stream)[here] = current;
      spike = fire_step<kForm, kReset>(static_cast<float>(current), decay, threshold, gain,
                                       a.v_reset, a.inclusive, v);
    }
    const unsigned fired = __ballot_sync(0xFFFFFFFFU, spike);
    if (threadIdx.x % kWarp == 0) a.out[(t * step + place) * g.out_words + word] = fired;
  }
  if (live && a.membrane != nullptr) a.membrane[neuron] = v;
}

template <CurrentForm kForm>
void launch(const SpikeConvLif& a, cudaStream_t stream) {
  const Geometry g = geometry_of(a);
  const int64_t warps = static_cast<int64_t>(g.height) * g.width * g.out_words;
  const dim3 grid(blocks_for(warps * kWarp), static_cast<unsigned>(a.batch));
  switch (a.reset) {
    case Reset::kHard:
      conv_lif_kernel<kForm, Reset::kHard><<<grid, kBlockThreads, 0, stream>>>(a, g);
      break;
    case Reset::kSoft:
      conv_lif_kernel<kForm, Reset::kSoft><<<grid, kBlockThreads, 0, stream>>>(a, g);
      break;
    case Reset::kNone:
      conv_lif_kernel<kForm, Reset::kNone><<<grid, kBlockThreads, 0, stream>>>(a, g);
      break;
  }
  check_launch("spike_conv_lif");
}

}  // namespace

void spike_conv_lif_cuda(const SpikeConvLif& a, CUstream_st* stream) {
  switch (a.form) {
    case CurrentForm::kFloat:
      return launch<CurrentForm::kFloat>(a, stream);
    case CurrentForm::kExact:
      return launch<CurrentForm::kExact>(a, stream);
    case CurrentForm::kScaled:
      return launch<CurrentForm::kScaled>(a, stream);
  }
}

}  // namespace lampyris
