#include "ecc/wide_field.h"

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "ecc/carryless.h"

namespace lampyris::ecc {
namespace {

constexpr int kLimb = 64;
constexpr int kTerms = 5;

struct Entry {
  int terms;
  std::array<int, kTerms> exponents;
};

constexpr std::array<Entry, 14> kWidePolynomials = {{
    {5, {8, 4, 3, 1, 0}},
    {5, {16, 5, 3, 1, 0}},
    {5, {32, 7, 3, 2, 0}},
    {5, {45, 4, 3, 1, 0}},
    {5, {64, 4, 3, 1, 0}},
    {5, {128, 7, 2, 1, 0}},
    {5, {131, 8, 3, 2, 0}},
    {5, {163, 7, 6, 3, 0}},
    {3, {193, 15, 0}},
    {3, {233, 74, 0}},
    {3, {239, 36, 0}},
    {5, {283, 12, 7, 5, 0}},
    {3, {409, 87, 0}},
    {5, {571, 10, 5, 2, 0}},
}};

// product ^= value x^position.
void add_at(std::array<uint64_t, 2 * kWideLimbs>& product, uint64_t value, int position) {
  const auto limb = static_cast<size_t>(position / kLimb);
  const int shift = position % kLimb;
  product[limb] ^= value << shift;
  if (shift != 0 && limb + 1 < product.size()) product[limb + 1] ^= value >> (kLimb - shift);
}

// The bits of v with a zero after each.
uint64_t spread(uint32_t v) {
  uint64_t x = v;
  x = (x | x << 16) & 0x0000ffff0000ffff;
  x = (x | x << 8) & 0x00ff00ff00ff00ff;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x << 2) & 0x3333333333333333;
  return (x | x << 1) & 0x5555555555555555;
}

}  // namespace

std::span<const int> wide_polynomial(int m) {
  for (const Entry& entry : kWidePolynomials)
    if (entry.exponents[0] == m) return {entry.exponents.data(), static_cast<size_t>(entry.terms)};
  return {};
}

std::vector<int> wide_degrees() {
  std::vector<int> degrees;
  for (const Entry& entry : kWidePolynomials) degrees.push_back(entry.exponents[0]);
  return degrees;
}

WideField::WideField(const Gf2Polynomial& polynomial)
    : m_(polynomial.degree()),
      limbs_(static_cast<size_t>((m_ + kLimb - 1) / kLimb)),
      polynomial_(polynomial) {
  if (m_ < 2 || m_ > kWidestField) {
    fail("wide field: degree must be 2..{}, got {}", kWidestField, m_);
  }
  if (!is_irreducible(polynomial)) {
    fail("wide field: polynomial must be irreducible, got {}", to_text(polynomial));
  }
  lower_ = polynomial.exponents();
  lower_.erase(lower_.begin());
}

WideElement WideField::element(const Gf2Polynomial& value) const {
  if (value.degree() >= m_) {
    fail("wide field: element must have degree below {}, got {}", m_, value.degree());
  }
  WideElement out{};
  std::copy(value.limbs().begin(), value.limbs().end(), out.begin());
  return out;
}

Gf2Polynomial WideField::value(const WideElement& element) const {
  return Gf2Polynomial(std::vector<uint64_t>(element.begin(), element.end()));
}

// x^(m + i) = sum of x^(e + i): whole limbs from the top, then the bits above m of the limb that
// holds x^m. A limb may feed back into itself where an exponent is close to m; it then goes again.
WideElement WideField::reduce(Product& product) const {
  const auto last = static_cast<size_t>(m_ / kLimb);
  for (size_t i = 2 * limbs_ - 1; i > last; --i) {
    while (product[i] != 0) {
      const uint64_t high = product[i];
      product[i] = 0;
      for (const int e : lower_) add_at(product, high, static_cast<int>(i) * kLimb - m_ + e);
    }
  }
  const int used = m_ % kLimb;
  while (const uint64_t high = product[last] >> used) {
    product[last] ^= high << used;
    for (const int e : lower_) add_at(product, high, e);
  }
  WideElement out{};
  std::copy_n(product.begin(), limbs_, out.begin());
  return out;
}

WideElement WideField::multiply(const WideElement& a, const WideElement& b) const {
  Product product{};
  const bool hardware = has_carryless();
  for (size_t i = 0; i < limbs_; ++i) {
    for (size_t k = 0; k < limbs_; ++k) {
      const Product128 p = hardware ? carryless_multiply_hardware(a[i], b[k])
                                    : carryless_multiply_portable(a[i], b[k]);
      product[i + k] ^= p.low;
      product[i + k + 1] ^= p.high;
    }
  }
  return reduce(product);
}

WideElement WideField::square(const WideElement& a) const {
  Product product{};
  for (size_t i = 0; i < limbs_; ++i) {
    product[2 * i] = spread(static_cast<uint32_t>(a[i]));
    product[2 * i + 1] = spread(static_cast<uint32_t>(a[i] >> 32));
  }
  return reduce(product);
}

WideElement WideField::power(const WideElement& a, uint64_t exponent) const {
  WideElement result{1}, base = a;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = multiply(result, base);
    base = square(base);
  }
  return result;
}

WideElement WideField::inverse(const WideElement& a) const {
  if (a == WideElement{}) fail("wide field: a must be other than 0 to have an inverse, got 0");
  // power = a^(2^ones - 1); the bits of m - 1 from the top double and extend the run of ones.
  const auto target = static_cast<unsigned>(m_ - 1);
  WideElement power = a;
  int ones = 1;
  for (int bit = std::bit_width(target) - 2; bit >= 0; --bit) {
    WideElement shifted = power;
    for (int i = 0; i < ones; ++i) shifted = square(shifted);
    power = multiply(power, shifted);
    ones *= 2;
    if ((target >> bit & 1) != 0) {
      power = multiply(square(power), a);
      ++ones;
    }
  }
  return square(power);
}

}  // namespace lampyris::ecc
