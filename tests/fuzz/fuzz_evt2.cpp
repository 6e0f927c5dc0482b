// EVT2 recordings: any bytes are either refused with std::invalid_argument or read, indexed, checked
// and binned.
#include "evt_fuzz.h"

std::vector<FuzzInput> fuzz_seeds() { return evt_fuzz::seeds(2); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  evt_fuzz::run("% evt 2.0\n", data, size);
  return 0;
}
