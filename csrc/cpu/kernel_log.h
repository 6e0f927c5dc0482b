// Which kernel an operator chose, for those who ask. Without a listener a note costs one load of an
// atomic; with one, totals per (operator, kernel) are kept for the whole process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lampyris {

// `density` is the share of ones among the spikes of this call, negative where it was not measured.
void note_kernel(std::string_view op, std::string_view kernel, double density);

struct KernelTotal {
  std::string op, kernel;
  int64_t calls = 0;
  int64_t measured = 0;      // calls with a density
  double density_sum = 0.0;  // over those
};

// Whether anyone listens: lets callers skip measuring a density that nothing else needs.
bool kernel_log_active();

// Totals so far, in the order of first appearance. Listeners nest: each takes the difference
// between its stop and its start; the totals are forgotten with the last one.
std::vector<KernelTotal> start_kernel_log();
std::vector<KernelTotal> stop_kernel_log();

}  // namespace lampyris
