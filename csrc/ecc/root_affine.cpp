// Roots by linear algebra over GF(2): closed forms to degree 4, the least affine multiple above.
#include <bit>
#include <utility>

#include "ecc/root_finder.h"

namespace lampyris::ecc {
namespace {

constexpr int kHalf = 16;  // a row: image in the high half, what it is the image of in the low half

// Calls visit(x) for every solution.
template <class Visit>
void for_each_solution(const AffineSolutions& solutions, Visit visit) {
  if (!solutions.solvable) return;
  Element x = solutions.particular;
  visit(x);
  for (uint32_t k = 1; k < uint32_t{1} << solutions.dimension; ++k) {
    x ^= solutions.kernel[std::countr_zero(k)];
    visit(x);
  }
}

Element evaluate(const Field& field, std::span<const Element> f, Element x) {
  Element sum = f.back();
  for (size_t i = f.size() - 1; i-- > 0;) sum = field.multiply(sum, x) ^ f[i];
  return sum;
}

// Distinct roots, 0 left out.
struct Roots {
  std::span<Element> out;
  int count = 0;
  void add(Element x) {
    if (x != 0) out[count++] = x;
  }
};

// x^2 + b x + c, each root moved by `shift`.
void add_quadratic(const Field& field, Element b, Element c, Element shift, Roots& roots) {
  if (b == 0) return roots.add(field.sqrt(c) ^ shift);
  const Element u = field.divide(c, field.square(b));
  if (!field.solvable(u)) return;
  const Element x = field.multiply(b, field.solve_quadratic(u));
  roots.add(x ^ shift);
  roots.add(x ^ b ^ shift);
}

// x^3 + a x^2 + b x + c, times x + a.
void add_cubic(const Field& field, Element a, Element b, Element c, Roots& roots) {
  const Element ab_c = field.multiply(a, b) ^ c;  // the cubic at a
  const std::array linear{ab_c, static_cast<Element>(field.square(a) ^ b), Element{1}};
  for_each_solution(solve_affine(field, linear, field.multiply(a, c)), [&](Element x) {
    if (x != a || ab_c == 0) roots.add(x);
  });
}

// x^4 + a x^3 + b x^2 + c x + d.
void add_quartic(const Field& field, Element a, Element b, Element c, Element d, Roots& roots) {
  if (a == 0) {
    const std::array linear{c, b, Element{1}};
    return for_each_solution(solve_affine(field, linear, d), [&](Element x) { roots.add(x); });
  }
  // x = z + e removes the linear term: z^4 + a z^3 + p z^2 + q.
  const Element e = field.sqrt(field.divide(c, a));
  const Element e_squared = field.square(e);
  const Element p = field.multiply(a, e) ^ b;
  const Element q = field.square(e_squared) ^ field.multiply(b, e_squared) ^ d;
  if (q == 0) {  // z^2 (z^2 + a z + p); z = 0 is a root of the quadratic too where p = 0
    if (p != 0) roots.add(e);
    return add_quadratic(field, a, p, e, roots);
  }
  // y = 1 / z: y^4 + (p/q) y^2 + (a/q) y + 1/q.
  const Element scale = field.inverse(q);
  const std::array linear{field.multiply(a, scale), field.multiply(p, scale), Element{1}};
  for_each_solution(solve_affine(field, linear, scale),
                    [&](Element y) { roots.add(field.inverse(y) ^ e); });
}

}  // namespace

AffineSolutions solve_affine(const Field& field, std::span<const Element> coefficients, Element c) {
  AffineSolutions out;
  std::array<uint32_t, kLargestField> pivots{};  // by the highest bit of the image
  const auto reduce = [&](uint32_t row) {
    while (row >> kHalf != 0) {
      const uint32_t pivot = pivots[15 - std::countl_zero(row)];
      if (pivot == 0) break;
      row ^= pivot;
    }
    return row;
  };
  for (int b = 0; b < field.m(); ++b) {
    Element image = 0;
    int log = b;
    for (const Element l : coefficients) {
      image ^= field.multiply(l, field.exp(log));
      log = 2 * log;
      if (log >= field.order()) log -= field.order();
    }
    const uint32_t row = reduce(static_cast<uint32_t>(image) << kHalf | uint32_t{1} << b);
    if (row >> kHalf != 0) {
      pivots[15 - std::countl_zero(row)] = row;
    } else {
      out.kernel[out.dimension++] = static_cast<Element>(row);
    }
  }
  const uint32_t row = reduce(static_cast<uint32_t>(c) << kHalf);
  out.solvable = row >> kHalf == 0;
  out.particular = static_cast<Element>(row);
  return out;
}

int roots_closed_form(const Field& field, std::span<const Element> f, std::span<Element> out) {
  Roots roots{out};
  const auto monic = [&](size_t i) { return field.divide(f[i], f.back()); };
  switch (f.size() - 1) {
    case 1:
      roots.add(monic(0));
      break;
    case 2:
      add_quadratic(field, monic(1), monic(0), 0, roots);
      break;
    case 3:
      add_cubic(field, monic(2), monic(1), monic(0), roots);
      break;
    default:
      add_quartic(field, monic(3), monic(2), monic(1), monic(0), roots);
  }
  return roots.count;
}

int roots_least_affine(const Field& field, std::span<const Element> polynomial,
                       std::span<Element> out) {
  const int d = static_cast<int>(polynomial.size()) - 1;
  using Row = std::array<Element, kLeastAffineDegree>;
  Row f{};  // monic, the highest term left out
  for (int i = 0; i < d; ++i) f[i] = field.divide(polynomial[i], polynomial[d]);
  // power[k] = x^(d + k) modulo the polynomial: what squares are reduced by.
  std::array<Row, kLeastAffineDegree> power{};
  power[0] = f;
  for (int k = 1; k < d - 1; ++k) {
    const Element over = power[k - 1][d - 1];
    for (int i = 0; i < d; ++i)
      power[k][i] = (i > 0 ? power[k - 1][i - 1] : Element{0}) ^ field.multiply(over, f[i]);
  }
  // v[i] = x^(2^i) modulo the polynomial.
  std::array<Row, kLeastAffineDegree> v{};
  if (d == 1) {
    v[0][0] = f[0];
  } else {
    v[0][1] = 1;
  }
  for (int i = 1; i < d; ++i) {
    for (int k = 0; k < d; ++k) {
      const Element square = field.square(v[i - 1][k]);
      if (square == 0) continue;
      if (2 * k < d) {
        v[i][2 * k] ^= square;
      } else {
        for (int n = 0; n < d; ++n) v[i][n] ^= field.multiply(square, power[2 * k - d][n]);
      }
    }
  }
  // a, not all zero, with sum of a_i v_i constant: elimination over the terms x .. x^(d-1); the
  // first column without a pivot is expressed by those before it, which makes the degree least.
  std::array<int, kLeastAffineDegree> pivot_of{};  // the column that term k eliminates, + 1
  std::array<Row, kLeastAffineDegree> combination{};
  Row a{};
  int last = 0;
  for (int i = 0; i < d; ++i) {
    combination[i] = {};
    combination[i][i] = 1;
    for (int k = 1; k < d; ++k) {
      if (v[i][k] == 0) continue;
      if (pivot_of[k] == 0) {
        pivot_of[k] = i + 1;
        const Element scale = field.inverse(v[i][k]);
        for (int n = 0; n < d; ++n) v[i][n] = field.multiply(v[i][n], scale);
        for (int n = 0; n <= i; ++n) combination[i][n] = field.multiply(combination[i][n], scale);
        break;
      }
      const int j = pivot_of[k] - 1;
      const Element factor = v[i][k];
      for (int n = 0; n < d; ++n) v[i][n] ^= field.multiply(factor, v[j][n]);
      for (int n = 0; n <= j; ++n) combination[i][n] ^= field.multiply(factor, combination[j][n]);
    }
    bool constant = true;
    for (int k = 1; k < d; ++k) constant = constant && v[i][k] == 0;
    if (constant) {
      a = combination[i];
      last = i;
      break;
    }
  }
  const AffineSolutions solutions =
      solve_affine(field, {a.data(), static_cast<size_t>(last + 1)}, v[last][0]);
  Roots roots{out};
  for_each_solution(solutions, [&](Element x) {
    if (roots.count < d && evaluate(field, polynomial, x) == 0) roots.add(x);
  });
  return roots.count;
}

}  // namespace lampyris::ecc
