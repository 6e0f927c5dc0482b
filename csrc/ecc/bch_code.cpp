#include "ecc/bch_code.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "ecc/bch_generator.h"

namespace lampyris::ecc {
namespace {

constexpr int kWord = 64;

// data_bits + r <= 2^m - 1, for the m asked for.
bool fits(int m, int64_t data_bits, int r) { return data_bits + r <= (int64_t{1} << m) - 1; }

BchParameters complete(BchParameters p) {
  if (p.data_bits < 1) fail("bch code: data_bits must be >= 1, got {}", p.data_bits);
  if (p.t < 1) fail("bch code: t must be >= 1, got {}", p.t);
  if (p.m == 0 && p.primitive != 0) p.m = std::bit_width(p.primitive) - 1;
  if (p.m == 0) {
    for (p.m = kSmallestField; p.m <= kLargestField; ++p.m) {
      if (2 * p.t - 1 >= (1 << p.m) - 1 || !fits(p.m, p.data_bits, 1)) continue;
      if (fits(p.m, p.data_bits, bch_generator(Field(p.m), p.t).degree())) break;
    }
    if (p.m > kLargestField) {
      fail("bch code: data_bits and parity must fit 2^{} - 1 bits, got data_bits = {} with t = {}",
           kLargestField, p.data_bits, p.t);
    }
  }
  if (p.m < kSmallestField || p.m > kLargestField) {
    fail("bch code: m must be {}..{}, got {}", kSmallestField, kLargestField, p.m);
  }
  if (p.primitive == 0) p.primitive = kPrimitive[static_cast<size_t>(p.m)];
  return p;
}

}  // namespace

BchCode::BchCode(const BchParameters& parameters)
    : parameters_(complete(parameters)),
      field_(parameters_.m, parameters_.primitive),
      generator_(bch_generator(field_, parameters_.t)),
      r_(generator_.degree()),
      limbs_(static_cast<size_t>((parity_bits() + kWord - 1) / kWord)),
      column_limbs_(static_cast<size_t>((r_ + kWord - 1) / kWord)) {
  if (!fits(parameters_.m, data_bits(), r_)) {
    fail("bch code: data_bits must be 1..{} for m = {}, t = {} ({} parity bits), got {}",
         field_.order() - r_, parameters_.m, parameters_.t, r_, data_bits());
  }
  // With the overall parity bit: modulo generator * (x + 1), whose remainder holds both.
  const Gf2Polynomial divisor =
      parameters_.extended ? generator_ * Gf2Polynomial(0b11) : generator_;
  if (divisor.degree() <= kWord) {
    word_.emplace(divisor, r_, data_bits());
  } else {
    limb_.emplace(divisor, r_);
  }
  build_decoder();
}

// The remainder R' modulo generator * (x + 1) holds the data's parity R'(1) and R = R' modulo the
// generator; as the generator has odd weight, R(1) + R'(1) is bit r of R'.
uint64_t BchCode::finish(uint64_t remainder) const {
  if (!parameters_.extended) return remainder;
  const uint64_t over = -(remainder >> r_ & 1) & (generator_.limb(0) ^ uint64_t{1} << r_);
  return remainder ^ over;
}

void BchCode::parity_of(std::span<const uint8_t> data, std::span<uint64_t> words) const {
  if (word_) {
    words[0] = finish(remainder_of(*word_, data));
    return;
  }
  remainder_of(*limb_, data, words);
  const auto top = static_cast<size_t>(r_ / kWord);
  if (!parameters_.extended || (words[top] >> r_ % kWord & 1) == 0) return;
  for (size_t i = 0; i < limbs_; ++i) words[i] ^= generator_.limb(i);
  words[top] ^= uint64_t{1} << r_ % kWord;
}

void BchCode::check_lengths(std::string_view what, size_t data, size_t parity) const {
  if (data != data_bytes()) {
    fail("{}: data must have {} bytes ({} bits), got {}", what, data_bytes(), data_bits(), data);
  }
  if (parity != parity_bytes()) {
    fail("{}: parity must have {} bytes ({} bits), got {}", what, parity_bytes(), parity_bits(),
         parity);
  }
}

void BchCode::check_padding(std::string_view what, std::span<const uint8_t> data) const {
  const auto used = static_cast<int>(data_bits() % 8);
  if (used != 0 && data.back() >> used != 0) {
    fail("{}: data must have zeros in the last {} bits, got {:#x}", what, 8 - used, data.back());
  }
}

void BchCode::check_pages_fit(std::string_view what, size_t data, size_t words) const {
  if (!word_ || data_bits() % 8 != 0) {
    fail("{}: pages must have whole bytes and at most 64 parity bits, got {} and {} bits", what,
         data_bits(), parity_bits());
  }
  if (words == 0 ? data != 0 : data % words != 0 || data / words != data_bytes()) {
    fail("{}: data must have {} bytes for each of {} words, got {}", what, data_bytes(), words,
         data);
  }
}

void BchCode::encode(std::span<const uint8_t> data, std::span<uint8_t> parity) const {
  check_lengths("encode", data.size(), parity.size());
  check_padding("encode", data);
  std::array<uint64_t, 4> few{};
  std::vector<uint64_t> many(limbs_ > few.size() ? limbs_ : 0);
  const std::span<uint64_t> words(many.empty() ? few.data() : many.data(), limbs_);
  parity_of(data, words);
  for (size_t i = 0; i < parity.size(); ++i)
    parity[i] = static_cast<uint8_t>(words[i / 8] >> i % 8 * 8);
}

void BchCode::encode_pages(std::span<const uint8_t> data, std::span<uint64_t> words) const {
  check_pages_fit("encode_pages", data.size(), words.size());
  remainders_of(*word_, data.data(), static_cast<int64_t>(data_bytes()), words);
  if (parameters_.extended)
    for (uint64_t& word : words) word = finish(word);
}

std::vector<int64_t> BchCode::check_pages(std::span<const uint8_t> data,
                                          std::span<const uint64_t> words) const {
  check_pages_fit("check_pages", data.size(), words.size());
  constexpr size_t kBlock = 64;  // pages whose words stay in the first cache
  std::array<uint64_t, kBlock> computed;
  std::vector<int64_t> dirty;
  for (size_t first = 0; first < words.size(); first += kBlock) {
    const size_t count = std::min(kBlock, words.size() - first);
    remainders_of(*word_, data.data() + first * data_bytes(), static_cast<int64_t>(data_bytes()),
                  {computed.data(), count});
    for (size_t i = 0; i < count; ++i)
      if (finish(computed[i]) != words[first + i]) dirty.push_back(static_cast<int64_t>(first + i));
  }
  return dirty;
}

}  // namespace lampyris::ecc
