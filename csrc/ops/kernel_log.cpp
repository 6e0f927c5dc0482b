// The kernel log for Python: totals as text, one "op <tab> kernel <tab> calls <tab> measured <tab>
// density sum" a line. _note_kernel is for libraries that do not share this one's log (CUDA).
#include "cpu/kernel_log.h"

#include "ops/tensor.h"

namespace lampyris {

namespace {

std::string totals_text(const std::vector<KernelTotal>& totals) {
  std::string out;
  for (const KernelTotal& t : totals) {
    out += text("{}\t{}\t{}\t{}\t{}\n", t.op, t.kernel, t.calls, t.measured, t.density_sum);
  }
  return out;
}

std::string start() { return totals_text(start_kernel_log()); }
std::string stop() { return totals_text(stop_kernel_log()); }
void note(std::string op, std::string kernel, double density) { note_kernel(op, kernel, density); }

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  m.def("_start_kernel_log() -> str");
  m.def("_stop_kernel_log() -> str");
  m.def("_note_kernel(str op, str kernel, float density) -> ()");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CompositeExplicitAutograd, m) {
  m.impl("_start_kernel_log", TORCH_BOX(&start));
  m.impl("_stop_kernel_log", TORCH_BOX(&stop));
  m.impl("_note_kernel", TORCH_BOX(&note));
}

}  // namespace lampyris
