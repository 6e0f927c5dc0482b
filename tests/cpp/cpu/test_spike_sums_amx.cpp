#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "cpu/spike_sums_amx.h"
#include "cpu/tile_policy.h"
#include "cpu/trapped_tiles.h"

namespace lampyris {
namespace {

SpikeSums shape(int64_t channels, int64_t height, int64_t width, int64_t outputs, int64_t kernel,
                int64_t stride, int64_t padding, int64_t groups) {
  SpikeSums s;
  s.channels = channels;
  s.height = height;
  s.width = width;
  s.words = (channels + 31) / 32;
  s.outputs = outputs;
  s.kernel_height = s.kernel_width = kernel;
  s.stride = stride;
  s.padding = padding;
  s.groups = groups;
  s.out_height = (height + 2 * padding - kernel) / stride + 1;
  s.out_width = (width + 2 * padding - kernel) / stride + 1;
  return s;
}

const SpikeSums kShapes[] = {
    shape(64, 7, 9, 40, 3, 1, 1, 1), shape(33, 5, 4, 17, 3, 1, 0, 1),
    shape(96, 8, 8, 16, 1, 1, 0, 1), shape(40, 9, 8, 33, 3, 2, 1, 1),
    shape(34, 6, 7, 5, 1, 2, 0, 1),  shape(35, 11, 10, 20, 7, 2, 3, 1),
    shape(72, 6, 5, 70, 3, 1, 1, 2), shape(3, 6, 6, 4, 3, 1, 2, 1),
    shape(6, 5, 5, 6, 3, 2, 1, 3),   shape(32, 1, 1, 1, 1, 1, 0, 1),
};

struct Problem {
  SpikeSums s;
  std::vector<uint32_t> words;
  std::vector<int8_t> weight;
  std::vector<int32_t> sums;

  explicit Problem(const SpikeSums& of) : s(of) {
    std::mt19937 random(5);
    words.resize(static_cast<size_t>(s.image_words()));
    for (size_t w = 0; w < words.size(); ++w) {
      const int64_t left = s.channels - static_cast<int64_t>(w) % s.words * 32;
      words[w] = random() & (left < 32 ? (1U << left) - 1 : ~0U);
    }
    weight.resize(static_cast<size_t>(s.outputs * s.group_channels() * s.taps()));
    for (int8_t& v : weight) v = static_cast<int8_t>(random());
    for (int64_t p = 0; p < s.out_height * s.out_width; ++p) {
      for (int64_t o = 0; o < s.outputs; ++o)
        sums.push_back(sum(p / s.out_width, p % s.out_width, o));
    }
  }

  int32_t sum(int64_t y, int64_t x, int64_t o) const {
    int32_t total = 0;
    for (int64_t k = 0; k < s.group_channels() * s.taps(); ++k) {
      const int64_t c = o / s.group_outputs() * s.group_channels() + k / s.taps();
      const int64_t tap = k % s.taps();
      const int64_t iy = y * s.stride + tap / s.kernel_width - s.padding;
      const int64_t ix = x * s.stride + tap % s.kernel_width - s.padding;
      if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width) continue;
      const auto word = static_cast<size_t>((iy * s.width + ix) * s.words + c / 32);
      if ((words[word] >> (c % 32) & 1U) == 0) continue;
      total += weight[static_cast<size_t>(o * s.group_channels() * s.taps() + k)];
    }
    return total;
  }

  // Rows in chunks of `rows`, summed one and the rest.
  template <class Tiles>
  std::vector<int32_t> tiled(int64_t rows) const {
    std::vector<int32_t> out(sums.size(), -1);
    TileBuffer<uint8_t> packed(s.groups * tiled_sums_weight_bytes(s));
    pack_tiled_sums(s, weight.data(), packed.data());
    for (int64_t y = 0; y < s.out_height; y += rows) {
      const int64_t count = std::min(rows, s.out_height - y);
      TileBuffer<uint8_t> bytes(s.groups * tiled_sums_map_bytes(s, count));
      expand_tiled_sums(s, words.data(), y, count, bytes.data());
      TiledSums job{&s, packed.data(), bytes.data(), y, count, y, y + 1, nullptr, s.outputs};
      job.out = out.data() + y * s.out_width * s.outputs;
      tiled_sums_with<Tiles>(job);
      job.begin = y + 1;
      job.end = y + count;
      job.out += s.out_width * s.outputs;
      tiled_sums_with<Tiles>(job);
    }
    return out;
  }
};

TEST(TiledSums, EmulatedTilesAreExact) {
  for (const SpikeSums& s : kShapes) {
    const Problem p(s);
    for_every_isa([&] {
      EXPECT_EQ(p.tiled<EmulatedTiles>(s.out_height), p.sums);
      EXPECT_EQ(p.tiled<EmulatedTiles>(3), p.sums);
    });
  }
}

TEST(TiledSums, CompiledKernelIsExact) {
  if (isa_available() < Isa::kAvx512) GTEST_SKIP() << "the compiled kernels need AVX-512";
  for (const SpikeSums& s : kShapes) {
    const Problem p(s);
    EXPECT_EQ(p.tiled<TrappedTiles>(s.out_height), p.sums);
    EXPECT_EQ(p.tiled<TrappedTiles>(3), p.sums);
  }
}

TEST(TiledSums, ChosenWhereThereAreTiles) {
  const SpikeSums s = shape(64, 8, 8, 64, 3, 1, 1, 1);
  const Isa before = set_isa(Isa::kAvx512);
  EXPECT_NE(choose_sums_kernel(s, 0.1), SumsKernel::kTiles);
  emulate_tiles(true);
  EXPECT_EQ(choose_sums_kernel(s, 0.1), SumsKernel::kTiles);
  EXPECT_EQ(choose_sums_kernel(s, 0.01), SumsKernel::kEvent);
  EXPECT_EQ(choose_sums_kernel(shape(64, 8, 8, 64, 3, 1, 1, 4), 0.1), SumsKernel::kEvent);
  EXPECT_EQ(sums_kernel_name(SumsKernel::kTiles), "amx int8 emulated");
  emulate_tiles(false);
  set_isa(before);
}

TEST(TiledSums, RowsOfAJob) {
  const Problem p(shape(72, 30, 5, 70, 3, 1, 1, 2));
  SpikeWeights weights(p.s, SumsKernel::kTiles);
  weights.pack(p.weight.data());
  std::vector<int32_t> out(p.sums.size(), -1);
  emulate_tiles(true);
  spike_sums_rows({&weights, p.words.data(), nullptr, 0, out.data()}, 0, 11);
  spike_sums_rows({&weights, p.words.data(), nullptr, 0, out.data()}, 11, 30);
  emulate_tiles(false);
  EXPECT_EQ(out, p.sums);
}

TEST(TiledSums, NoTileInstructionBelowAmx) {
  const Isa before = set_isa(Isa::kBase);
  EXPECT_THROW(tiled_sums({}), std::invalid_argument);
  set_isa(before);
}

}  // namespace
}  // namespace lampyris
