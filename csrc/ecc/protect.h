// Multipliers whose products are checked or corrected: the product is the data of a systematic
// code, its parity is predicted from the operands, and a decoder of gates compares both.
#pragma once

#include <string>
#include <vector>

#include "ecc/predictor.h"

namespace lampyris::ecc {

enum class Protection : uint8_t {
  kNone,
  kBch,
  kHamming,
  kCross,
  kLdpc,
  kSignature,  // the fewest parity bits that tell every single faulty gate of the multiplier
  kDuplicate,  // two multipliers and a comparison; detects
  kTmr,        // three multipliers and majority voters
};
enum class LocatorForm : uint8_t { kFlat, kBrs };
enum class Mode : uint8_t {
  kCorrect,  // output c
  kBypass,   // as kCorrect, but c passes by the corrector when the remainder is 0
  kDetect,   // output c as computed, and `error`
  kVerify,   // as kCorrect, and `error` where the corrected word fails a second check
};

struct MultiplierSpec {
  Gf2Polynomial f;
  Form form = Form::kTwoStep;
  Protection protection = Protection::kNone;
  int t = 1;
  Predictor predictor = Predictor::kDup;
  Sharing sharing = Sharing::kCse;
  LocatorForm locator = LocatorForm::kFlat;
  Mode mode = Mode::kCorrect;
  // Two more inputs, XORed on the product and on the predicted parity: channel errors for tests.
  bool error_inputs = false;
};

// A systematic code over parity checks; `checks` lists bits of (data, parity), all sums 0 for a
// word.
struct CheckedCode {
  LinearCode code;
  Rows checks;
};

struct ProtectedMultiplier {
  MultiplierSpec spec;
  Netlist net;
  int parity_bits = 0;
  int code_degree = 0;  // m of the code's field, 0 without
  Depth fast;           // kBypass: until c leaves when the remainder is 0; else depth()
};

// Inputs a, b [m]; outputs c [m] and, in kDetect and kVerify, error [1]. The watched nets are the
// product and the parity before correction.
ProtectedMultiplier build_multiplier(const MultiplierSpec& spec);

// BCH code of data_bits in the smallest field that holds it, with the textbook primitive
// polynomial.
struct BchShape {
  int m = 0, t = 0, data_bits = 0;
  Gf2Polynomial generator;
};
BchShape bch_shape(int data_bits, int t);
LinearCode bch_code(const BchShape& shape);

// The flips of the data bits, from the remainder.
std::vector<Signal> locate_bch(Netlist& net, std::span<const Signal> remainder,
                               const BchShape& shape, Sharing sharing, LocatorForm locator);
// Data bit i flips where the remainder equals its column.
std::vector<Signal> locate_columns(Netlist& net, std::span<const Signal> remainder,
                                   const LinearCode& code);

// Coefficients of a polynomial whose roots are the locators (reversed: t <= 3, Peterson) or their
// inverses (inversion-free Berlekamp-Massey), from the odd syndromes S1, S3 ...
struct LocatorPolynomial {
  std::vector<std::vector<Signal>> coefficients;
  bool inverse_roots = false;
};
LocatorPolynomial build_key_equation(Netlist& net, const BchShape& shape,
                                     const std::vector<std::vector<Signal>>& odd_syndromes);

// Regular (3, d_c) LDPC code without cycles of length 4, d_c = 3 (data_bits + r) / r, r the
// smallest.
CheckedCode ldpc_code(int data_bits);

// The fewest parity columns such that no error pattern of one faulty gate in `multiplier` is lost.
LinearCode signature_code(const Netlist& multiplier, int data_bits);

}  // namespace lampyris::ecc
