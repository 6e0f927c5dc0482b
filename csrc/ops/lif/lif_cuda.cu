// One thread a neuron, coalesced over N; the membrane stays in a register over T. Bytes of device
// memory a neuron-step, x and spikes in float32, rectangle with a detached, soft or no reset:
//   dense   forward 4 (x) + 4 (spikes) + 0.25 (codes), backward 4 (g) + 0.25 + 4 (grad x) = 16.5
//   packed  forward 4 + 0.125 + 0.25, backward 4 (gradient of the carrier) + 0.25 + 4     = 12.6
// With bfloat16 or float16 8.5 and 6.6. Other surrogates and a hard reset that is not detached save
// u in place of the codes: 4 bytes written and 4 read instead of 0.25 each.
#include "ops/launch.cuh"
#include "ops/lif/lif.h"
#include "ops/lif/lif_emit.cuh"
#include "ops/lif/lif_neuron.h"

namespace lampyris {

namespace {

template <typename X, Reset kReset, Rounding kRounding, bool kPacked>
__global__ void __launch_bounds__(kBlockThreads) forward_kernel(const LifForward<X> a) {
  const int64_t n = global_thread();
  const unsigned active = __ballot_sync(0xFFFFFFFFU, n < a.neurons);
  if (n >= a.neurons) return;
  lif_forward_neuron<kReset, kRounding>(a, n,
                                        EmitSpikes<X, kPacked>{a.spikes, a.plane, a.neurons, n, active});
}

template <typename X, bool kThroughReset>
__global__ void __launch_bounds__(kBlockThreads) codes_kernel(const LifBackward<X> a) {
  const int64_t n = global_thread();
  if (n < a.neurons) lif_backward_from_codes<kThroughReset>(a, n);
}

template <typename X, bool kBefore>
__global__ void __launch_bounds__(kBlockThreads) state_kernel(const LifBackward<X> a) {
  const int64_t n = global_thread();
  if (n < a.neurons) lif_backward_from_state<kBefore>(a, n);
}

template <Reset kReset, Rounding kRounding, typename X>
void launch_forward(const LifForward<X>& a, cudaStream_t stream) {
  const unsigned blocks = blocks_for(a.neurons);
  if (a.plane != nullptr) {
    forward_kernel<X, kReset, kRounding, true><<<blocks, kBlockThreads, 0, stream>>>(a);
  } else {
    forward_kernel<X, kReset, kRounding, false><<<blocks, kBlockThreads, 0, stream>>>(a);
  }
}

template <Rounding kRounding, typename X>
void launch_reset(const LifForward<X>& a, cudaStream_t stream) {
  if (a.reset == Reset::kHard) return launch_forward<Reset::kHard, kRounding>(a, stream);
  if (a.reset == Reset::kSoft) return launch_forward<Reset::kSoft, kRounding>(a, stream);
  launch_forward<Reset::kNone, kRounding>(a, stream);
}

}  // namespace

template <typename X>
void lif_forward_cuda(const LifForward<X>& a, CUstream_st* stream) {
  if constexpr (std::is_same_v<X, Compute<X>>) {
    if (a.rounding == Rounding::kFloor) {
      launch_reset<Rounding::kFloor>(a, stream);
      return check_launch("lif");
    }
  }
  launch_reset<Rounding::kNone>(a, stream);
  check_launch("lif");
}

template <typename X>
void lif_backward_cuda(const LifBackward<X>& a, CUstream_st* stream) {
  const unsigned blocks = blocks_for(a.neurons);
  if (a.state != nullptr && (a.learns() || a.rounding == Rounding::kFloor)) {
    state_kernel<X, true><<<blocks, kBlockThreads, 0, stream>>>(a);
  } else if (a.state != nullptr) {
    state_kernel<X, false><<<blocks, kBlockThreads, 0, stream>>>(a);
  } else if (a.reset == Reset::kSoft && !a.detach_reset) {
    codes_kernel<X, true><<<blocks, kBlockThreads, 0, stream>>>(a);
  } else {
    codes_kernel<X, false><<<blocks, kBlockThreads, 0, stream>>>(a);
  }
  check_launch("_lif_backward");
}

template void lif_forward_cuda(const LifForward<float>&, CUstream_st*);
template void lif_forward_cuda(const LifForward<double>&, CUstream_st*);
template void lif_forward_cuda(const LifForward<BFloat16>&, CUstream_st*);
template void lif_forward_cuda(const LifForward<Float16>&, CUstream_st*);
template void lif_backward_cuda(const LifBackward<float>&, CUstream_st*);
template void lif_backward_cuda(const LifBackward<double>&, CUstream_st*);
template void lif_backward_cuda(const LifBackward<BFloat16>&, CUstream_st*);
template void lif_backward_cuda(const LifBackward<Float16>&, CUstream_st*);

}  // namespace lampyris
