#include "ecc/bch_generator.h"

#include <vector>

#include "core/error.h"

namespace lampyris::ecc {

Gf2Polynomial minimal_polynomial(const Field& field, int exponent) {
  // The product of x + alpha^(exponent 2^i) over the different conjugates.
  std::vector<Element> product = {1};
  int e = exponent % field.order();
  const int first = e;
  do {
    product.push_back(0);
    for (size_t i = product.size() - 1; i > 0; --i)
      product[i] = product[i - 1] ^ field.multiply(product[i], field.exp(e));
    product[0] = field.multiply(product[0], field.exp(e));
    e = 2 * e % field.order();
  } while (e != first);
  Gf2Polynomial result;
  for (size_t i = 0; i < product.size(); ++i)
    if (product[i] != 0) result.flip(static_cast<int>(i));
  return result;
}

Gf2Polynomial bch_generator(const Field& field, int t) {
  if (t < 1 || 2 * t - 1 >= field.order()) {
    fail("bch code: t must be 1..{} for m = {}, got {}", (field.order() - 1) / 2, field.m(), t);
  }
  std::vector<bool> covered(static_cast<size_t>(field.order()));
  Gf2Polynomial generator(1);
  for (int e = 1; e < 2 * t; e += 2) {
    if (covered[e]) continue;
    generator = generator * minimal_polynomial(field, e);
    for (int c = e; !covered[c]; c = 2 * c % field.order()) covered[c] = true;
  }
  return generator;
}

}  // namespace lampyris::ecc
