// From a detection map to boxes: decoding and non-maximum suppression, for processors without torch.
// The rule is that of the detection task: centre = cell centre + stride p_xy, size = box_scale
// exp(clamp(p_wh, -4, 4)), score = sigmoid(logit), suppression within a class.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firefly/plan.h"
#include "firefly/result.h"

namespace lampyris::firefly {

struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;  // pixels, inside the image
  double score = 0;
  int label = 0;
};

struct BoxOptions {
  double stride = 8;      // pixels per cell
  double box_scale = 18;  // pixels of a zero output
  double score_threshold = 0.02;
  double iou_threshold = 0.6;
  int most = 50;
  int candidates = 1000;  // scores that suppression looks at
};

inline constexpr int kBoxOutputs = 4;

// `map` [4 + classes][height][width]. Descending scores, equal ones in order of cell and class.
// Throws std::invalid_argument.
std::vector<Box> find_boxes(std::span<const double> map, int channels, int height, int width,
                            const BoxOptions& options);

// Boxes of the highest score first; a box goes that overlaps an earlier one of its class by more
// than `iou_threshold`. Indices of those that stay.
std::vector<int> suppress(std::span<const Box> boxes, double iou_threshold);

// True for an image whose output is a detection map with a whole number of pixels per cell.
bool detects(const Plan& plan);

// Boxes of a run of such an image; stride from the sizes of input and output.
std::vector<Box> result_boxes(const Plan& plan, const Result& result, BoxOptions options = {});

}  // namespace lampyris::firefly
