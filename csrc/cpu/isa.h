// The instruction set that kernels run with: chosen once from the processor, lowered by the
// environment (LAMPYRIS_ISA=base|avx2|avx512|amx) or by set_isa().
#pragma once

#include <string>
#include <string_view>

namespace lampyris {

enum class Isa { kBase = 0, kAvx2 = 1, kAvx512 = 2, kAmx = 3 };

std::string_view isa_name(Isa isa);

// "base", "avx2", "avx512" or "amx"; anything else throws std::invalid_argument.
Isa parse_isa(std::string_view name);

// What processor and operating system support. kAvx2 is x86-64-v3, kAvx512 is x86-64-v4, kAmx adds
// tiles with bfloat16 and int8.
Isa isa_available();

// What kernels use now: isa_available(), lowered by LAMPYRIS_ISA. A name above what is available
// means what is available.
Isa isa();

// Whether products of bfloat16 pairs are instructions that kernels may use now: isa() is kAvx512 or
// more and the processor has AVX512_BF16.
bool has_avx512_bf16();

// Likewise AVX512-VNNI (products of bytes summed in int32) and AVX512-VBMI2 (bytes compressed).
bool has_vnni();
bool has_vbmi2();

// Sets it for the process, never above isa_available(); returns the previous one.
Isa set_isa(Isa isa);

}  // namespace lampyris
