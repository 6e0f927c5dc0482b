// Event files: any bytes are either refused with std::invalid_argument or read, checked and binned;
// what the whole check finds in order and inside the sensor must bin without complaint.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "driver.h"
#include "events/binning.h"

namespace {

constexpr int64_t kHeight = 6;
constexpr int64_t kWidth = 9;

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "fuzz_dat: %s\n", what);
  std::abort();
}

void expect_event_message(const std::invalid_argument& error) {
  if (std::strncmp(error.what(), "event file: a.dat: ", 19) != 0) broken(error.what());
}

int64_t count_events(const FuzzInput& frames) {
  int64_t sum = 0;
  for (const uint8_t count : frames) sum += count;
  return sum;
}

void try_windows(const lampyris::DatView& file) {
  const lampyris::EventCheck check = file.check(kHeight, kWidth);
  const bool sound = check.unsorted == 0 && check.outside == 0;
  for (const int64_t end : {int64_t{0}, int64_t{40}, int64_t{1} << 31, int64_t{1} << 32}) {
    const lampyris::BinWindow window{end, end / 4 + 1, 4, kHeight, kWidth};
    FuzzInput frames(static_cast<size_t>(window.elements()));
    try {
      lampyris::bin_events(file, window, frames.data());
      if (sound && count_events(frames) > file.lower_bound(end)) broken("more counts than events");
    } catch (const std::invalid_argument& error) {
      expect_event_message(error);
      if (sound) broken("a sound file was refused");
    }
  }
}

}  // namespace

std::vector<FuzzInput> fuzz_seeds() {
  std::string text = "% Data file containing Event2D events.\n% Version 2\n% Height 6\n% Width 9\n";
  text += std::string("\0\x08", 2);
  const std::string header = text;
  for (uint32_t i = 0; i < 20; ++i) {
    const uint32_t words[2] = {3 * i, i % 9 | (i % 6) << 14 | (i % 2) << 28};
    text.append(reinterpret_cast<const char*>(words), sizeof words);
  }
  const std::string events = text.substr(header.size());
  const std::string old = "% Version 2\n" + std::string("\x0c\x08", 2) + events;
  return {FuzzInput(text.begin(), text.end()), FuzzInput(events.begin(), events.end()),
          FuzzInput(old.begin(), old.end())};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    try_windows(lampyris::DatView({data, size}, "a.dat"));
  } catch (const std::invalid_argument& error) {
    expect_event_message(error);
  }
  return 0;
}
