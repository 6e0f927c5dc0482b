// What happens once a channel, in float64: sums to moments, moments to the constants of the passes.
// Sums of a process, and of several added up, are [2 C + 1]: of x, of x^2, and the count n.
// Moments are [2 C + 1]: mean, 1 / sqrt(var + eps), n.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/attributes.h"

namespace lampyris {

// Sums about a pivot, of n values, to sums about 0.
LAMPYRIS_INLINE void tdbn_uncentre(double pivot, double n, double& sum, double& squares) {
  squares += pivot * (2 * sum + n * pivot);
  sum += n * pivot;
}

LAMPYRIS_INLINE double tdbn_inverse_std(double variance, double eps) {
  return 1 / std::sqrt(variance + eps);
}

// Moments of channel c; running statistics, when there are any, move as torch's do: unbiased
// variance.
template <typename T>
LAMPYRIS_INLINE void tdbn_moments_channel(const double* sums, int64_t channels, int64_t c,
                                          double momentum, double eps, T* running_mean,
                                          T* running_var, double* moments) {
  const double n = sums[2 * channels], mean = sums[c] / n;
  const double biased = sums[channels + c] / n - mean * mean;
  const double variance = biased < 0 ? 0 : biased;
  moments[c] = mean;
  moments[channels + c] = tdbn_inverse_std(variance, eps);
  if (running_mean != nullptr) {
    const double old = static_cast<double>(running_mean[c]);
    running_mean[c] = static_cast<T>(old + momentum * (mean - old));
  }
  if (running_var != nullptr) {
    const double old = static_cast<double>(running_var[c]), unbiased = variance * (n / (n - 1));
    running_var[c] = static_cast<T>(old + momentum * (unbiased - old));
  }
}

// y = x scale + shift
template <typename T>
LAMPYRIS_INLINE void tdbn_forward_channel(const double* moments, const T* weight, const T* bias,
                                          int64_t channels, int64_t c, T* scale, T* shift) {
  const double w = weight == nullptr ? 1 : static_cast<double>(weight[c]);
  const double b = bias == nullptr ? 0 : static_cast<double>(bias[c]);
  const double s = w * moments[channels + c];
  scale[c] = static_cast<T>(s);
  shift[c] = static_cast<T>(b - moments[c] * s);
}

// dx = a dz + b (x - mean) + d, with sums = (sum dz, sum dz (x - mean)) over all n values; null for
// given statistics, which do not depend on x.
template <typename T>
LAMPYRIS_INLINE void tdbn_backward_channel(const double* moments, const T* weight,
                                           const double* sums, int64_t channels, int64_t c, T* a,
                                           T* b, T* d) {
  const double w = weight == nullptr ? 1 : static_cast<double>(weight[c]);
  const double inverse_std = moments[channels + c], n = moments[2 * channels];
  const double scale = w * inverse_std;
  a[c] = static_cast<T>(scale);
  b[c] = sums == nullptr
             ? T(0)
             : static_cast<T>(-scale * inverse_std * inverse_std * sums[channels + c] / n);
  d[c] = sums == nullptr ? T(0) : static_cast<T>(-scale * sums[c] / n);
}

}  // namespace lampyris
