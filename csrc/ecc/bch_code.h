// Binary narrow-sense BCH codes of any length in bits, shortened, optionally with an overall parity
// bit. Bit order: data bit i is bit i % 8 of byte i / 8 and the coefficient of x^(r + i), parity
// bit j that of x^j, r the degree of the generator; the overall parity bit follows as bit r. Bits
// that fill up the last byte are zero and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ecc/field.h"
#include "ecc/gf2_polynomial.h"
#include "ecc/remainder.h"
#include "ecc/root_finder.h"

namespace lampyris::ecc {

struct BchParameters {
  int m = 0;               // the field GF(2^m), 3..16; 0: the smallest that holds the code
  uint32_t primitive = 0;  // its polynomial; 0: kPrimitive[m]
  int t = 1;               // errors corrected
  int64_t data_bits = 0;
  bool extended = false;  // an overall parity bit: t + 1 errors are detected, never "corrected"
  bool operator==(const BchParameters&) const = default;
};

enum class Status : uint8_t { kClean, kCorrected, kUncorrectable };

// Position p < r is parity bit p, r <= p < r + data_bits data bit p - r, and r + data_bits the
// overall parity bit. Ascending; empty unless corrected.
struct DecodeResult {
  Status status = Status::kClean;
  int count = 0;
  std::vector<int32_t> positions;
};

class BchCode {
 public:
  // Refuses parameters that no code has, each with its reason.
  explicit BchCode(const BchParameters& parameters);

  const BchParameters& parameters() const { return parameters_; }  // m and primitive filled in
  const Field& field() const { return field_; }
  const Gf2Polynomial& generator() const { return generator_; }
  int generator_degree() const { return r_; }
  int parity_bits() const { return r_ + (parameters_.extended ? 1 : 0); }
  int64_t data_bits() const { return parameters_.data_bits; }
  int64_t code_bits() const { return data_bits() + parity_bits(); }
  size_t data_bytes() const { return static_cast<size_t>((data_bits() + 7) / 8); }
  size_t parity_bytes() const { return static_cast<size_t>((parity_bits() + 7) / 8); }
  size_t limbs() const { return limbs_; }  // 64-bit words that hold parity_bits()

  // Refuses wrong lengths and padding bits that are not zero.
  void encode(std::span<const uint8_t> data, std::span<uint8_t> parity) const;
  // Corrects up to t errors in place. More of them are kUncorrectable, data and parity untouched,
  // or (unavoidably, at most one word in t! or so) another code word within t errors of what came.
  DecodeResult decode(std::span<uint8_t> data, std::span<uint8_t> parity,
                      RootFinder finder = RootFinder::kAuto) const;

  // Codes of whole bytes with parity_bits() <= 64 only: pages one after another, one word of parity
  // for each. encode_pages writes the words; check_pages returns the pages whose word differs.
  void encode_pages(std::span<const uint8_t> data, std::span<uint64_t> words) const;
  std::vector<int64_t> check_pages(std::span<const uint8_t> data,
                                   std::span<const uint64_t> words) const;
  DecodeResult decode_page(std::span<uint8_t> data, uint64_t& word,
                           RootFinder finder = RootFinder::kAuto) const;

  // The error pattern whose parity difference (computed ^ received, limbs() words) this is.
  DecodeResult find_errors(std::span<const uint64_t> difference, RootFinder finder) const;
  // Parity of the word with the one bit `position` (below r + data_bits): x^position mod generator.
  std::span<const uint64_t> column(int64_t position) const;

 private:
  void parity_of(std::span<const uint8_t> data, std::span<uint64_t> words) const;
  uint64_t finish(uint64_t remainder) const;
  void check_lengths(std::string_view what, size_t data, size_t parity) const;
  void check_padding(std::string_view what, std::span<const uint8_t> data) const;
  void check_pages_fit(std::string_view what, size_t data, size_t words) const;
  void syndromes(std::span<const uint64_t> remainder, std::span<Element> odd) const;
  bool vanishes(std::span<const uint64_t> remainder, std::span<const int32_t> positions) const;
  void build_decoder();

  BchParameters parameters_;
  Field field_;
  Gf2Polynomial generator_;
  int r_;
  size_t limbs_;
  std::optional<WordGenerator> word_;  // parity_bits() <= 64
  std::optional<LimbGenerator> limb_;  // else
  std::vector<uint64_t> columns_;      // [position][limbs of the generator]
  size_t column_limbs_;
  // Odd syndromes of the remainder by its bytes, m bits each in one word; where t m <= 64.
  std::vector<uint64_t> packed_syndromes_;
};

}  // namespace lampyris::ecc
