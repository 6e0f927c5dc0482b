// Runs a piece of a test with each instruction set of this processor.
#pragma once

#include "cpu/isa.h"

namespace lampyris {

template <typename Function>
void for_every_isa(Function function) {
  const Isa before = isa();
  for (const Isa each : {Isa::kBase, Isa::kAvx2, Isa::kAvx512}) {
    if (each > isa_available()) break;
    set_isa(each);
    function();
  }
  set_isa(before);
}

}  // namespace lampyris
