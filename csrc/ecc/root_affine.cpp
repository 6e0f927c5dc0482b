// Roots by linear algebra over GF(2): closed forms to degree 4, the least affine multiple above.
#include <algorithm>
#include <bit>

#include "cpu/dispatch.h"
#include "ecc/root_finder.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own headers (bug 105593)
#endif

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

namespace {

using Rows = std::array<uint32_t, kLargestField>;

// Rows b < m: image of alpha^b and bit b. Row by row, pivots by the highest bit of the image.
AffineSolutions solve_rows(const Rows& rows, int m, Element c) {
  AffineSolutions out;
  Rows pivots{};
  const auto reduce = [&](uint32_t row) {
    while (row >> kHalf != 0) {
      const uint32_t pivot = pivots[15 - std::countl_zero(row)];
      if (pivot == 0) break;
      row ^= pivot;
    }
    return row;
  };
  for (int b = 0; b < m; ++b) {
    const uint32_t row = reduce(rows[b]);
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

#if defined(__x86_64__)

// The same with all rows in one vector, c as row 15: m <= 15. A column without a pivot changes
// nothing, so that nothing branches on the data.
LAMPYRIS_TARGET_AVX512 AffineSolutions solve_rows_wide(Rows rows, int m, Element c) {
  rows[15] = static_cast<uint32_t>(c) << kHalf;
  __m512i all = _mm512_loadu_si512(rows.data());
  uint32_t left = (uint32_t{1} << m) - 1;  // rows that are no pivot yet
  for (int bit = kHalf + m - 1; bit >= kHalf; --bit) {
    const uint32_t set = _mm512_test_epi32_mask(all, _mm512_set1_epi32(1 << bit));
    const uint32_t candidates = set & left;
    const uint32_t pivot = candidates & -candidates;
    const uint32_t others = pivot != 0 ? set ^ pivot : 0;
    left ^= pivot;
    const __m512i row = _mm512_maskz_compress_epi32(static_cast<__mmask16>(pivot), all);
    all = _mm512_mask_xor_epi32(all, static_cast<__mmask16>(others), all,
                                _mm512_broadcastd_epi32(_mm512_castsi512_si128(row)));
  }
  _mm512_storeu_si512(rows.data(), all);
  AffineSolutions out;
  for (; left != 0; left &= left - 1)
    out.kernel[out.dimension++] = static_cast<Element>(rows[std::countr_zero(left)]);
  out.solvable = rows[15] >> kHalf == 0;
  out.particular = static_cast<Element>(rows[15]);
  return out;
}

#endif

}  // namespace

AffineSolutions solve_affine(const Field& field, std::span<const Element> coefficients, Element c) {
  Rows rows{};
  for (int b = 0; b < field.m(); ++b) {
    Element image = 0, power = field.exp(b);
    for (const Element l : coefficients) {
      image ^= field.multiply(l, power);
      power = field.square(power);
    }
    rows[b] = static_cast<uint32_t>(image) << kHalf | uint32_t{1} << b;
  }
#if defined(__x86_64__)
  if (field.m() < kLargestField && isa() >= Isa::kAvx512)
    return solve_rows_wide(rows, field.m(), c);
#endif
  return solve_rows(rows, field.m(), c);
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

namespace {

// A combination of x^(2^i) modulo a polynomial of degree D that is constant: coefficients of
// x^(2^i), i <= last, and the constant.
template <int D>
struct AffineMultiple {
  std::array<Element, D> coefficients{};
  int last = 0;
  Element constant = 0;
};

// `f` is the monic polynomial without its highest term.
template <int D>
AffineMultiple<D> least_affine_multiple(const Field& field, const std::array<Element, D>& f) {
  using Row = std::array<Element, D>;
  // power[k] = x^(D + k) modulo the polynomial: what squares are reduced by.
  std::array<Row, D> power{};
  power[0] = f;
  for (int k = 1; k < D - 1; ++k) {
    const Element over = power[k - 1][D - 1];
    for (int i = 0; i < D; ++i)
      power[k][i] = (i > 0 ? power[k - 1][i - 1] : Element{0}) ^ field.multiply(over, f[i]);
  }
  // Rows x^(2^i) modulo the polynomial, eliminated over the terms x .. x^(D-1) as they come. The
  // first row that becomes constant makes the degree least.
  std::array<Row, D> rows{}, combination{};
  std::array<int, D> pivot_of{};  // the row that eliminates a term, + 1
  Row value{};
  if constexpr (D == 1) {
    value[0] = f[0];
  } else {
    value[1] = 1;
  }
  for (int i = 0; i < D; ++i) {
    Row v = value, c{};
    c[i] = 1;
    bool constant = true;
    for (int k = 1; k < D; ++k) {
      if (v[k] == 0) continue;
      if (pivot_of[k] == 0) {
        pivot_of[k] = i + 1;
        const Element scale = field.inverse(v[k]);
        for (int n = 0; n < D; ++n) rows[i][n] = field.multiply(v[n], scale);
        for (int n = 0; n < D; ++n) combination[i][n] = field.multiply(c[n], scale);
        constant = false;
        break;
      }
      const int j = pivot_of[k] - 1;
      const Element factor = v[k];
      for (int n = 0; n < D; ++n) v[n] ^= field.multiply(factor, rows[j][n]);
      for (int n = 0; n < D; ++n) c[n] ^= field.multiply(factor, combination[j][n]);
    }
    if (constant) return {c, i, v[0]};
    Row next{};
    for (int k = 0; k < D; ++k) {
      const Element square = field.square(value[k]);
      if (2 * k < D) {
        next[2 * k] ^= square;
      } else if (square != 0) {
        for (int n = 0; n < D; ++n) next[n] ^= field.multiply(square, power[2 * k - D][n]);
      }
    }
    value = next;
  }
  return {};  // not reached: D rows have at most D - 1 pivots
}

template <int D>
int least_affine_roots(const Field& field, std::span<const Element> polynomial,
                       std::span<Element> out) {
  std::array<Element, D> f;
  for (int i = 0; i < D; ++i) f[i] = field.divide(polynomial[i], polynomial[D]);
  const AffineMultiple<D> multiple = least_affine_multiple<D>(field, f);
  const AffineSolutions solutions =
      solve_affine(field, {multiple.coefficients.data(), static_cast<size_t>(multiple.last + 1)},
                   multiple.constant);
  std::array<Element, D + 1> found{};  // one more, written and not counted
  int count = 0;
  for_each_solution(solutions, [&](Element x) {
    Element sum = x ^ f[D - 1];
    for (int i = D - 1; i-- > 0;) sum = field.multiply(sum, x) ^ f[i];
    found[count] = x;
    count += static_cast<int>(sum == 0) & static_cast<int>(x != 0);
  });
  std::copy_n(found.begin(), count, out.begin());
  return count;
}

}  // namespace

int roots_least_affine(const Field& field, std::span<const Element> polynomial,
                       std::span<Element> out) {
  switch (polynomial.size() - 1) {
    case 1:
      return least_affine_roots<1>(field, polynomial, out);
    case 2:
      return least_affine_roots<2>(field, polynomial, out);
    case 3:
      return least_affine_roots<3>(field, polynomial, out);
    case 4:
      return least_affine_roots<4>(field, polynomial, out);
    case 5:
      return least_affine_roots<5>(field, polynomial, out);
    case 6:
      return least_affine_roots<6>(field, polynomial, out);
    case 7:
      return least_affine_roots<7>(field, polynomial, out);
    default:
      return least_affine_roots<kLeastAffineDegree>(field, polynomial, out);
  }
}

}  // namespace lampyris::ecc
