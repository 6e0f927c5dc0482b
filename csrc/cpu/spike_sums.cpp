#include "cpu/spike_sums.h"

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "cpu/dispatch.h"
#include "cpu/spike_sums_amx.h"
#include "cpu/spike_sums_kernels.h"
#include "cpu/tile_policy.h"

namespace lampyris {

namespace {

// Densities from which VNNI wins over events (3 x 3, 64 to 256 outputs; one core of a Zen 5).
constexpr double kVnniDensity = 0.25;

// Likewise matrix tiles over events: below 1 to 4 % where 64 to 256 outputs were measured, one core
// of a Sapphire Rapids class processor; groups narrower than half a step leave tiles empty.
constexpr double kTilesDensity = 0.02;
constexpr int64_t kTilesChannels = 32;

// Lists and expanded rows stay in L1 or L2.
constexpr int64_t kRowsAtOnce = 8;

struct CountBits {
  template <class Target>
  LAMPYRIS_INLINE static void run(const uint32_t* words, int64_t count, int64_t* total) {
    int64_t sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += std::popcount(words[i]);
    *total = sum;
  }
};

// As many as stay in registers, and offsets of the lists below 2^31.
int64_t most_event_vectors(const SpikeWeights& w) {
  const SpikeSums& s = w.shape();
  const int64_t most = isa() >= Isa::kAvx512 ? kSumVectors : (isa() == Isa::kAvx2 ? 2 : 1);
  const int64_t bytes = s.width * s.kernel_height * w.row_words() * 32 * kSumLanes;
  const int64_t fit = ((int64_t{1} << 31) - 1) / std::max<int64_t>(bytes, 1);
  if (fit < 1) {
    fail("spike sums: width x kernel height x channels must stay below 2^25, got {} x {} x {}",
         s.width, s.kernel_height, s.group_channels());
  }
  return std::min(most, fit);
}

// (P << shift) + bias of pixels in place; int32 wraps, as everywhere in two's complement.
struct Finish {
  template <class Target>
  LAMPYRIS_INLINE static void run(const SpikeSumsJob& job, int64_t pixels, int32_t* out) {
    const int64_t outputs = job.weights->shape().outputs;
    for (int64_t p = 0; p < pixels; ++p, out += outputs) {
      for (int64_t o = 0; o < outputs; ++o) {
        const uint32_t bias = job.bias == nullptr ? 0 : static_cast<uint32_t>(job.bias[o]);
        out[o] = static_cast<int32_t>((static_cast<uint32_t>(out[o]) << job.shift) + bias);
      }
      if (!job.as_float) continue;
      for (int64_t o = 0; o < outputs; ++o) {
        out[o] = std::bit_cast<int32_t>(static_cast<float>(out[o]));
      }
    }
  }
};

}  // namespace

std::string_view sums_kernel_name(SumsKernel kernel) {
  switch (kernel) {
    case SumsKernel::kEvent:
      return "event int8";
    case SumsKernel::kChannel:
      return "channel int8";
    case SumsKernel::kTiles:
      return tile_policy() == TilePolicy::kEmulated ? "amx int8 emulated" : "amx int8";
    default:
      return "vnni int8";
  }
}

double spike_density(const SpikeSums& s, const uint32_t* spikes, int64_t images) {
  int64_t ones = 0;
  dispatch<CountBits>(spikes, images * s.image_words(), &ones);
  const int64_t places = images * s.height * s.width * s.channels;
  return places == 0 ? 0.0 : static_cast<double>(ones) / static_cast<double>(places);
}

SumsKernel choose_sums_kernel(const SpikeSums& s, double density) {
  if (s.groups > 1 && s.group_channels() == 1 && s.group_outputs() == 1 &&
      s.taps() <= kChannelTaps) {
    return SumsKernel::kChannel;
  }
  if (tile_policy() != TilePolicy::kNone && s.group_channels() >= kTilesChannels &&
      density >= kTilesDensity) {
    return SumsKernel::kTiles;
  }
  if (s.groups == 1 && s.kernel_height <= kVnniKernel && density > kVnniDensity &&
      vnni_sums_available()) {
    return SumsKernel::kVnni;
  }
  return SumsKernel::kEvent;
}

SpikeWeights::SpikeWeights(const SpikeSums& s, SumsKernel kernel) : shape_(s), kernel_(kernel) {
  if (kernel == SumsKernel::kChannel) {
    lanes_ = (s.channels + kChannelLanes - 1) / kChannelLanes * kChannelLanes;
    blocks_ = 1;
    std::fill_n(rows_.reserve(s.taps() * lanes_), s.taps() * lanes_, int16_t{0});
    return;
  }
  if (kernel == SumsKernel::kTiles) {
    bytes_.reserve(s.groups * tiled_sums_weight_bytes(s));
    return;
  }
  const int64_t unit = kernel == SumsKernel::kVnni ? kVnniLanes : kSumLanes;
  const int64_t most = kernel == SumsKernel::kVnni ? kSumVectors : most_event_vectors(*this);
  const int64_t vectors = (s.group_outputs() + unit - 1) / unit;
  blocks_ = (vectors + most - 1) / most;
  lanes_ = (vectors + blocks_ - 1) / blocks_ * unit;
  if (kernel == SumsKernel::kVnni) {
    bytes_.reserve(blocks_ * s.taps() * quads() * lanes_ * 4);
  } else {
    bytes_.reserve(s.groups * blocks_ * block_bytes());
  }
}

void SpikeWeights::pack(const int8_t* weight, int64_t begin, int64_t end) {
  for (int64_t part = begin; part < end; ++part) {
    switch (kernel_) {
      case SumsKernel::kEvent:
        pack_rows(weight, part);
        break;
      case SumsKernel::kChannel:
        pack_channels(weight);
        break;
      case SumsKernel::kVnni:
        pack_bytes(weight, part);
        break;
      case SumsKernel::kTiles:
        pack_tiled_sums(shape_, weight, bytes_.data());
        break;
    }
  }
}

void SpikeTile::load(const SpikeWeights& w, const uint32_t* image, int64_t begin, int64_t end) {
  image_ = image;
  first_ = begin;
  rows_ = end - begin;
  if (w.kernel() == SumsKernel::kEvent) load_events(*this, w, begin, end);
  if (w.kernel() == SumsKernel::kVnni) load_bytes(*this, w, begin, end);
  if (w.kernel() == SumsKernel::kTiles) {
    const SpikeSums& s = w.shape();
    expand_tiled_sums(s, image, begin, rows_,
                      bytes_.reserve(s.groups * tiled_sums_map_bytes(s, rows_)));
  }
}

void SpikeTile::sums(const SpikeWeights& w, int64_t begin, int64_t end, int32_t* out,
                     int64_t pitch) const {
  switch (w.kernel()) {
    case SumsKernel::kEvent:
      return event_sums(*this, w, begin, end, out, pitch);
    case SumsKernel::kChannel:
      return channel_sums(*this, w, begin, end, out, pitch);
    case SumsKernel::kVnni:
      return vnni_sums(*this, w, begin, end, out, pitch);
    case SumsKernel::kTiles:
      return tiled_sums(
          {&w.shape(), w.bytes(), bytes_.data(), first_, rows_, begin, end, out, pitch});
  }
}

void spike_sums_rows(const SpikeSumsJob& job, int64_t begin, int64_t end) {
  const SpikeSums& s = job.weights->shape();
  const int64_t rows =
      job.weights->kernel() == SumsKernel::kTiles ? tiled_sums_rows(s) : kRowsAtOnce;
  SpikeTile tile;
  for (int64_t r = begin; r < end;) {
    const int64_t n = r / s.out_height, y = r % s.out_height;
    const int64_t stop = std::min({s.out_height, y + end - r, y + rows});
    tile.load(*job.weights, job.spikes + n * s.image_words(), y, stop);
    int32_t* out = job.out + r * s.out_width * s.outputs;
    tile.sums(*job.weights, y, stop, out, s.outputs);
    if (job.bias != nullptr || job.shift != 0 || job.as_float) {
      dispatch<Finish>(job, (stop - y) * s.out_width, out);
    }
    r += stop - y;
  }
}

}  // namespace lampyris
