// The norm of a block goes to the stream or to a scratch, then lif reads it from cache: the neuron
// is lif's own code. Long sequences go in pieces of kPiece steps, the membrane carried over.
#include "cpu/dispatch.h"
#include "ops/tdbn_add/tdbn_add.h"
#include "ops/tdbn_add/tdbn_add_lanes.h"

namespace lampyris {

namespace {

constexpr int64_t kPiece = 16;  // steps; 256 KiB of scratch in float32
static_assert(kPiece % kStepsPerByte == 0);

template <typename T>
struct Normalise {
  template <class Target>
  LAMPYRIS_INLINE static void run(const Normaliser<T>& normalise, int64_t first, int64_t count,
                                  int64_t t, int64_t steps, T* z, int64_t stride) {
    for (int64_t j = 0; j < steps; ++j) normalise(t + j, first, count, z + j * stride);
  }
};

template <typename T>
struct AddAndSum {
  template <class Target>
  LAMPYRIS_INLINE static void run(const TdbnGradSums<T>& a, T* grad, ChannelSums<false, T>* sums,
                                  int64_t first, int64_t count, int64_t t, int64_t steps) {
    for (int64_t j = t + steps - 1; j >= t; --j) {
      T* const dz = grad + j * a.neurons + first;
      if (a.grad_stream.data != nullptr) {
        const T* __restrict__ more = a.grad_stream.at(j) + first;
#pragma GCC ivdep
        for (int64_t i = 0; i < count; ++i) dz[i] += more[i];
      }
      sums->add(a.x.at(j) + first, dz, first, count);
    }
  }
};

template <class Body, class... Args>
void start(float, const Args&... args) {
  dispatch<Body>(args...);
}

template <class Body, class... Args>
void start(double, const Args&... args) {
  run_baseline<Body>(args...);
}

// Steps [t, t + steps) of `whole`, membrane in and out of `carry` between pieces.
template <typename T>
LifForward<T> forward_piece(const LifForward<T>& whole, int64_t t, int64_t steps, T* carry) {
  LifForward<T> a = whole;
  const int64_t words = (whole.neurons + 31) / 32;
  a.steps = steps;
  if (a.spikes != nullptr) a.spikes += t * a.neurons;
  if (a.plane != nullptr) a.plane += t * words;
  if (a.codes != nullptr) a.codes += t / kStepsPerByte * a.neurons;
  if (t > 0) a.v_init = carry;
  if (t + steps < whole.steps) {
    a.membrane = carry;
    a.membrane_out = MembraneOut::kLast;
  }
  return a;
}

template <typename T>
LifBackward<T> backward_piece(const LifBackward<T>& whole, int64_t t, int64_t steps, T* carry) {
  LifBackward<T> a = whole;
  a.steps = steps;
  if (a.grad_spikes.data != nullptr) a.grad_spikes.data += t * a.grad_spikes.step_stride;
  a.codes += t / kStepsPerByte * a.neurons;
  a.grad_x += t * a.neurons;
  if (t + steps < whole.steps) {
    a.grad_membrane = carry;
    a.membrane_out = MembraneOut::kLast;
  }
  if (t > 0) a.grad_v_init = carry;
  return a;
}

template <typename T>
void forward(const TdbnForward<T>& a, const LifForward<T>& lif, int64_t begin, int64_t end) {
  const Normaliser<T> normalise(a);
  const int64_t piece = std::min(kPiece, a.steps);
  std::unique_ptr<T[]> scratch, carry(new T[kLifBlock]);
  if (a.stream == nullptr) scratch.reset(new T[static_cast<size_t>(piece * kLifBlock)]);
  for (int64_t block = begin; block < end; ++block) {
    const int64_t first = block * kLifBlock, count = std::min(kLifBlock, a.neurons - first);
    for (int64_t t = 0; t < a.steps; t += piece) {
      const int64_t steps = std::min(piece, a.steps - t);
      const int64_t stride = a.stream == nullptr ? kLifBlock : a.neurons;
      T* const z = a.stream == nullptr ? scratch.get() : a.stream + t * a.neurons + first;
      start<Normalise<T>>(T(), normalise, first, count, t, steps, z, stride);
      LifForward<T> part = forward_piece(lif, t, steps, carry.get() - first);
      part.x = {z - first, stride, 0, a.neurons};
      lif_forward_blocks(part, block, block + 1);
    }
  }
}

template <typename T>
void backward(const TdbnGradSums<T>& a, const LifBackward<T>& lif, double* partial, int64_t begin,
              int64_t end) {
  std::unique_ptr<T[]> carry(new T[kLifBlock]);
  for (int64_t task = begin; task < end; ++task) {
    ChannelSums<false, T> sums(a.order, a.mean, partial + task * 2 * a.order.channels);
    const int64_t last = std::min((task + 1) * kTdbnTaskBlocks * kLifBlock, a.neurons);
    for (int64_t first = task * kTdbnTaskBlocks * kLifBlock; first < last; first += kLifBlock) {
      const int64_t block = first / kLifBlock, count = std::min(kLifBlock, last - first);
      for (int64_t stop = a.steps; stop > 0;) {
        const int64_t t = (stop - 1) / kPiece * kPiece, steps = stop - t;
        LifBackward<T> part = backward_piece(lif, t, steps, carry.get() - first);
        lif_backward_blocks(part, block, block + 1);
        start<AddAndSum<T>>(T(), a, lif.grad_x, &sums, first, count, t, steps);
        stop = t;
      }
    }
    sums.flush();
  }
}

}  // namespace

void tdbn_add_lif_blocks(const TdbnForward<float>& a, const LifForward<float>& lif, int64_t begin,
                         int64_t end) {
  forward(a, lif, begin, end);
}

void tdbn_add_lif_blocks(const TdbnForward<double>& a, const LifForward<double>& lif, int64_t begin,
                         int64_t end) {
  forward(a, lif, begin, end);
}

void tdbn_lif_grad_sums_tasks(const TdbnGradSums<float>& a, const LifBackward<float>& lif,
                              double* partial, int64_t begin, int64_t end) {
  backward(a, lif, partial, begin, end);
}

void tdbn_lif_grad_sums_tasks(const TdbnGradSums<double>& a, const LifBackward<double>& lif,
                              double* partial, int64_t begin, int64_t end) {
  backward(a, lif, partial, begin, end);
}

}  // namespace lampyris
