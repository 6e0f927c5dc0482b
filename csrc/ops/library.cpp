// Operators about the library itself.
#include "cpu/isa.h"
#include "cpu/page_pool.h"
#include "cpu/tile_policy.h"
#include "lampyris_ops_build_id.h"
#include "ops/tensor.h"

namespace lampyris {

namespace {

std::string build_id() { return LAMPYRIS_OPS_BUILD_ID; }
std::string isa_text() { return std::string(isa_name(isa())); }
std::string isa_available_text() { return std::string(isa_name(isa_available())); }

// Names of what kernels may use beyond isa(), as /proc/cpuinfo writes them.
std::string cpu_features() {
  std::string names;
  const auto add = [&](bool present, const char* name) {
    if (present) names += (names.empty() ? "" : " ") + std::string(name);
  };
  add(has_avx512_bf16(), "avx512_bf16");
  add(has_vnni(), "avx512_vnni");
  add(has_vbmi2(), "avx512_vbmi2");
  return names;
}

// Lowers the instruction set for the process, returns the one before. For tests and benchmarks.
std::string set_isa_text(std::string name) {
  return std::string(isa_name(set_isa(parse_isa(name))));
}

// Runs kernels on matrix tiles in plain loops, returns whether it was so before. For tests.
bool set_emulated_tiles(bool on) { return emulate_tiles(on); }

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(lampyris, m) {
  m.def("build_id() -> str");
  m.def("isa() -> str");
  m.def("isa_available() -> str");
  m.def("cpu_features() -> str");
  m.def("_set_isa(str name) -> str");
  m.def("_emulate_tiles(bool on) -> bool");
  m.def("_keep_pages(bool on) -> bool");
}

STABLE_TORCH_LIBRARY_IMPL(lampyris, CompositeExplicitAutograd, m) {
  m.impl("build_id", TORCH_BOX(&build_id));
  m.impl("isa", TORCH_BOX(&isa_text));
  m.impl("isa_available", TORCH_BOX(&isa_available_text));
  m.impl("cpu_features", TORCH_BOX(&cpu_features));
  m.impl("_set_isa", TORCH_BOX(&set_isa_text));
  m.impl("_emulate_tiles", TORCH_BOX(&set_emulated_tiles));
  m.impl("_keep_pages", TORCH_BOX(&keep_pages));
}

}  // namespace lampyris
