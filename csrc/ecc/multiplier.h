// Bit-parallel polynomial-basis multipliers c = a b mod f as gates, for any f of degree m >= 2.
#pragma once

#include <vector>

#include "ecc/gf2_polynomial.h"
#include "ecc/netlist_linear.h"

namespace lampyris::ecc {

enum class Form : uint8_t {
  kTwoStep,     // d_k = sum a_i b_(k-i), then c = R d: the fewest gates, one gate may feed many
                // outputs
  kMastrovito,  // c = M(a) b
  kIsolated,    // as Mastrovito, every output its own cone: a faulty gate changes one output
};

// Row i lists the exponents k < 2m - 1 whose x^k mod f has the coefficient of x^i.
Rows reduction_rows(const Gf2Polynomial& f);

// Coefficients of the product before reduction, 2m - 1 of them.
std::vector<Signal> product_array(Netlist& net, std::span<const Signal> a,
                                  std::span<const Signal> b);

// Sum over k in `row` of d_k as one bilinear form: linear forms of b times a.
Signal bilinear_form(Netlist& net, std::span<const Signal> a, std::span<const Signal> b,
                     const std::vector<int>& row, Sharing sharing);

// One for each row; the linear forms of all of them share pairs.
std::vector<Signal> bilinear_forms(Netlist& net, std::span<const Signal> a,
                                   std::span<const Signal> b, const Rows& rows);

std::vector<Signal> multiply(Netlist& net, std::span<const Signal> a, std::span<const Signal> b,
                             const Gf2Polynomial& f, Form form, Sharing sharing);

// rows after columns -> columns of `inner`: the rows of the product of both matrices.
Rows compose(const Rows& outer, const Rows& inner);

}  // namespace lampyris::ecc
