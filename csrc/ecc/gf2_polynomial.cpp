#include "ecc/gf2_polynomial.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/error.h"
#include "ecc/carryless.h"

namespace lampyris::ecc {
namespace {

constexpr int kLimb = 64;

std::vector<uint64_t> prime_divisors(uint64_t n) {
  std::vector<uint64_t> primes;
  for (uint64_t p = 2; p * p <= n; ++p) {
    if (n % p != 0) continue;
    primes.push_back(p);
    while (n % p == 0) n /= p;
  }
  if (n > 1) primes.push_back(n);
  return primes;
}

// Primes that divide 2^degree - 1: each is 1 modulo one of the primes that divide the degree.
std::vector<uint64_t> mersenne_divisors(int degree) {
  uint64_t n = ~uint64_t{0} >> (kLimb - degree);
  std::vector<uint64_t> primes;
  for (const uint64_t q : prime_divisors(static_cast<uint64_t>(degree))) {
    for (uint64_t p = q + 1; p <= n / p; p += q) {
      if (n % p != 0) continue;
      primes.push_back(p);
      while (n % p == 0) n /= p;
    }
  }
  if (n > 1) primes.push_back(n);
  return primes;
}

}  // namespace

Gf2Polynomial::Gf2Polynomial(uint64_t bits) : limbs_{bits} { trim(); }

Gf2Polynomial::Gf2Polynomial(std::vector<uint64_t> limbs) : limbs_(std::move(limbs)) { trim(); }

Gf2Polynomial Gf2Polynomial::from_exponents(std::span<const int> exponents) {
  Gf2Polynomial sum;
  for (const int e : exponents) sum.flip(e);
  return sum;
}

int Gf2Polynomial::degree() const {
  if (limbs_.empty()) return -1;
  return static_cast<int>(limbs_.size()) * kLimb - 1 - std::countl_zero(limbs_.back());
}

bool Gf2Polynomial::coefficient(int exponent) const {
  return exponent >= 0 &&
         (limb(static_cast<size_t>(exponent / kLimb)) >> exponent % kLimb & 1) != 0;
}

void Gf2Polynomial::flip(int exponent) {
  if (exponent < 0) fail("polynomial: exponent must be >= 0, got {}", exponent);
  const auto i = static_cast<size_t>(exponent / kLimb);
  if (i >= limbs_.size()) limbs_.resize(i + 1);
  limbs_[i] ^= uint64_t{1} << exponent % kLimb;
  trim();
}

std::vector<int> Gf2Polynomial::exponents() const {
  std::vector<int> found;
  for (int e = degree(); e >= 0; --e)
    if (coefficient(e)) found.push_back(e);
  return found;
}

Gf2Polynomial& Gf2Polynomial::operator^=(const Gf2Polynomial& other) {
  if (limbs_.size() < other.limbs_.size()) limbs_.resize(other.limbs_.size());
  for (size_t i = 0; i < other.limbs_.size(); ++i) limbs_[i] ^= other.limbs_[i];
  trim();
  return *this;
}

Gf2Polynomial Gf2Polynomial::operator<<(int count) const {
  if (count < 0) fail("polynomial: shift must be >= 0, got {}", count);
  if (is_zero()) return {};
  const auto whole = static_cast<size_t>(count / kLimb);
  const int part = count % kLimb;
  std::vector<uint64_t> out(limbs_.size() + whole + 1);
  for (size_t i = 0; i < limbs_.size(); ++i) {
    out[i + whole] ^= limbs_[i] << part;
    if (part != 0) out[i + whole + 1] ^= limbs_[i] >> (kLimb - part);
  }
  return Gf2Polynomial(std::move(out));
}

void Gf2Polynomial::trim() {
  while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
}

Gf2Polynomial operator^(Gf2Polynomial a, const Gf2Polynomial& b) { return a ^= b; }

Gf2Polynomial operator*(const Gf2Polynomial& a, const Gf2Polynomial& b) {
  std::vector<uint64_t> out(a.limbs().size() + b.limbs().size());
  for (size_t i = 0; i < a.limbs().size(); ++i) {
    for (size_t k = 0; k < b.limbs().size(); ++k) {
      const Product128 p = carryless_multiply(a.limbs()[i], b.limbs()[k]);
      out[i + k] ^= p.low;
      out[i + k + 1] ^= p.high;
    }
  }
  return Gf2Polynomial(std::move(out));
}

Gf2Polynomial mod(Gf2Polynomial a, const Gf2Polynomial& b, Gf2Polynomial* quotient) {
  if (b.is_zero()) fail("polynomial: divisor must be other than 0, got 0");
  if (quotient != nullptr) *quotient = {};
  while (a.degree() >= b.degree()) {
    const int shift = a.degree() - b.degree();
    if (quotient != nullptr) quotient->flip(shift);
    a ^= b << shift;
  }
  return a;
}

Gf2Polynomial gcd(Gf2Polynomial a, Gf2Polynomial b) {
  while (!b.is_zero()) {
    a = mod(std::move(a), b);
    std::swap(a, b);
  }
  return a;
}

Gf2Polynomial multiply_mod(const Gf2Polynomial& a, const Gf2Polynomial& b, const Gf2Polynomial& f) {
  return mod(a * b, f);
}

Gf2Polynomial square_mod(Gf2Polynomial a, int count, const Gf2Polynomial& f) {
  a = mod(std::move(a), f);
  for (int i = 0; i < count; ++i) a = multiply_mod(a, a, f);
  return a;
}

Gf2Polynomial power_mod(Gf2Polynomial a, uint64_t exponent, const Gf2Polynomial& f) {
  Gf2Polynomial result = mod(Gf2Polynomial(1), f);
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = multiply_mod(result, a, f);
    a = multiply_mod(a, a, f);
  }
  return result;
}

bool is_irreducible(const Gf2Polynomial& f) {
  const int n = f.degree();
  if (n < 1) return false;
  const Gf2Polynomial x(2);
  for (const uint64_t q : prime_divisors(static_cast<uint64_t>(n))) {
    const Gf2Polynomial power = square_mod(x, n / static_cast<int>(q), f) ^ mod(x, f);
    if (gcd(f, power).degree() != 0) return false;
  }
  return square_mod(x, n, f) == mod(x, f);
}

uint64_t order(const Gf2Polynomial& f) {
  const int n = f.degree();
  if (n < 1 || n > kLimb) fail("order: degree must be 1..64, got {}", n);
  if (f == Gf2Polynomial(2)) fail("order: polynomial must be other than x, got x");
  if (!is_irreducible(f)) fail("order: polynomial must be irreducible, got {}", to_text(f));
  uint64_t e = ~uint64_t{0} >> (kLimb - n);
  const Gf2Polynomial one = Gf2Polynomial(1);
  for (const uint64_t p : mersenne_divisors(n))
    while (e % p == 0 && power_mod(Gf2Polynomial(2), e / p, f) == one) e /= p;
  return e;
}

bool is_primitive(const Gf2Polynomial& f) {
  const int n = f.degree();
  if (n > kLimb) fail("is_primitive: degree must be at most 64, got {}", n);
  return is_irreducible(f) && f != Gf2Polynomial(2) && order(f) == ~uint64_t{0} >> (kLimb - n);
}

std::string to_text(const Gf2Polynomial& f) {
  if (f.is_zero()) return "0";
  std::string out;
  for (const int e : f.exponents()) {
    if (!out.empty()) out += " + ";
    out += e == 0 ? "1" : e == 1 ? "x" : text("x^{}", e);
  }
  return out;
}

}  // namespace lampyris::ecc
