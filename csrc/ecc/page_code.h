// Check words of the pages of a memory section: encoding, checking, correcting.
// A section is cut into pages from its start; a last, shorter page counts as followed by zeros, and
// no correction may fall into them. Words lie behind one another, preset().word_bytes each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ecc/bch_code.h"
#include "ecc/page_errors.h"
#include "ecc/preset.h"

namespace lampyris::ecc {

class PageCode {
 public:
  // Made at the first use of a preset and kept.
  static const PageCode& of(const Preset& preset);

  const Preset& preset() const { return preset_; }
  int64_t pages(size_t data_bytes) const;
  int64_t word_bytes(size_t data_bytes) const { return pages(data_bytes) * preset_.word_bytes; }

  // Check words of a section. Throws std::invalid_argument for a wrong length of `words`.
  void encode(std::span<const uint8_t> data, std::span<uint8_t> words) const;
  // Numbers of the pages with wrong bits, in page or check word.
  std::vector<int64_t> check(std::span<const uint8_t> data, std::span<const uint8_t> words) const;

  // The wrong bits of one page; not correctable beyond t.
  PageErrors locate(std::span<const uint8_t> data, std::span<const uint8_t> words,
                    int64_t page) const;
  // locate(), then corrects where that is possible.
  PageErrors repair(std::span<uint8_t> data, std::span<uint8_t> words, int64_t page) const;
  // Writes the check word of one page.
  void rewrite(std::span<const uint8_t> data, std::span<uint8_t> words, int64_t page) const;

 private:
  explicit PageCode(const Preset& preset);
  uint64_t mask(int64_t page) const { return masks_[static_cast<size_t>(page) % masks_.size()]; }
  void parity_of(std::span<const uint8_t> data, std::span<uint64_t> words) const;
  void words_of(std::span<const uint8_t> data, int64_t first, std::span<uint64_t> words) const;
  uint64_t load(std::span<const uint8_t> words, int64_t page) const;
  void store(std::span<uint8_t> words, int64_t page, uint64_t word) const;
  void check_lengths(size_t data_bytes, size_t words) const;
  PageErrors errors_of(uint64_t difference) const;

  const Preset& preset_;
  std::optional<BchCode> bch_;
  std::array<uint64_t, size_t{1} << kMaskedBits> masks_;
};

}  // namespace lampyris::ecc
