#include "ecc/preset.h"

#include <algorithm>

namespace lampyris::ecc {
namespace {

// The masks come from a random search; tests prove their distance.
constexpr std::array<Preset, 5> kPresets = {{
    {"bram", 8, 1, 1, 0, 0, {0xB4, 0x74, 0xF6, 0xB1, 0xAA, 0xB7, 0x88}},
    {"line", 64, 4, 3, 10, 0x409,
     {0x650A7968, 0x55B8A8B3, 0x24E46C27, 0x7051023, 0x380B5D01, 0x80444B2, 0x63A257E3}},
    {"page", 512, 8, 4, 13, 0x201B,
     {0x10ED3177CA7192, 0x2421F612B33BD, 0x1237E55C3941C5, 0x14B5C4E183F275, 0x24B6C1FA5CDAF,
      0x7CDEF175C40A3, 0x4D72B91712EF4}},
    {"row", 256, 8, 5, 12, 0x1053,
     {0x105B8FD1605E5DF2, 0x18048AFB1BAD3673, 0x126B86199153507D, 0x1BCA75CE169D9DCD,
      0xB21EBEF971DC798, 0x149C19A339E22B6C, 0x59A499895235BC1}},
    {"strong", 32, 8, 5, 9, 0x211,
     {0x2433451A4183, 0x21C1C0FB8EC2, 0x1ACA4E182CD3, 0x6B6F24A632D, 0x2E0EE22CEE24,
      0x2423145DA896, 0x1ED9B508722F}},
}};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

std::string preset_names() {
  std::string names;
  for (size_t i = 0; i < kPresets.size(); ++i) {
    names += i == 0 ? "" : i + 1 == kPresets.size() ? " or " : ", ";
    names += kPresets[i].name;
  }
  return names;
}

const Preset* find_preset(std::string_view name) {
  const auto found = std::find_if(kPresets.begin(), kPresets.end(),
                                  [&](const Preset& preset) { return preset.name == name; });
  return found == kPresets.end() ? nullptr : &*found;
}

}  // namespace lampyris::ecc
