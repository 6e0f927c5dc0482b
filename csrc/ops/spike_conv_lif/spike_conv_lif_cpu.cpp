#include <algorithm>

#include "cpu/aligned.h"
#include "cpu/bits.h"
#include "cpu/dispatch.h"
#include "cpu/spike_sums.h"
#include "ops/spike_conv2d/spike_conv2d_event.h"
#include "ops/spike_conv_lif/spike_conv_lif_step.h"

namespace lampyris {

namespace {

// Neurons of a tile: 64 KB of currents and 64 KB of membranes.
constexpr int64_t kTileNeurons = 1 << 14;

int64_t tile_rows(const SpikeConvLif& a) {
  const int64_t row = a.conv.out_width() * a.conv.out_channels;
  return std::clamp<int64_t>(kTileNeurons / std::max<int64_t>(row, 1), 1, a.conv.out_height());
}

int64_t tiles_of_image(const SpikeConvLif& a) {
  return (a.conv.out_height() + tile_rows(a) - 1) / tile_rows(a);
}

// Pixels of one step: `first` is the place of their first value in [T, B, H', W', Co].
struct Pixels {
  const void* sums;
  float* membrane;
  int64_t first, count;
};

template <CurrentForm kForm, Reset kReset>
struct Fire {
  using Types = CurrentTypes<kForm>;
  using Sum = typename Types::Sum;
  using Bias = typename Types::Bias;
  using Stream = typename Types::Stream;

  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeConvLif& a, const Pixels& p) {
    const int64_t channels = a.conv.out_channels;
    const auto* sums = static_cast<const Sum*>(p.sums);
    uint32_t* out = a.out + p.first / channels * a.out_words();
    for (int64_t pixel = 0; pixel < p.count; ++pixel) {
      for (int64_t c = 0; c < channels; c += 32, ++out) {
        const int64_t at = pixel * channels + c;
        alignas(64) float spikes[32];
        if (channels - c >= 32) {
          lanes(a, c, 32, sums + at, p.membrane + at, p.first + at, spikes);
          *out = pack_word(Target{}, spikes);
        } else {
          std::fill_n(spikes, 32, 0.0F);
          lanes(a, c, channels - c, sums + at, p.membrane + at, p.first + at, spikes);
          *out = pack_word(Target{}, spikes);
        }
      }
    }
  }

  LAMPYRIS_INLINE static void lanes(const SpikeConvLif& a, int64_t c, int64_t count,
                                    const Sum* sums, float* membrane, int64_t place,
                                    float* spikes) {
    static constexpr Bias kNoBias[32] = {};
    static constexpr Stream kNoResidual[32] = {};
    const Bias* bias = a.bias == nullptr ? kNoBias : static_cast<const Bias*>(a.bias) + c;
    const Stream* residual =
        a.residual == nullptr ? kNoResidual : static_cast<const Stream*>(a.residual) + place;
    auto* stream = static_cast<Stream*>(a.stream) + place;
    const float* scale = kForm == CurrentForm::kScaled ? a.scale.values + c : nullptr;
    Stream current[32];
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
      const float factor = kForm == CurrentForm::kScaled ? scale[i] : 0.0F;
      current[i] = current_of<kForm>(sums[i], a.shift, factor, bias[i], residual[i]);
    }
    if (a.stream != nullptr) std::copy_n(current, count, stream);
    const float* decay = a.decay.values + c;
    const float* threshold = a.threshold.values + c;
    const float* gain = a.gain.values + c;
#pragma GCC ivdep
    for (int64_t i = 0; i < count; ++i) {
      float v = membrane[i];
      const bool spike = fire_step<kForm, kReset>(static_cast<float>(current[i]), decay[i],
                                                  threshold[i], gain[i], a.v_reset, a.inclusive, v);
      spikes[i] = spike ? 1.0F : 0.0F;
      membrane[i] = v;
    }
  }
};

template <CurrentForm kForm>
void fire(const SpikeConvLif& a, const Pixels& p) {
  switch (a.reset) {
    case Reset::kHard:
      return dispatch<Fire<kForm, Reset::kHard>>(a, p);
    case Reset::kSoft:
      return dispatch<Fire<kForm, Reset::kSoft>>(a, p);
    case Reset::kNone:
      return dispatch<Fire<kForm, Reset::kNone>>(a, p);
  }
}

// The currents' sums of output rows [y, stop) of image n into `sums`.
void float_sums(const SpikeConvLif& a, const float* rows, int64_t n, int64_t y, int64_t stop,
                float* sums) {
  const int64_t first = n * a.conv.out_height() + y, last = first + stop - y;
  // The kernels number rows over all images: out is where row 0 would be.
  float* out = sums - first * a.conv.out_width() * a.conv.out_channels;
  const SpikeConv2d<float> conv{a.conv, a.words, static_cast<const float*>(a.weight),
                                static_cast<const float*>(a.bias), out};
  if (rows != nullptr) {
    spike_conv2d_event(conv, rows, first, last);
  } else {
    spike_conv2d_rows(conv, first, last);
  }
}

}  // namespace

int64_t spike_conv_lif_tiles(const SpikeConvLif& a) { return a.batch * tiles_of_image(a); }

void spike_conv_lif(const SpikeConvLif& a, const SpikeWeights* int8, const float* rows,
                    int64_t begin, int64_t end) {
  const int64_t height = tile_rows(a), per_image = tiles_of_image(a);
  const int64_t row = a.conv.out_width() * a.conv.out_channels;
  Aligned<float> membranes, floats;
  Aligned<int32_t> integers;
  float* const membrane = membranes.reserve(height * row);
  float* const real = int8 == nullptr ? floats.reserve(height * row) : nullptr;
  int32_t* const exact = int8 == nullptr ? nullptr : integers.reserve(height * row);
  SpikeTile tile;
  for (int64_t k = begin; k < end; ++k) {
    const int64_t b = k / per_image, y = k % per_image * height;
    const int64_t stop = std::min(y + height, a.conv.out_height()), size = (stop - y) * row;
    const int64_t state = (b * a.conv.out_height() + y) * row;
    if (a.v_init == nullptr) {
      std::fill_n(membrane, size, 0.0F);
    } else {
      std::copy_n(a.v_init + state, size, membrane);
    }
    for (int64_t t = 0; t < a.steps; ++t) {
      const int64_t n = t * a.batch + b;
      const int64_t first = (n * a.conv.out_height() + y) * row;
      if (int8 != nullptr) {
        tile.load(*int8, a.words + n * a.conv.image_words(), y, stop);
        tile.sums(*int8, y, stop, exact, a.conv.out_channels);
      } else {
        float_sums(a, rows, n, y, stop, real);
      }
      const int64_t pixels = (stop - y) * a.conv.out_width();
      switch (a.form) {
        case CurrentForm::kFloat:
          fire<CurrentForm::kFloat>(a, {real, membrane, first, pixels});
          break;
        case CurrentForm::kExact:
          fire<CurrentForm::kExact>(a, {exact, membrane, first, pixels});
          break;
        case CurrentForm::kScaled:
          fire<CurrentForm::kScaled>(a, {exact, membrane, first, pixels});
          break;
      }
    }
    if (a.membrane != nullptr) std::copy_n(membrane, size, a.membrane + state);
  }
}

}  // namespace lampyris
