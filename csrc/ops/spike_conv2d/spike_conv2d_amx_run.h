// Forward and gradient of the input over a tile policy; tests instantiate them with their own.
#pragma once

#include "cpu/tile_conv.h"
#include "ops/spike_conv2d/spike_conv2d_amx.h"

namespace lampyris {

inline void check_policy(TilePolicy policy) {
  if (policy != TilePolicy::kEmulated && isa() != Isa::kAmx) {
    fail("spike_conv2d: isa must be amx for tiles, got {}", isa_name(isa()));
  }
}

inline TileMap tile_map(const SpikeConv2dShape& s) {
  return {s.in_height,    s.in_width, s.padding,      s.padding,    s.kernel_height,
          s.kernel_width, s.stride,   s.out_height(), s.out_width()};
}

// Group g of the weights as outputs of the convolution.
inline WeightView<float> forward_weights(const SpikeConv2dShape& s, const float* weight,
                                         int64_t g) {
  const int64_t taps = s.taps(), in = s.group_in();
  return {weight + g * s.group_out() * in * taps,
          s.group_out(),
          in,
          in * taps,
          taps,
          s.kernel_width,
          1};
}

template <int kParts>
TileBuffer<uint16_t> pack_weights(const WeightView<float>& w, const TileConv<Bf16>& conv,
                                  const RunRanges& run) {
  using Pack = PackTileWeights<Bf16, kParts, float>;
  TileBuffer<uint16_t> packed(Pack::elements(w, conv.steps));
  run(0, ceil_div(w.outputs, 32), 1, [&](int64_t begin, int64_t end) {
    dispatch<Pack>(w, conv.steps, conv.pad, conv.map.stride, packed.data(), begin, end);
  });
  return packed;
}

template <class Tiles, int kParts>
struct TiledForward {
  struct Job {
    const SpikeConv2d<float>* args;
    TileConv<Bf16> conv;
    int64_t group;
  };

  template <class Target>
  LAMPYRIS_INLINE static void run(const Job& job, int64_t begin, int64_t end) {
    const SpikeConv2dShape& s = job.args->shape;
    convolve_images<Tiles, TileProduct<Bf16, 1, kParts, kParts>>(
        job.conv, 1, begin, end, [&](int64_t n, uint16_t* out) __attribute__((always_inline)) {
          expand_bits<Target>(job.conv, job.args->words + n * s.image_words(), s.words_per_pixel(),
                              job.group * s.group_in(), s.group_in(), out);
        });
  }
};

template <class Tiles, int kParts>
void tiled_forward(const SpikeConv2d<float>& a, const RunRanges& run) {
  const SpikeConv2dShape& s = a.shape;
  if (s.outputs() == 0) return;
  for (int64_t g = 0; g < s.groups; ++g) {
    typename TiledForward<Tiles, kParts>::Job job{&a, {}, g};
    TileConv<Bf16>& conv = job.conv;
    conv.map = tile_map(s);
    conv.pad = padded_channels(s.group_in());
    conv.steps = tile_steps(conv.map, conv.pad, Bf16::kDepth);
    const auto packed = pack_weights<kParts>(forward_weights(s, a.weight, g), conv, run);
    conv.weights = packed.data();
    conv.weight_bytes = packed.size() * 2;
    conv.outputs = s.group_out();
    conv.bias = a.bias == nullptr ? nullptr : a.bias + g * s.group_out();
    conv.out = a.out + g * s.group_out();
    conv.out_pixel = s.out_channels;
    conv.out_row = s.out_width() * conv.out_pixel;
    conv.out_image = s.out_height() * conv.out_row;
    run(0, s.images * conv.blocks(), 1, [&](int64_t begin, int64_t end) {
      run_tiles<Tiles, TiledForward<Tiles, kParts>>(job, begin, end);
    });
  }
}

// Channels [0, channels) of a float image [height][width][stride] in parts of `part` elements.
template <int kParts>
LAMPYRIS_INLINE void expand_floats(const TileConv<Bf16>& job, const float* image, int64_t stride,
                                   int64_t channels, uint16_t* out) {
  const int64_t part = job.split_elements();
  for (int64_t y = 0; y < job.map.height; ++y) {
    job.map.visit_row(y, [&](int64_t x, int64_t pixel) __attribute__((always_inline)) {
      const float* from = image + (y * job.map.width + x) * stride;
      uint16_t* to = out + pixel * job.pad;
      for (int64_t c = 0; c < channels; c += 16) {
        split_lanes<kParts>(from + c, std::min<int64_t>(16, channels - c), to + c, part);
      }
    });
  }
}

template <class Tiles, int kParts>
struct TiledGradInput {
  struct Job {
    const float* grad;  // of the group
    int64_t image, pixel, channels;
    TileConv<Bf16> conv;
  };

  template <class Target>
  LAMPYRIS_INLINE static void run(const Job& job, int64_t begin, int64_t end) {
    convolve_images<Tiles, TileProduct<Bf16, kParts, kParts, kParts>>(
        job.conv, kParts, begin, end, [&](int64_t n, uint16_t* out) __attribute__((always_inline)) {
          expand_floats<kParts>(job.conv, job.grad + n * job.image, job.pixel, job.channels, out);
        });
  }
};

// Rows (or columns) of dX of remainder `phase` of the bordered input: they meet taps phase, phase +
// stride, ..., a convolution of stride 1 with the taps in reverse.
struct GradPhase {
  int64_t taps, first, count, before;  // taps; dX rows first, first + stride, ...; border before dY

  GradPhase(int64_t phase, int64_t length, int64_t kernel, int64_t stride, int64_t padding) {
    taps = phase < kernel ? ceil_div(kernel - phase, stride) : 0;
    const int64_t start = padding > phase ? ceil_div(padding - phase, stride) : 0;
    first = start * stride + phase - padding;
    count = first < length ? ceil_div(length - first, stride) : 0;
    before = taps - 1 - start;
  }
};

template <class Tiles, int kParts>
void tiled_grad_phase(const SpikeConv2dGradInput& a, int64_t g, int64_t row, int64_t column,
                      const RunRanges& run) {
  const SpikeConv2dShape& s = a.shape;
  const GradPhase v(row, s.in_height, s.kernel_height, s.stride, s.padding);
  const GradPhase h(column, s.in_width, s.kernel_width, s.stride, s.padding);
  if (v.count == 0 || h.count == 0 || v.taps == 0 || h.taps == 0) return;
  const int64_t taps = s.taps(), width = s.kernel_width, in = s.group_in(), out = s.group_out();
  typename TiledGradInput<Tiles, kParts>::Job job{};
  TileConv<Bf16>& conv = job.conv;
  conv.map = {s.out_height(), s.out_width(), v.before, h.before, v.taps, h.taps, 1,
              v.count,        h.count};
  conv.pad = padded_channels(out);
  conv.steps = tile_steps(conv.map, conv.pad, Bf16::kDepth);
  const int64_t last = (row + (v.taps - 1) * s.stride) * width + column + (h.taps - 1) * s.stride;
  const WeightView<float> flipped{a.weight + g * out * in * taps + last,
                                  in,
                                  out,
                                  taps,
                                  in * taps,
                                  -s.stride * width,
                                  -s.stride};
  const auto packed = pack_weights<kParts>(flipped, conv, run);
  conv.weights = packed.data();
  conv.weight_bytes = packed.size() * 2;
  conv.outputs = in;
  conv.out = a.grad_input + (v.first * s.in_width + h.first) * s.in_channels + g * in;
  conv.out_pixel = s.stride * s.in_channels;
  conv.out_row = s.stride * s.in_width * s.in_channels;
  conv.out_image = s.in_height * s.in_width * s.in_channels;
  job.pixel = s.out_channels;
  job.image = s.out_height() * s.out_width() * job.pixel;
  job.grad = a.grad + g * out;
  job.channels = out;
  run(0, s.images * conv.blocks(), 1, [&](int64_t begin, int64_t end) {
    run_tiles<Tiles, TiledGradInput<Tiles, kParts>>(job, begin, end);
  });
}

template <class Tiles, int kParts>
void tiled_grad_input(const SpikeConv2dGradInput& a, const RunRanges& run) {
  const SpikeConv2dShape& s = a.shape;
  const int64_t image = s.in_height * s.in_width * s.in_channels;
  const bool covered = s.outputs() > 0 && s.stride <= std::min(s.kernel_height, s.kernel_width);
  if (!covered) std::fill_n(a.grad_input, s.images * image, 0.0F);  // pixels without a tap
  if (s.outputs() == 0) return;
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t phase = 0; phase < s.stride * s.stride; ++phase) {
      tiled_grad_phase<Tiles, kParts>(a, g, phase / s.stride, phase % s.stride, run);
    }
  }
}

}  // namespace lampyris
