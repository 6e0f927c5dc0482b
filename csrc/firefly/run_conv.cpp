// CONV and NEURON commands: strips of rows outermost, time steps inside, so that membranes stay in
// cache over all T. Threads share the strips.
#include <algorithm>
#include <cstring>
#include <functional>
#include <mutex>

#include "cpu/parallel.h"
#include "firefly/datapath.h"
#include "firefly/layer_rows.h"
#include "firefly/synapses.h"

namespace lampyris::firefly {

namespace {

std::vector<int16_t> load_bias(const Command& c, int parallelism, std::span<const uint8_t> memory) {
  std::vector<int16_t> bias(static_cast<size_t>(c.co_tiles * parallelism));
  std::memcpy(bias.data(), memory.data() + c.bias, bias.size() * sizeof(int16_t));
  return bias;
}

// Row y of tile 0 at step t in a stream; 16-byte aligned by check_command.
int16_t* stream_row(std::span<uint8_t> memory, const Area& area, int t, int y, int width,
                    int parallelism) {
  return reinterpret_cast<int16_t*>(memory.data() + area_block(area, t, 0)) +
         int64_t{y} * width * parallelism;
}

void trace_currents(const Command& c, int parallelism, int t, int y, const int32_t* current,
                    CommandTrace* trace) {
  if (!trace) return;
  const int64_t lanes = int64_t{c.out_w} * parallelism;
  for (int tile = 0; tile < c.co_tiles; ++tile)
    std::transform(current + tile * lanes, current + (tile + 1) * lanes,
                   trace->current.row(t, tile, y),
                   [](int32_t x) { return static_cast<int16_t>(x); });
}

void reshape_currents(const Command& c, int parallelism, CommandTrace* trace) {
  if (trace) trace->current.reshape(c.steps, c.co_tiles, c.out_h, c.out_w, parallelism);
}

// Adds up what the threads count.
class Totals {
 public:
  void add(int64_t clamped, int64_t saturated) {
    const std::lock_guard lock(mutex_);
    counters_.clamped += clamped, counters_.saturated += saturated;
  }
  const CommandCounters& counters() const { return counters_; }

 private:
  std::mutex mutex_;
  CommandCounters counters_;
};

struct Extent {
  uint64_t begin, end;
};

// Whether rows may run in any order: nothing that is written is read or written elsewhere. Programs
// of the builders are so; a host's own registers need not be, and then give what rows in order give.
bool rows_independent(const Command& c, int parallelism) {
  const int64_t pixels = int64_t{c.out_h} * c.out_w;
  bool apart = true;
  std::vector<Extent> written, touched;
  const auto add = [&](bool used, const Area& area, int steps, int64_t pixel, bool writes) {
    if (!used) return;
    const int64_t block = pixels * pixel;
    const Extent e{area.base, area.base + area_extent(area, steps, c.co_tiles, block)};
    if (writes) apart = apart && blocks_disjoint(area, steps, c.co_tiles, block);
    for (const Extent& other : writes ? touched : written)
      apart = apart && (e.end <= other.begin || other.end <= e.begin);
    touched.push_back(e);
    if (writes) written.push_back(e);
  };
  add(c.spikes_out, c.spikes, c.steps, spike_pixel_bytes(parallelism), true);
  add(c.stream_out, c.stream, c.steps, stream_pixel_bytes(parallelism), true);
  add(c.accumulate || c.membrane_out, c.stream, 1, int32_pixel_bytes(parallelism), true);
  add(c.preload, c.residual, c.steps, stream_pixel_bytes(parallelism), false);
  add(c.op == Op::kNeuron, c.source, c.steps, stream_pixel_bytes(parallelism), false);
  for (const Extent& w : written)  // the threshold table
    apart = apart && (uint64_t{c.bias} + c.bias_bytes <= w.begin || w.end <= c.bias);
  return apart;
}

// As parallel(), in order where rows depend on one another.
void for_rows(const Command& c, int parallelism, int64_t count, int64_t grain,
              const std::function<void(int64_t, int64_t)>& range) {
  parallel(0, count, rows_independent(c, parallelism) ? grain : count, range);
}

// One thread's part of a CONV command.
class ConvRows {
 public:
  ConvRows(const Command& c, int parallelism, std::span<uint8_t> memory, const Synapses& synapses,
           std::span<const int16_t> bias, CommandTrace* trace)
      : c_(c),
        parallelism_(parallelism),
        memory_(memory),
        synapses_(synapses),
        bias_(bias),
        trace_(trace),
        lanes_(static_cast<size_t>(c.out_w) * bias.size()),
        sums_(lanes_ * static_cast<size_t>(synapses.strip())),
        row_(c.accumulate ? sums_.size() : lanes_),
        neurons_(c, parallelism, memory, c.fires() ? trace : nullptr, synapses.strip()) {}

  // Rows [y, y + count), count up to a strip.
  void run(int y, int count) {
    neurons_.start(y, count);
    if (c_.accumulate) std::fill(row_.begin(), row_.end(), 0);
    for (int t = 0; t < c_.steps; ++t) {
      synapses_.rows(t, y, count, scratch_, sums_.data());
      for (int r = 0; r < count; ++r)
        c_.accumulate ? accumulate(r) : current(t, y, r);
    }
    if (c_.accumulate)
      for (int r = 0; r < count; ++r)
        store_int32_row(c_, parallelism_, memory_, y + r, row_.data() + offset(r));
    neurons_.finish();
  }

  void report(Totals& totals) const { totals.add(clamped_, neurons_.saturated()); }

 private:
  size_t offset(int r) const { return lanes_ * static_cast<size_t>(r); }

  void accumulate(int r) {
    sum_row({sums_.data() + offset(r), synapses_.outputs(), bias_.data(), row_.data() + offset(r),
             c_.co_tiles, c_.out_w, parallelism_});
  }

  void current(int t, int y, int r) {
    CurrentJob job{sums_.data() + offset(r),
                   synapses_.outputs(),
                   bias_.data(),
                   nullptr,
                   c_.residual.stride_c / 2,
                   nullptr,
                   c_.stream.stride_c / 2,
                   row_.data(),
                   c_.co_tiles,
                   c_.out_w,
                   parallelism_,
                   c_.shift,
                   &clamped_};
    const int at = y + r;
    if (c_.preload) job.residual = stream_row(memory_, c_.residual, t, at, c_.out_w, parallelism_);
    if (c_.stream_out) job.stream = stream_row(memory_, c_.stream, t, at, c_.out_w, parallelism_);
    current_row(job);
    trace_currents(c_, parallelism_, t, at, row_.data(), trace_);
    if (c_.fires()) neurons_.step(t, r, row_.data());
  }

  const Command& c_;
  int parallelism_;
  std::span<uint8_t> memory_;
  const Synapses& synapses_;
  std::span<const int16_t> bias_;
  CommandTrace* trace_;
  size_t lanes_;
  std::vector<int32_t> sums_, row_;
  NeuronRows neurons_;
  SpikeTile scratch_;
  int64_t clamped_ = 0;
};

}  // namespace

CommandCounters run_conv(const Command& c, int parallelism, std::span<uint8_t> memory,
                         CommandTrace* trace) {
  const SpikePlanes planes = load_planes(
      memory, c.source,
      {c.steps, c.ci_tiles, c.in_h, c.in_w, c.pad_top, c.pad_bottom, c.pad_left, c.pad_right},
      parallelism);
  const SynapseShape shape{c.co_tiles, c.ci_tiles, c.kernel, parallelism,
                           c.stride,   c.out_h,    c.out_w};
  const Synapses synapses(reinterpret_cast<const int8_t*>(memory.data() + c.weights), planes,
                          shape);
  const std::vector<int16_t> bias = load_bias(c, parallelism, memory);
  if (!c.accumulate) reshape_currents(c, parallelism, trace);
  if (c.fires()) NeuronRows::shape_trace(c, parallelism, trace);
  Totals totals;
  const int strip = synapses.strip();
  const int64_t strips = (int64_t{c.out_h} + strip - 1) / strip;
  const int64_t grain = (grain_rows(shape, c.steps) + strip - 1) / strip;
  for_rows(c, parallelism, strips, grain, [&](int64_t b, int64_t e) {
    ConvRows rows(c, parallelism, memory, synapses, bias, trace);
    for (int y = static_cast<int>(b) * strip; b < e; ++b, y += strip)
      rows.run(y, std::min(strip, c.out_h - y));
    rows.report(totals);
  });
  return totals.counters();
}

CommandCounters run_neuron(const Command& c, int parallelism, std::span<uint8_t> memory,
                           CommandTrace* trace) {
  NeuronRows::shape_trace(c, parallelism, trace);
  Totals totals;
  const int64_t lanes = int64_t{c.out_w} * parallelism;
  constexpr int64_t kWork = 1 << 18;  // neurons and steps: some 40 microseconds
  const int64_t grain = kWork / (lanes * c.co_tiles * c.steps) + 1;
  for_rows(c, parallelism, c.out_h, grain, [&](int64_t b, int64_t e) {
    NeuronRows neurons(c, parallelism, memory, trace, 1);
    std::vector<int32_t> row(static_cast<size_t>(lanes * c.co_tiles));
    for (int y = static_cast<int>(b); y < e; ++y) {
      neurons.start(y, 1);
      for (int t = 0; t < c.steps; ++t) {
        const int16_t* in = stream_row(memory, c.source, t, y, c.in_w, parallelism);
        for (int tile = 0; tile < c.co_tiles; ++tile, in += c.source.stride_c / 2)
          std::copy(in, in + lanes, row.data() + tile * lanes);
        neurons.step(t, 0, row.data());
      }
      neurons.finish();
    }
    totals.add(0, neurons.saturated());
  });
  return totals.counters();
}

CommandCounters run_command(const Command& c, int parallelism, std::span<uint8_t> memory,
                            CommandTrace* trace) {
  switch (c.op) {
    case Op::kConv:
      return run_conv(c, parallelism, memory, trace);
    case Op::kNeuron:
      return run_neuron(c, parallelism, memory, trace);
    default:
      run_vector(c, parallelism, memory);
      return {};
  }
}

}  // namespace lampyris::firefly
