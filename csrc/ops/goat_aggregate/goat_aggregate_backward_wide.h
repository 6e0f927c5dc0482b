// Backward of the cells, for one instruction set: from the last neighbour to the first, gates
// computed again from the saved states.
#pragma once

#include "ops/goat_aggregate/goat_aggregate_wide.h"

namespace lampyris {
namespace {

// Steps between additions to the sums in double of a chunk: what they need stays in the first cache.
inline constexpr int64_t kGoatFlush = 64;

template <class Cell, typename T>
struct GoatBackwardHead {
  static constexpr int64_t kLanes = GoatBlocks<T>::kLanes;
  static constexpr int kGates = Cell::kGates, kSaved = Cell::kSaved;

  // A row on its way back. grad: of [h, c or v][padded]; grad_rec: [gate][padded], in `gates` of an entry.
  struct Slot {
    int64_t row = 0, place = 0, left = 0;  // place in order of the step to come, steps to go
    T* grad = nullptr;
    T* grad_rec = nullptr;
  };

  const GoatBackward<T>& a;
  const GoatSums<T>& sums;
  GoatBlocks<T> blocks;
  int64_t head, end, row;
  int64_t entries = 0, pending = 0;  // kept for the weights; steps since the last flush
  const int32_t* order;
  const T* states;
  const T* bias;
  std::vector<T> columns, rows, memory, zeros, bias_sum, gates, before;
  Slot slots[kGoatSlots];

  GoatBackwardHead(const GoatBackward<T>& backward, const GoatSums<T>& chunk, int64_t h,
                   int64_t begin, int64_t last)
      : a(backward), sums(chunk), blocks(a.hidden), head(h), end(last), row(begin),
        order(a.order + head * a.csr.edges),
        states(a.states + head * a.csr.edges * kSaved * a.hidden),
        bias(a.bias == nullptr ? nullptr : a.bias + head * a.width(kGates)),
        columns(pack_columns<Cell>(a, blocks, head)), rows(pack_rows()),
        memory(static_cast<size_t>(kGoatSlots * kGoatStates * blocks.padded)),
        zeros(static_cast<size_t>(kSaved * blocks.padded)),
        bias_sum(static_cast<size_t>(kGates * blocks.padded)),
        gates(static_cast<size_t>((kGoatFlush + kGoatSlots) * kGates * blocks.padded)),
        before(static_cast<size_t>(kGoatFlush * a.hidden)) {
    for (int i = 0; i < kGoatSlots; ++i) {
      slots[i].grad = memory.data() + i * kGoatStates * blocks.padded;
    }
  }

  // W_hh [G H, H] of the head with padded rows, for W_hh^T of gradients.
  std::vector<T> pack_rows() const {
    if (!Cell::kRecurrent) return {};
    std::vector<T> out(static_cast<size_t>(a.width(kGates) * blocks.padded));
    for (int64_t q = 0; q < a.width(kGates); ++q) {
      std::copy_n(a.weight + (head * a.width(kGates) + q) * a.hidden, a.hidden,
                  out.data() + q * blocks.padded);
    }
    return out;
  }

  bool next(Slot& slot) {
    for (; row < end; ++row) {
      const int64_t read = a.steps[row * a.heads + head];
      skip(row, read);
      if (read == 0) continue;
      slot.row = row++;
      slot.place = a.csr.row_ptr[slot.row] + read - 1;
      slot.left = read;
      std::fill_n(slot.grad, kGoatStates * blocks.padded, T(0));
      std::copy_n(a.grad + (slot.row * a.heads + head) * a.hidden, a.hidden, slot.grad);
      return true;
    }
    return false;
  }

  // Neighbours that an early exit left unread have no gradient.
  void skip(int64_t of, int64_t read) const {
    if (a.grad_factor == nullptr) return;
    for (int64_t e = a.csr.row_ptr[of] + read; e < a.csr.row_ptr[of + 1]; ++e) {
      a.grad_factor[order[e] * a.heads + head] = T(0);
    }
  }

  template <int kRows>
  LAMPYRIS_WIDE_TARGET void step(Slot* working) {
    const int64_t width = a.width(kGates);
    const GoatNeuron<Wide<T>> neuron = wide_neuron(a);
    const T *now[kRows], *earlier[kRows], *p[kRows];
    T factor[kRows];
    int32_t place[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      Slot& slot = working[r];
      place[r] = order[slot.place];
      now[r] = states + slot.place * kSaved * a.hidden;
      earlier[r] = slot.left > 1 ? now[r] - kSaved * a.hidden : zeros.data();
      p[r] = projected(a, width, head, place[r]);
      factor[r] = a.factor == nullptr ? T(1) : a.factor[place[r] * a.heads + head];
      slot.grad_rec = gates.data() + entry(slot, earlier[r], r) * kGates * blocks.padded;
      if (slot.left > 1) {
        const T* const coming = projected(a, width, head, order[slot.place - 1]);
        prefetch_row(coming, width);
        prefetch_row(sums.grad_p + (coming - a.p), width);
      }
    }
    T dot[kRows] = {};
    for (int64_t b = 0; b < blocks.count; ++b) {
      const int64_t count = blocks.size(b);
      Wide<T> rec[kRows][kGates];
      recurrent_block<Cell, kRows>(columns.data(), a.hidden, b, earlier, rec);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const Slot& slot = working[r];
        Wide<T> in[kGates], grad[kGoatStates], past[kSaved], saved[kSaved];
        Wide<T> grad_in[kGates], grad_rec[kGates];
        input_block<Cell>(a, p[r], factor[r], bias, b, count, in);
        for (int s = 0; s < kGoatStates; ++s) {
          grad[s] = Wide<T>::load(slot.grad + s * blocks.padded + b * kLanes);
        }
        for (int s = 0; s < kSaved; ++s) {
          past[s] = load_lanes(earlier[r] + s * a.hidden + b * kLanes, count);
          saved[s] = load_lanes(now[r] + s * a.hidden + b * kLanes, count);
        }
        Cell::grad(in, rec[r], past, saved, neuron, grad, grad_in, grad_rec);
        for (int s = 0; s < kGoatStates; ++s) {
          grad[s].store(slot.grad + s * blocks.padded + b * kLanes);
        }
        if constexpr (Cell::kRecurrent) {
          for (int g = 0; g < kGates; ++g) {
            grad_rec[g].store(slot.grad_rec + g * blocks.padded + b * kLanes);
          }
        }
        add_input(grad_in, p[r], factor[r], b, count, dot[r]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      if (a.grad_factor != nullptr) a.grad_factor[place[r] * a.heads + head] = dot[r];
    }
    if constexpr (Cell::kRecurrent) pass_back<kRows>(working);
    for (int r = 0; r < kRows; ++r) {
      --working[r].place;
      --working[r].left;
    }
    pending += kRows;
    if (pending > kGoatFlush - kGoatSlots) flush();
  }

  // Where grad_rec of a step is kept until the next flush; the first step of a row, whose earlier
  // state is 0, adds nothing to the weights and has a place of its own.
  int64_t entry(const Slot& slot, const T* earlier, int r) {
    if (!Cell::kRecurrent || slot.left == 1) return kGoatFlush + r;
    std::copy_n(earlier, a.hidden, before.data() + entries * a.hidden);
    return entries++;
  }

  // Gradients of p, bias and (into dot) the factor.
  LAMPYRIS_INLINE void add_input(const Wide<T>* grad_in, const T* p, T factor, int64_t b,
                                 int64_t count, T& dot) {
    T* const to = sums.grad_p + (p - a.p) + b * kLanes;
#pragma GCC unroll 4
    for (int g = 0; g < kGates; ++g) {
      T* const gate = to + g * a.hidden;
      const Wide<T> part = a.factor == nullptr ? grad_in[g] : grad_in[g] * Wide<T>(factor);
      store_lanes(load_lanes(gate, count) + part, gate, count);
      T* const total = bias_sum.data() + g * blocks.padded + b * kLanes;
      (Wide<T>::load(total) + grad_in[g]).store(total);
      if (a.grad_factor == nullptr) continue;
      T lanes[kLanes];
      (grad_in[g] * load_lanes(p + g * a.hidden + b * kLanes, count)).store(lanes);
      for (int64_t i = 0; i < count; ++i) dot += lanes[i];
    }
  }

  // grad h += W_hh^T grad_rec, even and odd units in sums of their own.
  template <int kRows>
  LAMPYRIS_INLINE void pass_back(const Slot* working) const {
    for (int64_t b = 0; b < blocks.count; ++b) {
      Wide<T> even[kRows], odd[kRows];
      for (int g = 0; g < kGates; ++g) {
        const T* weight = rows.data() + g * a.hidden * blocks.padded + b * kLanes;
        const T* grad[kRows];
        for (int r = 0; r < kRows; ++r) grad[r] = working[r].grad_rec + g * blocks.padded;
        int64_t j = 0;
        for (; j + 1 < a.hidden; j += 2, weight += 2 * blocks.padded) {
          const Wide<T> first = Wide<T>::load(weight), second = Wide<T>::load(weight + blocks.padded);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) {
            even[r] = even[r] + first * Wide<T>(grad[r][j]);
            odd[r] = odd[r] + second * Wide<T>(grad[r][j + 1]);
          }
        }
        if (j == a.hidden) continue;
        for (int r = 0; r < kRows; ++r) {
          even[r] = even[r] + Wide<T>::load(weight) * Wide<T>(grad[r][j]);
        }
      }
      for (int r = 0; r < kRows; ++r) {
        T* const to = working[r].grad + b * kLanes;
        (Wide<T>::load(to) + (even[r] + odd[r])).store(to);
      }
    }
  }

  // Adds the kept steps to the chunk's sums: grad_weight += grad_rec h^T.
  LAMPYRIS_WIDE_TARGET void flush() {
    constexpr int64_t kTile = 8;
    for (int g = 0; g < kGates; ++g) {
      for (int64_t j = 0; j < a.hidden; ++j) {
        T& sum = bias_sum[static_cast<size_t>(g * blocks.padded + j)];
        sums.grad_bias[g * a.hidden + j] += static_cast<double>(sum);
      }
    }
    std::fill(bias_sum.begin(), bias_sum.end(), T(0));
    for (int64_t k = 0; Cell::kRecurrent && k < a.hidden; k += kTile) {
      const int64_t columns_here = std::min(kTile, a.hidden - k);
      for (int64_t b = 0; b < kGates * blocks.count; ++b) {
        if (columns_here == kTile) {
          add_tile<kTile>(b, k);
        } else {
          for (int64_t i = 0; i < columns_here; ++i) add_tile<1>(b, k + i);
        }
      }
    }
    entries = pending = 0;
  }

  // One vector of units b (of all gates, padded) by kTile units of h.
  template <int64_t kTile>
  LAMPYRIS_INLINE void add_tile(int64_t b, int64_t k) const {
    Wide<T> tile[kTile];
    const T* grad = gates.data() + b * kLanes;
    const T* h = before.data() + k;
    for (int64_t e = 0; e < entries; ++e, grad += kGates * blocks.padded, h += a.hidden) {
      const Wide<T> units = Wide<T>::load(grad);
#pragma GCC unroll 8
      for (int64_t i = 0; i < kTile; ++i) tile[i] = tile[i] + units * Wide<T>(h[i]);
    }
    const int64_t gate = b / blocks.count, block = b % blocks.count;
    double* const to = sums.grad_weight + (gate * a.hidden + block * kLanes) * a.hidden + k;
    for (int64_t i = 0; i < kTile; ++i) {
      T lanes[kLanes];
      tile[i].store(lanes);
      for (int64_t j = 0; j < blocks.size(block); ++j) {
        to[j * a.hidden + i] += static_cast<double>(lanes[j]);
      }
    }
  }
};

template <typename T>
void goat_backward_any(const GoatBackward<T>& a, const GoatSums<T>& sums, int64_t head,
                       int64_t begin, int64_t end) {
  with_goat_cell(a.cell, [&](auto cell) {
    GoatBackwardHead<decltype(cell), T> reader(a, sums, head, begin, end);
    run_slots(reader);
    reader.flush();
  });
}

}  // namespace
}  // namespace lampyris
