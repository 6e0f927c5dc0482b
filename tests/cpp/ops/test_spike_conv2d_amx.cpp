#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "cpu/every_isa.h"
#include "cpu/parallel.h"
#include "cpu/trapped_tiles.h"
#include "ops/spike_conv2d/spike_conv2d_amx_run.h"
#include "ops/spike_conv2d/spike_conv2d_amx_weight_run.h"

namespace lampyris {
namespace {

using Shape = SpikeConv2dShape;

// {images, Ci, H, W, Co, kh, kw, stride, padding, groups}
const Shape kShapes[] = {
    {1, 32, 1, 1, 1, 1, 1, 1, 0, 1},    {2, 64, 7, 9, 40, 3, 3, 1, 1, 1},
    {3, 33, 5, 4, 17, 3, 3, 1, 0, 1},   {2, 96, 8, 8, 16, 1, 1, 1, 0, 1},
    {1, 40, 9, 8, 33, 3, 3, 2, 1, 1},   {2, 34, 6, 7, 5, 1, 1, 2, 0, 1},
    {1, 35, 11, 10, 20, 7, 7, 2, 3, 1}, {1, 12, 9, 9, 6, 7, 7, 1, 3, 1},
    {2, 72, 6, 5, 70, 3, 3, 1, 1, 2},   {1, 3, 6, 6, 4, 3, 3, 1, 2, 1},
    {1, 33, 5, 6, 8, 2, 3, 3, 4, 1},    {1, 6, 5, 5, 6, 3, 3, 2, 1, 3},
    {0, 32, 4, 4, 8, 3, 3, 1, 1, 1},    {2, 64, 4, 4, 256, 3, 3, 1, 1, 1},
};

// One random case with float64 references.
struct Problem {
  Shape s;
  std::vector<uint32_t> words;
  std::vector<float> weight, bias, grad;
  std::vector<double> out, grad_weight, grad_input;

  explicit Problem(const Shape& shape) : s(shape) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    words.resize(static_cast<size_t>(s.images * s.image_words()));
    for (size_t w = 0; w < words.size(); ++w) {
      const int64_t left = s.in_channels - static_cast<int64_t>(w) % s.words_per_pixel() * 32;
      words[w] = random() & random() & (left < 32 ? (1U << left) - 1 : ~0U);
    }
    weight.resize(static_cast<size_t>(s.weights()));
    bias.resize(static_cast<size_t>(s.out_channels));
    grad.resize(static_cast<size_t>(s.outputs()));
    for (auto* values : {&weight, &bias, &grad})
      for (float& v : *values) v = normal(random);
    reference();
  }

  void reference() {
    out.assign(grad.size(), 0);
    grad_weight.assign(weight.size(), 0);
    grad_input.assign(static_cast<size_t>(s.images * s.in_height * s.in_width * s.in_channels), 0);
    const int64_t height = s.out_height(), width = s.out_width(), taps = s.taps();
    for (int64_t r = 0; r < s.outputs(); ++r) {
      const int64_t o = r % s.out_channels, x = r / s.out_channels % width;
      const int64_t y = r / s.out_channels / width % height,
                    n = r / s.out_channels / width / height;
      double sum = bias[static_cast<size_t>(o)];
      for (int64_t k = 0; k < s.group_in() * taps; ++k) {
        const int64_t c = o / s.group_out() * s.group_in() + k / taps, tap = k % taps;
        const int64_t iy = y * s.stride + tap / s.kernel_width - s.padding;
        const int64_t ix = x * s.stride + tap % s.kernel_width - s.padding;
        if (iy < 0 || iy >= s.in_height || ix < 0 || ix >= s.in_width) continue;
        const int64_t pixel = (n * s.in_height + iy) * s.in_width + ix;
        const auto w = static_cast<size_t>(o * s.group_in() * taps + k);
        const double g = grad[static_cast<size_t>(r)];
        grad_input[static_cast<size_t>(pixel * s.in_channels + c)] += g * weight[w];
        const uint32_t word = words[static_cast<size_t>(pixel * s.words_per_pixel() + c / 32)];
        if ((word >> (c % 32) & 1U) == 0) continue;
        sum += weight[w];
        grad_weight[w] += g;
      }
      out[static_cast<size_t>(r)] = sum;
    }
  }
};

// The largest difference as a share of the largest value.
double error(const std::vector<float>& got, const std::vector<double>& want) {
  double difference = 0, largest = 1e-30;
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isnan(got[i])) return 1e30;
    difference = std::max(difference, std::abs(got[i] - want[i]));
    largest = std::max(largest, std::abs(want[i]));
  }
  return difference / largest;
}

// Per number of parts: measured up to 4e-7, 8e-6 and 5e-3, with room for other random numbers.
constexpr double kTolerance[] = {0, 1e-2, 2e-5, 1e-6};

template <class Tiles>
bool runs_here() {
  return std::is_same_v<Tiles, EmulatedTiles> || isa_available() >= Isa::kAvx512;
}

template <class Tiles>
struct SpikeConv2dTiles : testing::Test {
  void SetUp() override {
    if (!runs_here<Tiles>()) GTEST_SKIP() << "the compiled kernels need AVX-512";
  }
};
using Policies = testing::Types<EmulatedTiles, TrappedTiles>;
TYPED_TEST_SUITE(SpikeConv2dTiles, Policies);

// The library's instances for the emulation, our own for the instructions.
template <class Tiles>
void forward(const SpikeConv2d<float>& a, int parts) {
  if (std::is_same_v<Tiles, EmulatedTiles>) {
    return spike_conv2d_tiles(a, parts, TilePolicy::kEmulated, parallel);
  }
  if (parts == 3) return tiled_forward<TrappedTiles, 3>(a, parallel);
  if (parts == 2) return tiled_forward<TrappedTiles, 2>(a, parallel);
  tiled_forward<TrappedTiles, 1>(a, parallel);
}

template <class Tiles>
void grad_weight(const SpikeConv2dGradWeight<float>& a, int parts) {
  if (std::is_same_v<Tiles, EmulatedTiles>) {
    return spike_conv2d_grad_weight_tiles(a, parts, TilePolicy::kEmulated, parallel);
  }
  if (parts == 3) return tiled_grad_weight<TrappedTiles, 3>(a, parallel);
  if (parts == 2) return tiled_grad_weight<TrappedTiles, 2>(a, parallel);
  tiled_grad_weight<TrappedTiles, 1>(a, parallel);
}

template <class Tiles>
void grad_input(const SpikeConv2dGradInput& a, int parts) {
  if (std::is_same_v<Tiles, EmulatedTiles>) {
    return spike_conv2d_grad_input_tiles(a, parts, TilePolicy::kEmulated, parallel);
  }
  if (parts == 3) return tiled_grad_input<TrappedTiles, 3>(a, parallel);
  if (parts == 2) return tiled_grad_input<TrappedTiles, 2>(a, parallel);
  tiled_grad_input<TrappedTiles, 1>(a, parallel);
}

template <class Tiles>
void expect_close(const Problem& p, int parts) {
  std::vector<float> out(p.out.size(), NAN), dw(p.weight.size(), NAN), dx(p.grad_input.size(), NAN);
  forward<Tiles>({p.s, p.words.data(), p.weight.data(), p.bias.data(), out.data()}, parts);
  grad_weight<Tiles>({p.s, p.words.data(), p.grad.data(), dw.data()}, parts);
  grad_input<Tiles>({p.s, p.grad.data(), p.weight.data(), dx.data()}, parts);
  EXPECT_LE(error(out, p.out), kTolerance[parts]) << "forward " << parts;
  EXPECT_LE(error(dw, p.grad_weight), kTolerance[parts]) << "grad weight " << parts;
  EXPECT_LE(error(dx, p.grad_input), kTolerance[parts]) << "grad input " << parts;
}

TYPED_TEST(SpikeConv2dTiles, EqualFloat64WithinTheirPrecision) {
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message()
                 << shape.in_channels << " to " << shape.out_channels << " kernel "
                 << shape.kernel_height << " stride " << shape.stride);
    const Problem p(shape);
    for (const int parts : {3, 2, 1}) expect_close<TypeParam>(p, parts);
  }
}

TYPED_TEST(SpikeConv2dTiles, OneSpikeGivesTheWeightsThemselves) {
  const Shape s{1, 40, 3, 3, 20, 3, 3, 1, 1, 1};
  Problem p(s);
  std::fill(p.words.begin(), p.words.end(), 0);
  p.words[4 * 2 + 1] = 1U << 6;  // channel 38 of the centre pixel
  std::vector<float> out(p.out.size(), NAN);
  forward<TypeParam>({s, p.words.data(), p.weight.data(), nullptr, out.data()}, 3);
  for (int64_t pixel = 0; pixel < 9; ++pixel) {
    for (int64_t o = 0; o < 20; ++o) {
      const auto w = static_cast<size_t>((o * 40 + 38) * 9 + 8 - pixel);
      EXPECT_EQ(out[static_cast<size_t>(pixel * 20 + o)], p.weight[w]);
    }
  }
}

TYPED_TEST(SpikeConv2dTiles, ManyWeightsTakeTurnsWithImages) {
  const Problem p({3, 256, 3, 3, 128, 3, 3, 1, 1, 1});  // 1.8 MB in three parts
  std::vector<float> out(p.out.size(), NAN);
  forward<TypeParam>({p.s, p.words.data(), p.weight.data(), p.bias.data(), out.data()}, 3);
  EXPECT_LE(error(out, p.out), kTolerance[3]);
}

TYPED_TEST(SpikeConv2dTiles, ThreadsDoNotChangeTheResult) {
  const Problem p({5, 64, 6, 5, 80, 3, 3, 1, 1, 1});
  const int before = threads();
  std::vector<std::vector<float>> results;
  for (const int count : {1, 4}) {
    set_threads(count);
    std::vector<float> out(p.out.size()), dw(p.weight.size()), dx(p.grad_input.size());
    forward<TypeParam>({p.s, p.words.data(), p.weight.data(), nullptr, out.data()}, 3);
    grad_weight<TypeParam>({p.s, p.words.data(), p.grad.data(), dw.data()}, 2);
    grad_input<TypeParam>({p.s, p.grad.data(), p.weight.data(), dx.data()}, 2);
    out.insert(out.end(), dw.begin(), dw.end());
    out.insert(out.end(), dx.begin(), dx.end());
    results.push_back(out);
  }
  set_threads(before);
  EXPECT_EQ(results[0], results[1]);
}

TEST(SpikeConv2dTilesPolicy, EmulationIsEqualOnEveryIsa) {
  const Problem p({2, 64, 6, 5, 33, 3, 3, 2, 1, 1});
  std::vector<float> first;
  for_every_isa([&] {
    std::vector<float> out(p.out.size());
    spike_conv2d_tiles({p.s, p.words.data(), p.weight.data(), nullptr, out.data()}, 3,
                       TilePolicy::kEmulated, parallel);
    if (first.empty()) first = out;
    EXPECT_EQ(out, first);
  });
}

TEST(SpikeConv2dTilesPolicy, CompiledKernelEqualsEmulation) {
  if (!runs_here<TrappedTiles>()) GTEST_SKIP() << "the compiled kernels need AVX-512";
  const Problem p({1, 64, 6, 5, 33, 3, 3, 1, 1, 1});
  std::vector<float> emulated(p.weight.size()), compiled(p.weight.size());
  grad_weight<EmulatedTiles>({p.s, p.words.data(), p.grad.data(), emulated.data()}, 3);
  grad_weight<TrappedTiles>({p.s, p.words.data(), p.grad.data(), compiled.data()}, 3);
  // Bit for bit where a handler stands in; the processor fuses products that leave float32's range.
  EXPECT_EQ(emulated, compiled);
}

TEST(SpikeConv2dTilesPolicy, NoTileInstructionBelowAmx) {
  const Isa before = set_isa(Isa::kAvx512);
  const Problem p({1, 32, 2, 2, 4, 1, 1, 1, 0, 1});
  std::vector<float> out(p.out.size());
  try {
    spike_conv2d_tiles({p.s, p.words.data(), p.weight.data(), nullptr, out.data()}, 3,
                       TilePolicy::kAmx, parallel);
    ADD_FAILURE();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(
        error.what(),
        ("spike_conv2d: isa must be amx for tiles, got " + std::string(isa_name(isa()))).c_str());
  }
  set_isa(before);
}

TEST(SpikeConv2dTilesPolicy, PartsAddUpToTheValue) {
  std::mt19937 random(3);
  for (int i = 0; i < 10000; ++i) {
    const uint32_t bits = random() % 0x60000000U + 0x10000000U;  // both signs' normal range
    float value;
    std::memcpy(&value, &bits, sizeof value);
    uint16_t parts[3];
    split_lanes<3>(&value, 1, parts, 1);
    const double sum = static_cast<double>(from_bf16(parts[0])) + from_bf16(parts[1]);
    ASSERT_EQ(sum + from_bf16(parts[2]), value);
  }
  const float infinity = INFINITY;
  uint16_t parts[2];
  split_lanes<2>(&infinity, 1, parts, 1);
  EXPECT_EQ(from_bf16(parts[0]), INFINITY);
  EXPECT_EQ(parts[1], 0);
}

}  // namespace
}  // namespace lampyris
