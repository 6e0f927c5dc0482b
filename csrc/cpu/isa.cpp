#include "cpu/isa.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

#include "core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace lampyris {

namespace {

constexpr std::array<std::string_view, 4> kNames = {"base", "avx2", "avx512", "amx"};

bool amx_permitted() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr unsigned kBfloat16 = 1U << 22, kTile = 1U << 24, kInt8 = 1U << 25;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d & kBfloat16) == 0 || (d & kTile) == 0 || (d & kInt8) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // arch_prctl(2)
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

Isa detect() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return amx_permitted() ? Isa::kAmx : Isa::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    return Isa::kAvx2;
  }
#endif
  return Isa::kBase;
}

Isa from_environment() {
  const char* wanted = std::getenv("LAMPYRIS_ISA");
  if (wanted == nullptr || *wanted == '\0') return isa_available();
  return std::min(parse_isa(wanted), isa_available());
}

std::atomic<Isa>& chosen() {
  static std::atomic<Isa> isa{from_environment()};
  return isa;
}

}  // namespace

std::string_view isa_name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

Isa parse_isa(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    fail("LAMPYRIS_ISA: must be base, avx2, avx512 or amx, got \"{}\"", name);
  }
  return static_cast<Isa>(found - kNames.begin());
}

Isa isa_available() {
  static const Isa available = detect();
  return available;
}

Isa isa() { return chosen().load(std::memory_order_relaxed); }

bool has_avx512_bf16() {
#if defined(__x86_64__)
  static const bool present = __builtin_cpu_supports("avx512bf16") != 0;
  return present && isa() >= Isa::kAvx512;
#else
  return false;
#endif
}

bool has_vnni() {
#if defined(__x86_64__)
  static const bool present = __builtin_cpu_supports("avx512vnni") != 0;
  return present && isa() >= Isa::kAvx512;
#else
  return false;
#endif
}

bool has_vbmi2() {
#if defined(__x86_64__)
  static const bool present = __builtin_cpu_supports("avx512vbmi") != 0 &&
                              __builtin_cpu_supports("avx512vbmi2") != 0;
  return present && isa() >= Isa::kAvx512;
#else
  return false;
#endif
}

Isa set_isa(Isa isa) { return chosen().exchange(std::min(isa, isa_available())); }

}  // namespace lampyris
