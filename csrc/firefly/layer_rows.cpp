#include "firefly/layer_rows.h"

#include <algorithm>

namespace lampyris::firefly {

NeuronRows::NeuronRows(const Command& command, int parallelism, std::span<uint8_t> memory,
                       CommandTrace* trace, int rows)
    : command_(command), parallelism_(parallelism), memory_(memory), trace_(trace) {
  const size_t lanes = static_cast<size_t>(command.co_tiles * parallelism);
  threshold_.assign(lanes, command.theta);
  if (command.table) {
    const uint32_t behind = command.op == Op::kConv ? static_cast<uint32_t>(lanes) * 2 : 0;
    std::memcpy(threshold_.data(), memory.data() + command.bias + behind, lanes * sizeof(int32_t));
  }
  const size_t row = lanes * static_cast<size_t>(command.out_w);
  membrane_.resize(row * static_cast<size_t>(rows));
  fired_.resize(row);
}

void NeuronRows::shape_trace(const Command& command, int parallelism, CommandTrace* trace) {
  if (!trace) return;
  trace->membrane.reshape(command.steps, command.co_tiles, command.out_h, command.out_w,
                          parallelism);
  trace->fired.reshape(command.steps, command.co_tiles, command.out_h, command.out_w, parallelism);
}

void NeuronRows::start(int y, int rows) {
  y_ = y, rows_ = rows;
  std::fill_n(membrane_.data(), fired_.size() * static_cast<size_t>(rows), 0);
}

void NeuronRows::step(int t, int r, const int32_t* current) {
  int32_t* const membrane = membrane_.data() + fired_.size() * static_cast<size_t>(r);
  neuron_row({current, membrane, threshold_.data(), fired_.data(), command_.co_tiles,
              command_.out_w, parallelism_, command_.leak, command_.k, Overflow::kSaturate,
              &saturated_});
  const int64_t pixels = command_.out_w, lanes = pixels * parallelism_;
  for (int tile = 0; tile < command_.co_tiles; ++tile) {
    const uint8_t* fired = fired_.data() + tile * lanes;
    if (command_.spikes_out) {
      uint8_t* out = memory_.data() + area_block(command_.spikes, t, tile) +
                     (y_ + r) * pixels * spike_pixel_bytes(parallelism_);
      pack_row(fired, command_.out_w, parallelism_, out);
    }
    if (trace_) {
      std::copy(fired, fired + lanes, trace_->fired.row(t, tile, y_ + r));
      const int32_t* v = membrane + tile * lanes;
      std::copy(v, v + lanes, trace_->membrane.row(t, tile, y_ + r));
    }
  }
}

void NeuronRows::finish() {
  if (!command_.membrane_out) return;
  for (int r = 0; r < rows_; ++r)
    store_int32_row(command_, parallelism_, memory_, y_ + r,
                    membrane_.data() + fired_.size() * static_cast<size_t>(r));
}

void store_int32_row(const Command& command, int parallelism, std::span<uint8_t> memory, int y,
                     const int32_t* row) {
  const int64_t lanes = int64_t{command.out_w} * parallelism;
  for (int tile = 0; tile < command.co_tiles; ++tile)
    std::memcpy(memory.data() + area_block(command.stream, 0, tile) +
                    static_cast<uint64_t>(y * lanes) * sizeof(int32_t),
                row + tile * lanes, static_cast<size_t>(lanes) * sizeof(int32_t));
}

}  // namespace lampyris::firefly
