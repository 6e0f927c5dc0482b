// Runs a detector compiled by export_detector.py: image in, boxes out, no Python.
//   detect _ops.so detector.pt2 image.ppm [map.bin]
#include <ATen/ops/from_blob.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <vector>

#include "load_operators.h"

namespace {

constexpr float kStride = 8.0F;        // pixels a cell
constexpr float kBoxScale = 18.0F;     // pixels of a zero output
constexpr float kLogSizeLimit = 4.0F;  // these three as in lampyris.tasks.detection.decode
constexpr float kScore = 0.02F;
constexpr float kOverlap = 0.6F;

// uint8 [1, 3, H, W] of a binary PPM file.
at::Tensor read_image(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int64_t width = 0, height = 0, most = 0;
  file >> magic >> width >> height >> most;
  file.get();
  if (magic != "P6" || most != 255 || width < 1 || height < 1) {
    throw std::runtime_error("detect: image must be a binary PPM of 255 levels, got " + path);
  }
  std::vector<uint8_t> pixels(static_cast<size_t>(3 * width * height));
  const auto count = static_cast<std::streamsize>(pixels.size());
  if (!file.read(reinterpret_cast<char*>(pixels.data()), count)) {
    throw std::runtime_error("detect: image must hold 3 x width x height bytes, got " + path);
  }
  const at::Tensor image = at::from_blob(pixels.data(), {1, height, width, 3}, at::kByte);
  return image.permute({0, 3, 1, 2}).contiguous();
}

struct Box {
  float x1, y1, x2, y2, score;
  int64_t label;
};

float overlap(const Box& a, const Box& b) {
  const float w = std::max(0.0F, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
  const float h = std::max(0.0F, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
  const float both = (a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1);
  return w * h / std::max(both - w * h, 1e-9F);
}

// The cells of map [1, 4 + classes, H, W] above kScore, overlapping boxes of a class suppressed.
std::vector<Box> decode(const at::Tensor& map) {
  const auto cell = map.accessor<float, 4>();
  std::vector<Box> found, kept;
  for (int64_t y = 0; y < map.size(2); ++y) {
    for (int64_t x = 0; x < map.size(3); ++x) {
      const float cx = (static_cast<float>(x) + 0.5F + cell[0][0][y][x]) * kStride;
      const float cy = (static_cast<float>(y) + 0.5F + cell[0][1][y][x]) * kStride;
      const auto half = [&](int64_t c) {
        const float log_size = std::clamp(cell[0][c][y][x], -kLogSizeLimit, kLogSizeLimit);
        return kBoxScale / 2 * std::exp(log_size);
      };
      for (int64_t c = 4; c < map.size(1); ++c) {
        const float score = 1.0F / (1.0F + std::exp(-cell[0][c][y][x]));
        if (score > kScore) {
          found.push_back({cx - half(2), cy - half(3), cx + half(2), cy + half(3), score, c - 4});
        }
      }
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Box& a, const Box& b) { return a.score > b.score; });
  for (const Box& box : found) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Box& other) {
      return other.label == box.label && overlap(other, box) > kOverlap;
    });
    if (!covered) {
      kept.push_back(box);
    }
  }
  return kept;
}

void run(const std::vector<std::string>& arguments) {
  lampyris::load_operators(arguments[1]);
  torch::inductor::AOTIModelPackageLoader detector(arguments[2]);
  const at::Tensor map = detector.run({read_image(arguments[3])})[0].contiguous();
  for (const Box& b : decode(map)) {
    std::printf("class %ld score %.3f box %.1f %.1f %.1f %.1f\n", static_cast<long>(b.label),
                b.score, b.x1, b.y1, b.x2, b.y2);
  }
  if (arguments.size() > 4) {
    std::ofstream file(arguments[4], std::ios::binary);
    file.write(static_cast<const char*>(map.const_data_ptr()),
               static_cast<std::streamsize>(map.nbytes()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return lampyris::run_main(argc, argv, 3, "detect _ops.so detector.pt2 image.ppm [map.bin]", run);
}
