#include "ecc/page_code.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "ecc/page_secded.h"

namespace lampyris::ecc {
namespace {

constexpr size_t kBlock = 256;  // pages between two looks at their words
constexpr int kHammingParity = 7;

}  // namespace

PageCode::PageCode(const Preset& preset) : preset_(preset) {
  if (preset.m != 0) bch_.emplace(BchParameters{preset.m, preset.primitive, preset.t,
                                                int64_t{8} * preset.page_bytes, true});
  masks_[0] = preset.masks[0];
  for (size_t bit = 0; bit < kMaskedBits; ++bit)
    for (size_t i = size_t{1} << bit; i < size_t{2} << bit; ++i)
      masks_[i] = masks_[i - (size_t{1} << bit)] ^ preset.masks[bit + 1];
}

const PageCode& PageCode::of(const Preset& preset) {
  static const PageCode bram(presets()[0]), line(presets()[1]), page(presets()[2]),
      row(presets()[3]), strong(presets()[4]);
  const std::array<const PageCode*, 5> codes = {&bram, &line, &page, &row, &strong};
  const auto index = static_cast<size_t>(&preset - presets().data());
  if (index >= codes.size()) fail("page code: preset must be one of presets(), got {}", preset.name);
  return *codes[index];
}

int64_t PageCode::pages(size_t data_bytes) const {
  const auto bytes = static_cast<size_t>(preset_.page_bytes);
  return static_cast<int64_t>((data_bytes + bytes - 1) / bytes);
}

void PageCode::check_lengths(size_t data_bytes, size_t words) const {
  const int64_t expected = word_bytes(data_bytes);
  if (static_cast<int64_t>(words) != expected)
    fail("page code: check words of {} bytes with preset {} must have {} bytes, got {}", data_bytes,
         preset_.name, expected, words);
}

uint64_t PageCode::load(std::span<const uint8_t> words, int64_t page) const {
  uint64_t word = 0;
  std::memcpy(&word, words.data() + page * preset_.word_bytes,
              static_cast<size_t>(preset_.word_bytes));
  return word;
}

void PageCode::store(std::span<uint8_t> words, int64_t page, uint64_t word) const {
  std::memcpy(words.data() + page * preset_.word_bytes, &word,
              static_cast<size_t>(preset_.word_bytes));
}

void PageCode::parity_of(std::span<const uint8_t> data, std::span<uint64_t> words) const {
  if (bch_) {
    bch_->encode_pages(data, words);
  } else {
    encode_secded(data, words);
  }
}

// Masked words of pages first, first + 1, ...
void PageCode::words_of(std::span<const uint8_t> data, int64_t first,
                        std::span<uint64_t> words) const {
  const auto bytes = static_cast<size_t>(preset_.page_bytes);
  const auto rest = data.subspan(static_cast<size_t>(first) * bytes);
  const size_t whole = std::min(words.size(), rest.size() / bytes);
  parity_of(rest.first(whole * bytes), words.first(whole));
  if (whole < words.size()) {
    std::vector<uint8_t> last(bytes);
    std::copy(rest.begin() + static_cast<ptrdiff_t>(whole * bytes), rest.end(), last.begin());
    parity_of(last, words.subspan(whole, 1));
  }
  for (size_t i = 0; i < words.size(); ++i) words[i] ^= mask(first + static_cast<int64_t>(i));
}

void PageCode::encode(std::span<const uint8_t> data, std::span<uint8_t> words) const {
  check_lengths(data.size(), words.size());
  const auto count = static_cast<size_t>(pages(data.size()));
  std::array<uint64_t, kBlock> block;
  for (size_t first = 0; first < count; first += kBlock) {
    const size_t some = std::min(kBlock, count - first);
    words_of(data, static_cast<int64_t>(first), std::span(block).first(some));
    for (size_t i = 0; i < some; ++i) store(words, static_cast<int64_t>(first + i), block[i]);
  }
}

std::vector<int64_t> PageCode::check(std::span<const uint8_t> data,
                                     std::span<const uint8_t> words) const {
  check_lengths(data.size(), words.size());
  const auto count = static_cast<size_t>(pages(data.size()));
  std::vector<int64_t> dirty;
  std::array<uint64_t, kBlock> block;
  for (size_t first = 0; first < count; first += kBlock) {
    const size_t some = std::min(kBlock, count - first);
    words_of(data, static_cast<int64_t>(first), std::span(block).first(some));
    for (size_t i = 0; i < some; ++i) {
      const auto page = static_cast<int64_t>(first + i);
      if (block[i] != load(words, page)) dirty.push_back(page);
    }
  }
  return dirty;
}

PageErrors PageCode::errors_of(uint64_t difference) const {
  const int parity = bch_ ? bch_->parity_bits() : kHammingParity + 1;
  const uint64_t used = parity == 64 ? ~uint64_t{0} : (uint64_t{1} << parity) - 1;
  PageErrors errors;
  if (bch_) {
    const uint64_t code = difference & used;
    const DecodeResult found = bch_->find_errors({&code, 1}, RootFinder::kAuto);
    if (found.status == Status::kUncorrectable) return {false, {}, 0};
    const int r = parity - 1;
    for (const int32_t position : found.positions) {
      if (position < r) {
        errors.flips |= uint64_t{1} << position;
      } else if (position - r == bch_->data_bits()) {
        errors.flips |= uint64_t{1} << r;
      } else {
        errors.places.push_back(position - r);
      }
    }
  } else {
    errors = locate_secded(difference & used);
  }
  errors.flips |= difference & ~used;
  if (errors.count() > preset_.t) errors.correctable = false;
  return errors;
}

PageErrors PageCode::locate(std::span<const uint8_t> data, std::span<const uint8_t> words,
                            int64_t page) const {
  check_lengths(data.size(), words.size());
  if (page < 0 || page >= pages(data.size()))
    fail_range("page code: page must lie within 0..{}, got {}", pages(data.size()) - 1, page);
  uint64_t word;
  words_of(data, page, {&word, 1});
  PageErrors errors = errors_of(word ^ load(words, page));
  const int64_t bits = 8 * (static_cast<int64_t>(data.size()) - page * preset_.page_bytes);
  if (!errors.places.empty() && errors.places.back() >= bits) errors.correctable = false;
  if (!errors.correctable) return {false, {}, 0};
  return errors;
}

PageErrors PageCode::repair(std::span<uint8_t> data, std::span<uint8_t> words, int64_t page) const {
  PageErrors errors = locate(data, words, page);
  const int64_t begin = page * preset_.page_bytes;
  for (const int32_t place : errors.places)
    data[static_cast<size_t>(begin + place / 8)] ^= static_cast<uint8_t>(1 << place % 8);
  store(words, page, load(words, page) ^ errors.flips);
  return errors;
}

void PageCode::rewrite(std::span<const uint8_t> data, std::span<uint8_t> words,
                       int64_t page) const {
  check_lengths(data.size(), words.size());
  uint64_t word;
  words_of(data, page, {&word, 1});
  store(words, page, word);
}

}  // namespace lampyris::ecc
