// One thread a neuron, coalesced over N; the membrane stays in a register over T.
#include "ops/launch.cuh"
#include "ops/lif/lif.h"
#include "ops/lif/lif_neuron.h"

namespace lampyris {

namespace {

// Stores a spike, or with kPacked one word a warp.
template <typename T, bool kPacked>
struct Emit {
  T* spikes;
  uint32_t* plane;
  int64_t neurons, n;
  unsigned active;

  LAMPYRIS_INLINE void operator()(int64_t t, bool spike) const {
    if constexpr (kPacked) {
#if defined(__CUDA_ARCH__)
      const unsigned word = __ballot_sync(active, spike);
      if (n % kWarp == 0) plane[t * ((neurons + kWarp - 1) / kWarp) + n / kWarp] = word;
#endif
    } else {
      spikes[t * neurons + n] = spike ? T(1) : T(0);
    }
  }
};

template <typename T, Reset kReset, Rounding kRounding, bool kPacked>
__global__ void __launch_bounds__(kBlockThreads) forward_kernel(const LifForward<T> a) {
  const int64_t n = global_thread();
  const unsigned active = __ballot_sync(0xFFFFFFFFU, n < a.neurons);
  if (n >= a.neurons) return;
  lif_forward_neuron<kReset, kRounding>(a, n,
                                        Emit<T, kPacked>{a.spikes, a.plane, a.neurons, n, active});
}

template <typename T, Reset kReset>
__global__ void __launch_bounds__(kBlockThreads) backward_kernel(const LifBackward<T> a) {
  const int64_t n = global_thread();
  if (n < a.neurons) lif_backward_neuron<kReset>(a, n);
}

template <typename T, Reset kReset, Rounding kRounding>
void launch_forward(const LifForward<T>& a, cudaStream_t stream) {
  const unsigned blocks = blocks_for(a.neurons);
  if (a.plane != nullptr) {
    forward_kernel<T, kReset, kRounding, true><<<blocks, kBlockThreads, 0, stream>>>(a);
  } else {
    forward_kernel<T, kReset, kRounding, false><<<blocks, kBlockThreads, 0, stream>>>(a);
  }
}

template <typename T>
void forward(const LifForward<T>& a, cudaStream_t stream) {
  const bool hard = a.reset == Reset::kHard, floor = a.rounding == Rounding::kFloor;
  if (hard && floor) {
    launch_forward<T, Reset::kHard, Rounding::kFloor>(a, stream);
  } else if (hard) {
    launch_forward<T, Reset::kHard, Rounding::kNone>(a, stream);
  } else if (floor) {
    launch_forward<T, Reset::kSoft, Rounding::kFloor>(a, stream);
  } else {
    launch_forward<T, Reset::kSoft, Rounding::kNone>(a, stream);
  }
  check_launch("lif");
}

template <typename T>
void backward(const LifBackward<T>& a, cudaStream_t stream) {
  const unsigned blocks = blocks_for(a.neurons);
  if (a.reset == Reset::kHard) {
    backward_kernel<T, Reset::kHard><<<blocks, kBlockThreads, 0, stream>>>(a);
  } else {
    backward_kernel<T, Reset::kSoft><<<blocks, kBlockThreads, 0, stream>>>(a);
  }
  check_launch("_lif_backward");
}

}  // namespace

void lif_forward_cuda(const LifForward<float>& a, CUstream_st* stream) { forward(a, stream); }
void lif_forward_cuda(const LifForward<double>& a, CUstream_st* stream) { forward(a, stream); }
void lif_backward_cuda(const LifBackward<float>& a, CUstream_st* stream) { backward(a, stream); }
void lif_backward_cuda(const LifBackward<double>& a, CUstream_st* stream) { backward(a, stream); }

}  // namespace lampyris
