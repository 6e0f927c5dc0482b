// The cells by a team: its lanes share the hidden units of a row. CUDA runs this on warps. Pointers and
// indices are not trusted: a neighbour out of range sends nothing but the bias.
#pragma once

#include "core/team.h"
#include "ops/goat_aggregate/goat_aggregate.h"

namespace lampyris {

// Values of T that a team shares.
LAMPYRIS_HD inline int64_t goat_forward_shared(int64_t hidden) { return 3 * hidden; }
LAMPYRIS_HD inline int64_t goat_backward_shared(int64_t hidden) {
  return (kGoatStates + kGoatMostGates) * hidden;
}

struct GoatRow {
  int64_t begin, end;
};

LAMPYRIS_TEAM_INLINE int64_t goat_clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : (value > high ? high : value);
}

LAMPYRIS_TEAM_INLINE GoatRow goat_row(const Csr& csr, int64_t row) {
  const int64_t begin = goat_clamp(csr.row_ptr[row], 0, csr.edges);
  return {begin, goat_clamp(csr.row_ptr[row + 1], begin, csr.edges)};
}

// What a neighbour sends: its projected features, null where its index is out of range.
template <typename T>
struct GoatNeighbour {
  const T* p;
  T factor;
  int64_t place;

  LAMPYRIS_TEAM_INLINE GoatNeighbour(const GoatInput<T>& a, int64_t width, int64_t head, int64_t at)
      : p(nullptr), factor(1), place(a.order[head * a.csr.edges + at]) {
    if (place < 0 || place >= a.csr.edges) {
      place = at;
      return;
    }
    const int64_t source = a.csr.col[place];
    if (source < 0 || source >= a.csr.sources) return;
    p = a.p + (source * a.heads + head) * width;
    if (a.factor != nullptr) factor = a.factor[place * a.heads + head];
  }
};

// Arguments of the gates of unit j; weight_t is W_hh^T [H, G H] of the head.
template <class Cell, typename T>
LAMPYRIS_TEAM_INLINE void goat_arguments(const GoatInput<T>& a, const GoatNeighbour<T>& from,
                                         const T* weight_t, int64_t head, int64_t j, const T* h,
                                         T* in, T* rec) {
  const int64_t width = a.width(Cell::kGates);
  for (int g = 0; g < Cell::kGates; ++g) {
    const int64_t unit = g * a.hidden + j;
    in[g] = from.p == nullptr ? T(0) : from.factor * from.p[unit];
    if (a.bias != nullptr) in[g] = in[g] + a.bias[head * width + unit];
    rec[g] = T(0);
  }
  if constexpr (Cell::kRecurrent) {
    for (int64_t k = 0; h != nullptr && k < a.hidden; ++k) {
      for (int g = 0; g < Cell::kGates; ++g) {
        rec[g] = rec[g] + weight_t[k * width + g * a.hidden + j] * h[k];
      }
    }
  }
}

template <class Cell, class Team, typename T>
LAMPYRIS_TEAM void goat_forward_row(const Team& team, const GoatForward<T>& a, const T* weight_t,
                                    int64_t head, int64_t row, T* shared) {
  const int64_t hidden = a.hidden, width = a.width(Cell::kGates);
  const GoatNeuron<T> neuron{a.decay, a.threshold, a.early_exit};
  const GoatRow range = goat_row(a.csr, row);
  const T* const weight = weight_t == nullptr ? nullptr : weight_t + head * hidden * width;
  T* const second = shared + 2 * hidden;  // c, or v
  for (int64_t j = team.lane(); j < hidden; j += team.size()) {
    shared[j] = T(0);
    second[j] = T(0);
  }
  team.sync();
  int64_t read = 0;
  while (range.begin + read < range.end) {
    const int64_t at = range.begin + read;
    const T* const h = shared + read % 2 * hidden;
    T* const fresh = shared + (read + 1) % 2 * hidden;
    const GoatNeighbour<T> from(a, width, head, at);
    int32_t silent = 0;
    for (int64_t j = team.lane(); j < hidden; j += team.size()) {
      T in[Cell::kGates], rec[Cell::kGates], saved[Cell::kSaved];
      T state[kGoatStates] = {h[j], second[j]};
      goat_arguments<Cell>(a, from, weight, head, j, h, in, rec);
      Cell::step(in, rec, neuron, state, saved);
      fresh[j] = state[0];
      second[j] = state[1];
      if (!(state[0] > T(0))) silent = 1;
      if (a.states == nullptr) continue;
      T* const to = a.states + (head * a.csr.edges + at) * Cell::kSaved * hidden + j;
      for (int s = 0; s < Cell::kSaved; ++s) to[s * hidden] = saved[s];
    }
    team.sync();
    ++read;
    if (Cell::kCell == GoatCell::kLif && a.early_exit && team.max(silent) == 0) break;
  }
  const T* const last = shared + read % 2 * hidden;
  for (int64_t j = team.lane(); j < hidden; j += team.size()) {
    a.out[(row * a.heads + head) * hidden + j] = last[j];
  }
  if (team.lane() == 0) a.steps[row * a.heads + head] = static_cast<int32_t>(read);
  team.sync();  // before `shared` is used again
}

// Gradients of the arguments of every step of a row, by place; those of places not read stay as they
// are. The sums over them are the caller's.
template <class Cell, class Team, typename T>
LAMPYRIS_TEAM void goat_steps_grad_row(const Team& team, const GoatStepsGrad<T>& a,
                                       const T* weight_t, int64_t head, int64_t row, T* shared) {
  const int64_t hidden = a.hidden, width = a.width(Cell::kGates);
  const GoatNeuron<T> neuron{a.decay, a.threshold, a.early_exit};
  const GoatRow range = goat_row(a.csr, row);
  const T* const weight = weight_t == nullptr ? nullptr : weight_t + head * hidden * width;
  T *const first = shared, *const second = shared + hidden, *const gates = shared + 2 * hidden;
  for (int64_t j = team.lane(); j < hidden; j += team.size()) {
    first[j] = a.grad[(row * a.heads + head) * hidden + j];
    second[j] = T(0);
  }
  const int64_t read =
      goat_clamp(a.steps[row * a.heads + head], 0, range.end - range.begin);
  for (int64_t at = range.begin + read - 1; at >= range.begin; --at) {
    const T* const now = a.states + (head * a.csr.edges + at) * Cell::kSaved * hidden;
    const T* const before = at > range.begin ? now - Cell::kSaved * hidden : nullptr;
    const GoatNeighbour<T> from(a, width, head, at);
    const int64_t to = (from.place * a.heads + head) * width;
    for (int64_t j = team.lane(); j < hidden; j += team.size()) {
      T in[Cell::kGates], rec[Cell::kGates], grad_in[Cell::kGates], grad_rec[Cell::kGates];
      T past[Cell::kSaved], saved[Cell::kSaved], grad[kGoatStates] = {first[j], second[j]};
      for (int s = 0; s < Cell::kSaved; ++s) {
        past[s] = before == nullptr ? T(0) : before[s * hidden + j];
        saved[s] = now[s * hidden + j];
      }
      goat_arguments<Cell>(a, from, weight, head, j, before, in, rec);
      Cell::grad(in, rec, past, saved, neuron, grad, grad_in, grad_rec);
      first[j] = grad[0];
      second[j] = grad[1];
      for (int g = 0; g < Cell::kGates; ++g) {
        a.grad_in[to + g * hidden + j] = grad_in[g];
        if constexpr (Cell::kRecurrent) {
          gates[g * hidden + j] = grad_rec[g];
          if (a.grad_rec != nullptr) a.grad_rec[to + g * hidden + j] = grad_rec[g];
        }
      }
    }
    if constexpr (Cell::kRecurrent) {
      team.sync();
      for (int64_t j = team.lane(); j < hidden; j += team.size()) {
        T sum = first[j];
        for (int64_t q = 0; q < width; ++q) {
          sum = sum + gates[q] * a.weight[(head * width + q) * hidden + j];
        }
        first[j] = sum;
      }
      team.sync();
    }
  }
}

}  // namespace lampyris
