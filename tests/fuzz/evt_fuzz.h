// What the targets of raw recordings share. Inputs are words alone: half of the inputs would
// otherwise die in the header; the whole bytes are tried as a file as well.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "driver.h"
#include "events/evt_file.h"
#include "events/frames.h"

namespace evt_fuzz {

inline constexpr int64_t kHeight = 6;
inline constexpr int64_t kWidth = 9;

[[noreturn]] inline void broken(const char* what) {
  std::fprintf(stderr, "fuzz_evt: %s\n", what);
  std::abort();
}

inline void expect_event_message(const std::invalid_argument& error) {
  if (std::strncmp(error.what(), "event file: a.raw: ", 19) != 0) broken(error.what());
}

inline void try_file(const lampyris::EvtView& file) {
  const int64_t size = file.index().size;
  const lampyris::EventCheck check = file.check(kHeight, kWidth);
  const bool sound = check.unsorted == 0 && check.outside == 0;
  if (static_cast<int64_t>(file.read(0, size).size()) != size) broken("read gives another number");
  const int64_t third = size / 3;
  if (static_cast<int64_t>(file.read(third, size - third).size()) != size - 2 * third) {
    broken("a part has another length");
  }
  for (const int64_t end : {int64_t{0}, int64_t{100}, int64_t{1} << 24, int64_t{1} << 36}) {
    const lampyris::BinWindow window{end, end / 4 + 1, 4, kHeight, kWidth};
    FuzzInput frames(static_cast<size_t>(window.elements()));
    try {
      lampyris::EvtReader reader(file, lampyris::event_window(window));
      lampyris::render_frames(reader, window, {}, frames.data());
      int64_t sum = 0;
      for (const uint8_t count : frames) sum += count;
      if (sound && sum > file.lower_bound(end)) broken("more counts than events");
      for (const lampyris::Representation kind :
           {lampyris::Representation::kPolarity, lampyris::Representation::kSurface,
            lampyris::Representation::kVoxel}) {
        // The table of a surface costs more than all the rest: one window has it.
        if (kind == lampyris::Representation::kSurface && end != 100) continue;
        lampyris::EvtReader again(file, lampyris::event_window(window));
        lampyris::render_frames(again, window, {kind, 1, 255, 1000.0}, frames.data());
      }
    } catch (const std::invalid_argument& error) {
      expect_event_message(error);
      if (sound) broken("a sound recording was refused");
    }
  }
}

inline void run(const std::string& header, const uint8_t* data, size_t size) {
  FuzzInput headed(header.begin(), header.end());
  headed.insert(headed.end(), data, data + size);
  for (const std::span<const uint8_t> bytes : {std::span<const uint8_t>(data, size), {headed}}) {
    try {
      try_file(lampyris::EvtView(bytes, "a.raw"));
    } catch (const std::invalid_argument& error) {
      expect_event_message(error);
    }
  }
}

template <class Word>
void append(FuzzInput& bytes, std::initializer_list<uint32_t> words) {
  for (const uint32_t value : words) {
    for (size_t byte = 0; byte < sizeof(Word); ++byte) {
      bytes.push_back(static_cast<uint8_t>(value >> 8 * byte));
    }
  }
}

// A whole file; words alone with every type; a wrap of the time.
inline std::vector<FuzzInput> seeds(int version) {
  const std::string text = version == 2 ? "% evt 2.0\n% format EVT2;height=6;width=9\n% end\n"
                                        : "% evt 3.0\n% geometry 9x6\n% end\n";
  FuzzInput file(text.begin(), text.end()), words, wrap;
  if (version == 2) {
    append<uint32_t>(words, {0x80000001, 0x10800803, 0x00c01004, 0xa0000000, 0xe0000000, 0xf0000000,
                             0x80000002, 0x00001805, 0x10402002});
    append<uint32_t>(wrap, {0x8fffffff, 0x10000801, 0x80000000, 0x10000801});
  } else {
    append<uint16_t>(words, {0x8001, 0x600a, 0x0003, 0x2804, 0x3001, 0x4013, 0x5005, 0x7000, 0xa001,
                             0xe000, 0xf000, 0x600b, 0x0001, 0x2001});
    append<uint16_t>(wrap, {0x8fff, 0x6fff, 0x0001, 0x2801, 0x8000, 0x6001, 0x2801});
  }
  file.insert(file.end(), words.begin(), words.end());
  return {file, words, wrap};
}

}  // namespace evt_fuzz
