#include "events/frames.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace lampyris {

namespace {

// Calls add(step, first, last) for the runs of a block that fall into one step of `length` us.
template <class Add>
void for_steps(const EventBlock& block, int64_t length, int64_t& step, const Add& add) {
  int64_t first = 0;
  while (first < block.size) {
    if (block.t[first] >= (step + 1) * length) step = block.t[first] / length;
    const int64_t end = (step + 1) * length;
    const int64_t last =
        block.t[block.size - 1] < end
            ? block.size
            : std::lower_bound(block.t + first, block.t + block.size, end) - block.t;
    add(step, first, last);
    first = last;
  }
}

void count(BlockReader& reader, const BinWindow& window, const FrameOptions& options,
           uint8_t* frames) {
  const int64_t pixels = window.height * window.width;
  const int64_t parts = options.parts;
  const auto cutoff = static_cast<uint8_t>(options.cutoff);
  std::fill_n(frames, window.time_steps * 2 * parts * pixels, uint8_t{0});
  EventBlock block;
  int64_t part = 0;
  while (reader.next(block, static_cast<uint32_t>(parts * pixels))) {
    for_steps(block, window.bin_us / parts, part, [&](int64_t at, int64_t first, int64_t last) {
      uint8_t* base = frames + (at / parts * 2 * parts + at % parts) * pixels;
      for (int64_t i = first; i < last; ++i) {
        uint8_t& cell = base[block.cell[i]];
        cell = static_cast<uint8_t>(cell + (cell < cutoff));
      }
    });
  }
}

void last_polarity(BlockReader& reader, const BinWindow& window, uint8_t* frames) {
  const int64_t pixels = window.height * window.width;
  const auto stride = static_cast<uint32_t>(pixels);
  std::fill_n(frames, window.time_steps * pixels, kNoEvent);
  EventBlock block;
  int64_t step = 0;
  while (reader.next(block, stride)) {
    for_steps(block, window.bin_us, step, [&](int64_t at, int64_t first, int64_t last) {
      uint8_t* base = frames + at * pixels;
      for (int64_t i = first; i < last; ++i) {
        const uint32_t brighter = block.cell[i] >= stride;
        base[block.cell[i] - brighter * stride] = static_cast<uint8_t>(0 - brighter);
      }
    });
  }
}

// Values of a time surface by age in us: a table where that is small, the formula elsewhere.
class Decay {
 public:
  // An age above kMaxWindowUs: no event at all.
  static constexpr int64_t kLongest = kMaxWindowUs;

  Decay(double tau_us, int64_t longest) : tau_us_(tau_us) {
    // From this age on the value is 0: 255 exp(-age / tau) < 1/2.
    const double end = std::ceil(tau_us * std::log(510.0)) + 1;
    const auto ages = static_cast<int64_t>(std::min(end, static_cast<double>(longest)));
    if (ages > kLargestTable) return;
    table_.resize(static_cast<size_t>(ages) + 2);  // the last entry stays 0: never, or too long ago
    int64_t age = 0;
    for (int value = 255; value > 0 && age <= ages; --value) {
      const double last = std::min(tau_us * std::log(255 / (value - 0.5)), 1.0 * kLargestTable);
      int64_t until = std::clamp<int64_t>(static_cast<int64_t>(last), age, ages + 1);
      // The logarithm may miss the formula's own rounding by one age.
      while (until > age && formula(until - 1) < value) --until;
      while (until <= ages && formula(until) >= value) ++until;
      std::fill(table_.begin() + age, table_.begin() + until, static_cast<uint8_t>(value));
      age = until;
    }
  }

  uint8_t operator()(int64_t age) const {
    if (table_.empty()) return age > kLongest ? 0 : formula(age);
    const auto last = static_cast<int64_t>(table_.size()) - 1;
    return table_[static_cast<size_t>(std::min(age, last))];
  }

 private:
  static constexpr int64_t kLargestTable = 1 << 22;

  uint8_t formula(int64_t age) const {
    const double value = 255 * std::exp(static_cast<double>(-age) / tau_us_);
    return static_cast<uint8_t>(std::floor(value + 0.5));
  }

  double tau_us_;
  std::vector<uint8_t> table_;
};

void surface(BlockReader& reader, const BinWindow& window, double tau_us, uint8_t* frames) {
  const int64_t cells = 2 * window.height * window.width;
  std::vector<int64_t> last_t(static_cast<size_t>(cells), -2 * Decay::kLongest);
  const Decay decay(tau_us, window.bin_us * window.time_steps);
  int64_t written = 0;  // steps whose frame is done
  const auto write_until = [&](int64_t step) {
    for (; written < step; ++written) {
      const int64_t end = (written + 1) * window.bin_us;
      uint8_t* out = frames + written * cells;
      for (int64_t i = 0; i < cells; ++i) {
        out[i] = decay(end - last_t[static_cast<size_t>(i)]);
      }
    }
  };
  EventBlock block;
  int64_t step = 0;
  while (reader.next(block, static_cast<uint32_t>(cells / 2))) {
    for_steps(block, window.bin_us, step, [&](int64_t at, int64_t first, int64_t last) {
      write_until(at);
      for (int64_t i = first; i < last; ++i) last_t[block.cell[i]] = block.t[i];
    });
  }
  write_until(window.time_steps);
}

void voxels(BlockReader& reader, const BinWindow& window, uint8_t* frames) {
  const int64_t cells = 2 * window.height * window.width;
  std::fill_n(frames, window.time_steps * cells, uint8_t{0});
  const int64_t length = window.bin_us * window.time_steps;
  const int64_t scale = kVoxelUnit * (window.time_steps - 1);
  EventBlock block;
  const auto add = [&](int64_t step, int64_t units, int64_t first, int64_t last) {
    uint8_t* base = frames + step * cells;
    for (int64_t i = first; i < last; ++i) {
      uint8_t& sum = base[block.cell[i]];
      sum = static_cast<uint8_t>(std::min<int64_t>(sum + units, 255));
    }
  };
  while (reader.next(block, static_cast<uint32_t>(cells / 2))) {
    for (int64_t first = 0, last = 0; first < block.size; first = last) {
      // Events from `first` on that share its position: those before the next position begins.
      const int64_t position = block.t[first] * scale / length;
      const int64_t end = scale > 0 ? ((position + 1) * length + scale - 1) / scale : length;
      last = block.t[block.size - 1] < end
                 ? block.size
                 : std::lower_bound(block.t + first, block.t + block.size, end) - block.t;
      const int64_t step = position / kVoxelUnit, later = position % kVoxelUnit;
      add(step, kVoxelUnit - later, first, last);
      if (later > 0) add(step + 1, later, first, last);
    }
  }
}

}  // namespace

int64_t frame_channels(const FrameOptions& options) {
  switch (options.kind) {
    case Representation::kCounts:
      return 2 * options.parts;
    case Representation::kPolarity:
      return 1;
    default:
      return 2;
  }
}

void check_frames(const BinWindow& window, const FrameOptions& options) {
  check_bin_window(window);
  if (options.kind == Representation::kCounts) {
    if (options.parts < 1 || window.bin_us % options.parts != 0) {
      fail("bin_events: parts must divide a step of {} us, got {}", window.bin_us, options.parts);
    }
    if (options.cutoff < 1 || options.cutoff > 255) {
      fail("bin_events: cutoff must be 1..255, got {}", options.cutoff);
    }
    if (window.elements() > kMaxBinElements / options.parts) {
      fail("bin_events: frames must have at most {} elements, got [{}, {}, {}, {}]",
           kMaxBinElements, window.time_steps, 2 * options.parts, window.height, window.width);
    }
  }
  if (options.kind == Representation::kSurface &&
      !(options.tau_us > 0 && std::isfinite(options.tau_us))) {
    fail("bin_events: tau must be positive, got {} us", options.tau_us);
  }
  // position = t * 32 (T - 1) must fit 63 bits; t < kMaxWindowUs = 2^40.
  if (options.kind == Representation::kVoxel && window.time_steps > (1 << 16)) {
    fail("bin_events: voxel grids must have at most {} steps, got {}", 1 << 16, window.time_steps);
  }
}

void render_frames(BlockReader& reader, const BinWindow& window, const FrameOptions& options,
                   uint8_t* frames) {
  check_frames(window, options);
  switch (options.kind) {
    case Representation::kCounts:
      return count(reader, window, options, frames);
    case Representation::kPolarity:
      return last_polarity(reader, window, frames);
    case Representation::kSurface:
      return surface(reader, window, options.tau_us, frames);
    case Representation::kVoxel:
      return voxels(reader, window, frames);
  }
}

}  // namespace lampyris
