#include "ecc/protect.h"

#include "core/error.h"

namespace lampyris::ecc {

namespace {

std::vector<Signal> exclusive_or(Netlist& net, const std::vector<Signal>& a,
                                 const std::vector<Signal>& b) {
  std::vector<Signal> out;
  for (size_t i = 0; i < a.size(); ++i) out.push_back(net.lxor(a[i], b[i]));
  return out;
}

Signal majority(Netlist& net, Signal a, Signal b, Signal c) {
  return net.lor(net.land(a, b), net.land(c, net.lor(a, b)));
}

// Everything a decoder needs to know of the code.
struct Decoder {
  CheckedCode checked;  // checks empty: the remainder of the systematic code
  BchShape shape;
};

Decoder decoder_of(const MultiplierSpec& spec) {
  const int m = spec.f.degree();
  Decoder d;
  switch (spec.protection) {
    case Protection::kBch:
      d.shape = bch_shape(m, spec.t);
      d.checked.code = bch_code(d.shape);
      break;
    case Protection::kHamming:
      d.checked.code = hamming_code(m);
      break;
    case Protection::kCross:
      d.checked.code = cross_parity_code(m);
      break;
    case Protection::kLdpc:
      d.checked = ldpc_code(m);
      break;
    case Protection::kSignature: {
      Netlist alone;
      const auto a = alone.add_input("a", m), b = alone.add_input("b", m);
      alone.add_output("c", multiply(alone, a, b, spec.f, spec.form, spec.sharing));
      d.checked.code = signature_code(alone, m);
      break;
    }
    default:
      break;
  }
  return d;
}

// 0 for a word of the code.
std::vector<Signal> check(Netlist& net, const Decoder& d, const std::vector<Signal>& c,
                          const std::vector<Signal>& parity, Sharing sharing) {
  if (d.checked.checks.empty()) return remainder(net, c, parity, d.checked.code, sharing);
  std::vector<Signal> word = c;
  word.insert(word.end(), parity.begin(), parity.end());
  return linear_map(net, word, d.checked.checks, sharing);
}

std::vector<Signal> locate(Netlist& net, const MultiplierSpec& spec, const Decoder& d,
                           const std::vector<Signal>& s) {
  net.set_part(Part::kLocator);
  const int m = spec.f.degree();
  if (spec.protection == Protection::kBch && spec.t > 1)
    return locate_bch(net, s, d.shape, spec.sharing, spec.locator);
  if (spec.protection == Protection::kBch || spec.protection == Protection::kHamming)
    return locate_columns(net, s, d.checked.code);
  std::vector<std::vector<Signal>> hit(m);
  const Rows& rows =
      spec.protection == Protection::kLdpc ? d.checked.checks : d.checked.code.parity;
  for (size_t j = 0; j < rows.size(); ++j)
    for (const int i : rows[j])
      if (i < m) hit[i].push_back(s[j]);
  std::vector<Signal> flips;
  for (const auto& checks : hit)
    flips.push_back(checks.size() == 3 ? majority(net, checks[0], checks[1], checks[2])
                                       : net.and_all(checks));
  return flips;
}

void check_spec(const MultiplierSpec& spec) {
  if (spec.f.degree() < 2)
    fail("multiplier: polynomial must have degree >= 2, got {}", spec.f.degree());
  if (!is_irreducible(spec.f))
    fail("multiplier: polynomial must be irreducible, got {}", to_text(spec.f));
  const bool detects =
      spec.protection == Protection::kSignature || spec.protection == Protection::kDuplicate;
  if (detects && spec.mode != Mode::kDetect)
    fail("multiplier: mode must be detect for this protection");
  const bool coded = spec.protection != Protection::kNone && spec.protection != Protection::kTmr &&
                     spec.protection != Protection::kDuplicate;
  if (spec.error_inputs && !coded) fail("multiplier: error_inputs must go with a code");
  if (spec.protection == Protection::kTmr &&
      (spec.mode == Mode::kBypass || spec.mode == Mode::kVerify))
    fail("multiplier: mode must be correct or detect for tmr");
}

}  // namespace

ProtectedMultiplier build_multiplier(const MultiplierSpec& spec) {
  check_spec(spec);
  ProtectedMultiplier out{spec, {}, 0, 0, {}};
  Netlist& net = out.net;
  const int m = spec.f.degree();
  const auto a = net.add_input("a", m), b = net.add_input("b", m);
  std::vector<Signal> c = multiply(net, a, b, spec.f, spec.form, spec.sharing);
  net.watch(c);
  net.open_scope();
  const auto finish = [&](std::vector<Signal> product, Signal error, Signal flag) {
    const bool bypass = spec.mode == Mode::kBypass && flag != kLow;
    net.add_output("c", std::move(product));
    if (spec.mode == Mode::kDetect || spec.mode == Mode::kVerify) net.add_output("error", {error});
    if (bypass) out.fast = net.depth_to(flag);
    net.sweep();
    if (!bypass) out.fast = net.depth();
    return std::move(out);
  };
  if (spec.protection == Protection::kNone) return finish(c, kLow, kLow);
  if (spec.protection == Protection::kTmr || spec.protection == Protection::kDuplicate) {
    std::vector<std::vector<Signal>> copies{c};
    const size_t count = spec.protection == Protection::kTmr ? 3 : 2;
    while (copies.size() < count) {
      net.open_scope();
      copies.push_back(multiply(net, a, b, spec.f, spec.form, spec.sharing));
      net.watch(copies.back());
    }
    net.open_scope();
    net.set_part(Part::kCorrection);
    std::vector<Signal> differ;
    for (size_t k = 1; k < count; ++k)
      for (const Signal s : exclusive_or(net, c, copies[k])) differ.push_back(s);
    if (spec.mode == Mode::kDetect) return finish(c, net.or_all(differ), kLow);
    for (int i = 0; i < m; ++i) c[i] = majority(net, copies[0][i], copies[1][i], copies[2][i]);
    return finish(c, kLow, kLow);
  }

  const Decoder decoder = decoder_of(spec);
  out.parity_bits = decoder.checked.code.parity_bits();
  out.code_degree = decoder.shape.m;
  auto parity = predict(net, a, b, spec.f, decoder.checked.code, spec.predictor, spec.sharing);
  net.watch(parity);
  if (spec.error_inputs) {
    c = exclusive_or(net, c, net.add_input("error_c", m));
    parity = exclusive_or(net, parity, net.add_input("error_p", out.parity_bits));
  }
  net.set_part(Part::kSyndrome);
  const auto s = check(net, decoder, c, parity, spec.sharing);
  if (spec.mode == Mode::kDetect) {
    net.set_part(Part::kCheck);
    return finish(c, net.or_all(s), kLow);
  }
  const auto flips = locate(net, spec, decoder, s);
  net.set_part(Part::kCorrection);
  auto corrected = exclusive_or(net, c, flips);
  if (spec.mode == Mode::kVerify) {
    net.set_part(Part::kCheck);
    net.open_scope();
    return finish(corrected, net.or_all(check(net, decoder, corrected, parity, spec.sharing)),
                  kLow);
  }
  if (spec.mode == Mode::kCorrect) return finish(corrected, kLow, kLow);
  const Signal wrong = net.or_all(s), clean = net.lnot(wrong);
  Signal last = kLow;
  for (int i = 0; i < m; ++i) {
    const Signal direct = net.land(clean, c[i]);
    if (net.arrival(direct) > net.arrival(last)) last = direct;
    corrected[i] = net.lor(direct, net.land(wrong, corrected[i]));
  }
  return finish(corrected, kLow, last);
}

}  // namespace lampyris::ecc
