// Check bits of a product predicted from its operands, and the systematic codes that use them.
#pragma once

#include <vector>

#include "ecc/multiplier.h"

namespace lampyris::ecc {

// A systematic binary code on k data bits: row j of `parity` lists the data bits of parity bit j.
struct LinearCode {
  int data_bits = 0;
  Rows parity;
  int parity_bits() const { return static_cast<int>(parity.size()); }
};

enum class Predictor : uint8_t {
  kDup,  // a second product array and the matrix P R: cheap for many bits
  kLin,  // sums of a_i times linear forms of b, shared between parity bits: cheap for few
  kIso,  // as kLin, every parity bit its own cone: a faulty gate changes one parity bit
};

std::vector<Signal> predict(Netlist& net, std::span<const Signal> a, std::span<const Signal> b,
                            const Gf2Polynomial& f, const LinearCode& code, Predictor predictor,
                            Sharing sharing);

// Predicted parity plus the parity of c: 0 for a codeword.
std::vector<Signal> remainder(Netlist& net, std::span<const Signal> c,
                              std::span<const Signal> parity, const LinearCode& code,
                              Sharing sharing);

// Hamming code: columns of lowest weight first, r the smallest that fits.
LinearCode hamming_code(int data_bits);
// Data in `rows` rows as square as may be: a parity of each row and of each column.
LinearCode cross_parity_code(int data_bits);
int cross_parity_rows(int data_bits);

}  // namespace lampyris::ecc
