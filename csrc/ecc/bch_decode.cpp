// The decoder: parity difference -> odd syndromes -> locator -> roots -> positions, accepted only
// if the remainder then vanishes.
#include <algorithm>
#include <bit>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "ecc/bch_code.h"
#include "ecc/key_equation.h"

namespace lampyris::ecc {
namespace {

constexpr int kWord = 64;
constexpr size_t kFewLimbs = 4;

const DecodeResult kFailed{Status::kUncorrectable, 0, {}};

}  // namespace

void BchCode::build_decoder() {
  const auto positions = static_cast<size_t>(r_ + data_bits());
  columns_.resize(positions * column_limbs_);
  Gf2Polynomial power(1);
  for (size_t p = 0; p < positions; ++p) {
    for (size_t i = 0; i < column_limbs_; ++i) columns_[p * column_limbs_ + i] = power.limb(i);
    power = power << 1;
    if (power.degree() == r_) power ^= generator_;
  }
  const int t = parameters_.t, m = parameters_.m;
  if (t * m > kWord || r_ > kWord) return;
  const auto bytes = static_cast<size_t>((r_ + 7) / 8);
  packed_syndromes_.resize(bytes * 256);
  for (size_t b = 0; b < bytes; ++b) {
    uint64_t* table = &packed_syndromes_[b * 256];
    for (int v = 1; v < 256; ++v) {
      const int64_t p = static_cast<int64_t>(8 * b) + std::countr_zero(static_cast<unsigned>(v));
      uint64_t word = table[v & (v - 1)];
      for (int k = 0; k < t; ++k)
        word ^=
            static_cast<uint64_t>(field_.exp(static_cast<int>((2 * k + 1) * p % field_.order())))
            << k * m;
      table[v] = word;
    }
  }
}

std::span<const uint64_t> BchCode::column(int64_t position) const {
  if (position < 0 || position >= r_ + data_bits()) {
    fail_range("column: position must lie within 0..{}, got {}", r_ + data_bits() - 1, position);
  }
  return {columns_.data() + static_cast<size_t>(position) * column_limbs_, column_limbs_};
}

void BchCode::syndromes(std::span<const uint64_t> remainder, std::span<Element> odd) const {
  const int t = parameters_.t, m = parameters_.m;
  if (!packed_syndromes_.empty()) {
    uint64_t word = 0;
    const uint64_t* table = packed_syndromes_.data();
    for (uint64_t rest = remainder[0]; rest != 0; rest >>= 8, table += 256)
      word ^= table[rest & 255];
    for (int k = 0; k < t; ++k, word >>= m) odd[k] = word & static_cast<uint64_t>(field_.order());
    return;
  }
  for (size_t limb = 0; limb < remainder.size(); ++limb) {
    for (uint64_t rest = remainder[limb]; rest != 0; rest &= rest - 1) {
      const int p = static_cast<int>(limb) * kWord + std::countr_zero(rest);
      for (int k = 0; k < t; ++k)
        odd[k] ^= field_.exp(static_cast<int>(int64_t{2 * k + 1} * p % field_.order()));
    }
  }
}

bool BchCode::vanishes(std::span<const uint64_t> remainder,
                       std::span<const int32_t> positions) const {
  for (size_t limb = 0; limb < column_limbs_; ++limb) {
    uint64_t sum = remainder[limb];
    for (const int32_t p : positions)
      sum ^= columns_[static_cast<size_t>(p) * column_limbs_ + limb];
    if (sum != 0) return false;
  }
  return true;
}

DecodeResult BchCode::find_errors(std::span<const uint64_t> difference, RootFinder finder) const {
  ShortBuffer<uint64_t, kFewLimbs> copy(limbs_);
  std::copy_n(difference.begin(), limbs_, copy.begin());
  bool odd_errors = false;  // the number of errors, by the overall parity bit
  if (parameters_.extended) {
    for (const uint64_t word : copy) odd_errors ^= (std::popcount(word) & 1) != 0;
    copy[static_cast<size_t>(r_ / kWord)] &= ~(uint64_t{1} << r_ % kWord);
  }
  const std::span<const uint64_t> remainder(copy.data(), column_limbs_);
  const auto overall = static_cast<int32_t>(r_ + data_bits());
  if (std::all_of(remainder.begin(), remainder.end(), [](uint64_t w) { return w == 0; })) {
    if (!odd_errors) return {};
    return {Status::kCorrected, 1, {overall}};
  }

  const auto t = static_cast<size_t>(parameters_.t);
  ShortBuffer<Element, kShortLocator> odd(t), roots(t);
  syndromes(remainder, {odd.data(), t});
  const Locator locator = solve_key_equation(field_, {odd.data(), t});
  if (locator.degree < 1) return kFailed;
  const int count = find_roots(field_, locator.polynomial(), finder, {roots.data(), t});
  if (count != locator.degree) return kFailed;

  DecodeResult result{Status::kCorrected, count, {}};
  result.positions.reserve(static_cast<size_t>(count) + 1);
  for (int i = 0; i < count; ++i) {
    const int p = field_.log(roots[static_cast<size_t>(i)]);
    if (p >= overall) return kFailed;
    result.positions.push_back(p);
  }
  if (!vanishes(remainder, result.positions)) return kFailed;
  std::sort(result.positions.begin(), result.positions.end());
  if (parameters_.extended && odd_errors != ((count & 1) != 0)) {
    result.positions.push_back(overall);
    if (++result.count > parameters_.t) return kFailed;
  }
  return result;
}

DecodeResult BchCode::decode(std::span<uint8_t> data, std::span<uint8_t> parity,
                             RootFinder finder) const {
  check_lengths("decode", data.size(), parity.size());
  check_padding("decode", data);
  const int used = parity_bits() % 8;
  if (used != 0 && parity.back() >> used != 0) {
    fail("decode: parity must have zeros in the last {} bits, got {:#x}", 8 - used, parity.back());
  }
  ShortBuffer<uint64_t, kFewLimbs> words(limbs_);
  parity_of(data, {words.data(), limbs_});
  uint64_t any = 0;
  for (size_t i = 0; i < parity.size(); ++i) words[i / 8] ^= uint64_t{parity[i]} << i % 8 * 8;
  for (const uint64_t word : words) any |= word;
  if (any == 0) return {};
  DecodeResult result = find_errors({words.data(), limbs_}, finder);
  for (const int32_t p : result.positions) {
    const auto overall = r_ + data_bits();
    const bool in_data = p >= r_ && p < overall;
    const int64_t i = in_data ? p - r_ : p == overall ? r_ : p;
    (in_data ? data : parity)[static_cast<size_t>(i / 8)] ^= static_cast<uint8_t>(1 << i % 8);
  }
  return result;
}

DecodeResult BchCode::decode_page(std::span<uint8_t> data, uint64_t& word,
                                  RootFinder finder) const {
  check_pages_fit("decode_page", data.size(), 1);
  if (parity_bits() < kWord && word >> parity_bits() != 0) {
    fail("decode_page: word must have {} bits, got {:#x}", parity_bits(), word);
  }
  const uint64_t difference = finish(remainder_of(*word_, data)) ^ word;
  if (difference == 0) return {};
  DecodeResult result = find_errors({&difference, 1}, finder);
  const int64_t overall = r_ + data_bits();
  for (const int32_t p : result.positions) {
    if (p < r_ || p == overall) {
      word ^= uint64_t{1} << (p == overall ? r_ : p);
    } else {
      data[static_cast<size_t>((p - r_) / 8)] ^= static_cast<uint8_t>(1 << (p - r_) % 8);
    }
  }
  return result;
}

}  // namespace lampyris::ecc
