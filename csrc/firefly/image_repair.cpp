#include "firefly/image_repair.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "core/error.h"

namespace lampyris {
namespace {

int64_t section_of(int64_t page, const ecc::Preset& preset) {
  return page * preset.page_bytes / kSectionBytes;
}

std::span<const uint8_t> section_at(std::span<const uint8_t> data, size_t section) {
  const size_t begin = section * static_cast<size_t>(kSectionBytes);
  return data.subspan(begin, std::min<size_t>(kSectionBytes, data.size() - begin));
}

// A section as its checksum says has the limit that the plan says.
void check_limit(const SafetensorsEntry& entry, const TensorProtection& protection, size_t section,
                 std::span<const uint8_t> bytes) {
  if (protection.limits.empty()) return;
  const int limit = section_limit(bytes);
  if (limit != protection.limits[section])
    fail("weight image: ecc limit of section {} of tensor {}, expected {}, got {}", section,
         entry.name, limit, protection.limits[section]);
}

bool passes(const SafetensorsEntry& entry, const TensorProtection& protection, size_t section,
            std::span<const uint8_t> bytes, bool refuses) {
  const int64_t place = entry.begin + static_cast<int64_t>(section) * kSectionBytes;
  const uint32_t crc = section_crc(bytes, place), expected = protection.sections[section];
  if (crc != expected && refuses)
    fail("weight image: CRC-32C of section {} of tensor {}, expected 0x{:08x}, got 0x{:08x}",
         section, entry.name, expected, crc);
  if (crc == expected) check_limit(entry, protection, section, bytes);
  return crc == expected;
}

class TensorRepairer {
 public:
  TensorRepairer(const SafetensorsEntry& entry, const TensorProtection& protection,
                 const ReadOptions& options, std::span<uint8_t> data, std::span<uint8_t> words)
      : entry_(entry),
        protection_(protection),
        code_(ecc::PageCode::of(*protection.preset)),
        zeroes_(may_zero(entry, options)),
        by_limit_(options.on_uncorrectable == OnUncorrectable::kZeroWeights),
        data_(data),
        words_(words),
        lost_(protection.sections.size()),
        corrected_(protection.sections.size()) {}

  static bool may_zero(const SafetensorsEntry& entry, const ReadOptions& options) {
    return options.on_uncorrectable != OnUncorrectable::kRefuse && !options.strict &&
           is_weights(entry.name);
  }

  void run(const std::vector<int64_t>& dirty, TensorRepair& row) {
    for (const int64_t page : dirty) {
      const ecc::PageErrors errors = code_.repair(data_, words_, page);
      const auto section = static_cast<size_t>(section_of(page, code_.preset()));
      if (errors.correctable) {
        corrected_[section].emplace_back(page, errors.count());
        ++row.corrected_pages;
        row.corrected_bits += errors.count();
        continue;
      }
      if (!zeroes_)
        fail("weight image: page {} of tensor {}, expected at most {} wrong bits, got more", page,
             entry_.name, code_.preset().t);
      lost_[section] = true;
      zero_page(page, by_limit_, row);
    }
    for (size_t section = 0; section < lost_.size(); ++section)
      if (!lost_[section] &&
          !passes(entry_, protection_, section, section_at(data_, section), !zeroes_))
        zero_doubtful(section, row);
  }

 private:
  int64_t page_bytes() const { return code_.preset().page_bytes; }

  // All pages of the section decode, but its checksum fails: a corrected page went to a wrong code
  // word.
  void zero_doubtful(size_t section, TensorRepair& row) {
    for (const auto& [page, bits] : corrected_[section]) {
      --row.corrected_pages;
      row.corrected_bits -= bits;
      zero_page(page, by_limit_, row);
    }
    if (!corrected_[section].empty()) return;
    const auto begin = static_cast<int64_t>(section) * kSectionBytes;
    const auto end = begin + static_cast<int64_t>(section_at(data_, section).size());
    for (int64_t at = begin; at < end; at += page_bytes()) zero_page(at / page_bytes(), false, row);
  }

  void zero_page(int64_t page, bool by_limit, TensorRepair& row) {
    const auto begin = static_cast<size_t>(page * page_bytes());
    const auto end = std::min(data_.size(), begin + static_cast<size_t>(page_bytes()));
    const int limit = protection_.limits[begin / static_cast<size_t>(kSectionBytes)];
    for (size_t i = begin; i < end; ++i) {
      const bool zero = !by_limit || static_cast<int64_t>(i) >= protection_.bytes ||
                        std::abs(static_cast<int8_t>(data_[i])) > limit;
      if (!zero || data_[i] == 0) continue;
      data_[i] = 0;
      ++row.zeroed_weights;
    }
    ++row.uncorrectable_pages;
    code_.rewrite(data_, words_, page);
  }

  const SafetensorsEntry& entry_;
  const TensorProtection& protection_;
  const ecc::PageCode& code_;
  const bool zeroes_, by_limit_;
  std::span<uint8_t> data_, words_;
  // By section: whether it has an uncorrectable page, and its corrected pages with their wrong bits.
  std::vector<bool> lost_;
  std::vector<std::vector<std::pair<int64_t, int>>> corrected_;
};

// Bytes behind the last check word are known: zero.
void repair_padding(std::span<const uint8_t> padding, std::vector<uint8_t>& parity,
                    Repairs& repairs) {
  int64_t bits = 0;
  for (const uint8_t byte : padding) bits += std::popcount(byte);
  if (bits == 0) return;
  std::fill(parity.end() - static_cast<ptrdiff_t>(padding.size()), parity.end(), uint8_t{0});
  repairs.push_back({std::string(kParity), "", 1, 1, bits, 0, 0});
}

void refuse_any(const Repairs& repairs) {
  for (const TensorRepair& row : repairs)
    if (row.corrected_pages != 0)
      fail("weight image: tensor {}, expected no wrong bits, got {} on {} pages", row.tensor,
           row.corrected_bits, row.corrected_pages);
}

}  // namespace

RepairedTensors repair_tensors(const Protection& protection,
                               const std::vector<SafetensorsEntry>& entries,
                               std::span<const uint8_t> data, const ReadOptions& options,
                               Repairs& repairs) {
  RepairedTensors result;
  if (protection.empty()) return result;
  const auto stored = [&](const SafetensorsEntry& entry) {
    return data.subspan(static_cast<size_t>(entry.begin),
                        static_cast<size_t>(entry.end - entry.begin));
  };
  const auto parity_entry = std::find_if(entries.begin(), entries.end(),
                                         [](const auto& e) { return e.name == kParity; });
  const auto parity = stored(*parity_entry);
  const auto copy_of = [&](std::string_view name, std::span<const uint8_t> bytes) {
    const auto [place, added] = result.replaced.try_emplace(std::string(name));
    if (added) place->second.assign(bytes.begin(), bytes.end());
    return std::span(place->second);
  };
  size_t words = 0;
  for (const auto& entry : entries) {
    const auto found = protection.find(entry.name);
    if (found == protection.end()) continue;
    const TensorProtection& tensor = found->second;
    const auto begin = static_cast<size_t>(tensor.begin), length = static_cast<size_t>(tensor.words);
    words = begin + length;
    const ecc::PageCode& code = ecc::PageCode::of(*tensor.preset);
    const auto bytes = stored(entry);
    TensorRepair row{entry.name, std::string(tensor.preset->name), code.pages(bytes.size())};
    const auto dirty = code.check(bytes, parity.subspan(begin, length));
    bool clean = dirty.empty();
    const bool refuses = !TensorRepairer::may_zero(entry, options);
    for (size_t section = 0; clean && section < tensor.sections.size(); ++section)
      clean = passes(entry, tensor, section, section_at(bytes, section), refuses);
    if (!clean) {
      const auto new_words = copy_of(kParity, parity).subspan(begin, length);
      TensorRepairer(entry, tensor, options, copy_of(entry.name, bytes), new_words).run(dirty, row);
      if (row.uncorrectable_pages != 0) {
        result.partly_zero.insert(entry.name);
        result.partly_zero.insert(std::string(kParity));
      }
    }
    repairs.push_back(std::move(row));
  }
  const auto padding = parity.subspan(words);
  if (std::any_of(padding.begin(), padding.end(), [](uint8_t byte) { return byte != 0; })) {
    copy_of(kParity, parity);
    repair_padding(padding, result.replaced.find(kParity)->second, repairs);
  }
  if (options.strict) refuse_any(repairs);
  return result;
}

}  // namespace lampyris
