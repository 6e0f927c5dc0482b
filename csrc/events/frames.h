// Events to frames: the representations that networks are fed with, all uint8 [T, C, H, W] of one
// causal window, all computed in one pass over the events.
//
//   kCounts   C = 2 S   events per polarity and pixel in S parts of each step, saturating at
//                       `cutoff`; channel = polarity * S + part. S = 1: plain counts; S > 1:
//                       stacked histograms (RVT: one step of 50 ms, 10 parts, cutoff 10).
//   kPolarity C = 1     127 without an event in the step, 255 where the last one was brighter, 0
//                       where it was darker (EMS-YOLO's Gen1 frames).
//   kSurface  C = 2     time surface at the end of each step: 255 exp(-(end - t) / tau) to the
//                       nearest integer, t the last event of the pixel and polarity since the start
//                       of the window (0 without one).
//   kVoxel    C = 2     voxel grid: an event at relative time r in [0, 1) adds 1 to position
//                       r (T - 1), shared linearly between the two nearest steps in units of 1/32,
//                       saturating at 255 units. Bright minus dark is the signed grid of Zhu et al.
#pragma once

#include <cstdint>

#include "events/binning.h"
#include "events/event_block.h"

namespace lampyris {

enum class Representation { kCounts, kPolarity, kSurface, kVoxel };

inline constexpr int kVoxelUnit = 32;
inline constexpr uint8_t kNoEvent = 127;

struct FrameOptions {
  Representation kind = Representation::kCounts;
  int64_t parts = 1;      // kCounts: S
  int64_t cutoff = 255;   // kCounts: largest count, 1..255
  double tau_us = 50000;  // kSurface
};

int64_t frame_channels(const FrameOptions& options);

// Throws std::invalid_argument: what check_bin_window refuses, parts below 1 or that do not divide
// the bin, a cutoff outside 1..255, a tau that is not positive and finite, frames too large.
void check_frames(const BinWindow& window, const FrameOptions& options);

// frames: uint8 [T, C, H, W], overwritten. The reader must be one of this window.
void render_frames(BlockReader& reader, const BinWindow& window, const FrameOptions& options,
                   uint8_t* frames);

inline EventWindow event_window(const BinWindow& window) {
  return {window.start_us(), window.end_us, window.height, window.width};
}

}  // namespace lampyris
