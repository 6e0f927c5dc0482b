// Differences and operands as lines for people and as JSON.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "firefly/first_difference.h"

namespace lampyris::firefly {

namespace {

using nlohmann::json;

constexpr size_t kShownProducts = 12;

std::string product_text(const Product& p, bool timed) {
  const std::string input = p.input == 1 ? "" : text("{} x ", p.input);
  return text("{}{}{:+} (in {}, tap {},{})", timed ? text("t {} ", p.t) : "", input, p.weight,
              p.channel, p.tap_y, p.tap_x);
}

std::string products_text(const Operands& o) {
  const bool timed = !o.step_sums.empty();
  std::vector<Product> largest = o.products;
  std::stable_sort(largest.begin(), largest.end(), [](const Product& a, const Product& b) {
    return std::abs(a.input * a.weight) > std::abs(b.input * b.weight);
  });
  std::string line = text("{} spikes x weights", o.products.size());
  const size_t shown = std::min(largest.size(), kShownProducts);
  for (size_t i = 0; i < shown; ++i)
    line += (i ? "  " : ": ") + product_text(largest[i], timed);
  if (shown < largest.size()) line += text("  and {} more", largest.size() - shown);
  return line;
}

template <class T>
std::string joined(const std::vector<T>& values) {
  std::string line;
  for (const T value : values) line += (line.empty() ? "" : " + ") + text("{}", value);
  return line;
}

std::string neuron_text(const NeuronOperands& n) {
  std::string leak(leak_name(n.leak));
  if (n.leak == Leak::kBefore) leak += text("({})", n.k);
  return text("neuron: previous membrane {}, leak {}, V {} {} {} {}, {}, membrane {}", n.previous,
              leak, n.charged, n.charged > n.threshold ? ">" : "<=",
              n.winner ? "largest of the lanes - 1 =" : "threshold", n.threshold,
              n.fired ? "fires" : "does not fire", n.after);
}

}  // namespace

std::string operands_text(const Operands& o) {
  std::string out;
  const auto line = [&](const std::string& words) { out += "  " + words + "\n"; };
  if (!o.missing.empty()) {
    line(text("operands: {} is not in the trace", o.missing));
    return out;
  }
  if (!o.products.empty() || !o.tile_sums.empty()) line(products_text(o));
  if (!o.step_sums.empty()) {
    line(text("sums with bias {} by time step: {}", o.bias.value_or(0), joined(o.step_sums)));
  } else if (o.bias) {
    const bool stem = o.op == "host stem";
    std::string sum = text("P = {}", o.sum);
    if (o.tile_sums.size() > 1) sum += text(" (by input tile {})", joined(o.tile_sums));
    if (o.shift) sum += text(", shift {} {}", stem ? "right" : "left", o.shift);
    sum += text(", bias {}", *o.bias);
    if (o.residual) sum += text(", residual {}", *o.residual);
    if (o.current) sum += text(": X = {}", *o.current);
    line(sum);
  } else if (o.current) {
    line(text("X = {}", *o.current));
  }
  if (o.neuron) line(neuron_text(*o.neuron));
  if (!o.sources.empty()) {
    std::string all;
    for (const SourceValue& s : o.sources) all += text(" {} at ({}, {})", s.value, s.y, s.x);
    line("values read:" + all);
  }
  if (o.value) line(text("these operands give {}", *o.value));
  return out;
}

std::string difference_text(const Difference& d, const std::string& a, const std::string& b) {
  const bool timed = d.place.quantity != Quantity::kOutput;
  return text("{}: {} \"{}\" differs at {}tile {}, pixel (y, x) ({}, {}), channel {}: {} {}, {} {}\n",
              d.layer, quantity_name(d.place.quantity), d.place.name,
              timed ? text("t {}, ", d.place.t) : "", d.tile, d.place.y, d.place.x,
              d.place.channel, a, d.left, b, d.right) +
         operands_text(d.operands);
}

namespace {

json operands_value(const Operands& o) {
  json out = {{"layer", o.layer}, {"op", o.op}, {"sum", o.sum}, {"shift", o.shift}};
  out["tile_sums"] = o.tile_sums, out["step_sums"] = o.step_sums;
  json& products = out["products"] = json::array();
  for (const Product& p : o.products)
    products.push_back({{"time_step", p.t},
                        {"channel", p.channel},
                        {"tap", {p.tap_y, p.tap_x}},
                        {"input", p.input},
                        {"weight", p.weight}});
  const auto optional = [&](const char* key, const auto& value) {
    out[key] = value ? json(*value) : json();
  };
  optional("bias", o.bias), optional("residual", o.residual), optional("current", o.current);
  optional("value", o.value);
  out["neuron"] = nullptr;
  if (const auto& n = o.neuron)
    out["neuron"] = {{"previous", n->previous},   {"charged", n->charged},
                     {"threshold", n->threshold}, {"membrane", n->after},
                     {"fired", n->fired},         {"winner_takes_all", n->winner},
                     {"leak", leak_name(n->leak)}, {"k", n->k}};
  json& sources = out["sources"] = json::array();
  for (const SourceValue& s : o.sources)
    sources.push_back({{"channel", s.channel}, {"pixel", {s.y, s.x}}, {"value", s.value}});
  out["missing"] = o.missing.empty() ? json() : json(o.missing);
  out["text"] = operands_text(o);
  return out;
}

}  // namespace

std::string operands_json(const Operands& o) { return operands_value(o).dump(); }

std::string comparison_json(const TraceComparison& c, const std::string& a,
                            const std::string& b) {
  json out = {{"equal", c.equal()},
              {"values", c.values},
              {"differing", c.differing},
              {"compared", c.compared},
              {"missing", {{a, c.only_right}, {b, c.only_left}}},
              {"first", nullptr}};
  if (const auto& d = c.first)
    out["first"] = {{"layer", d->layer},
                    {"index", d->place.layer},
                    {"quantity", quantity_name(d->place.quantity)},
                    {"name", d->place.name},
                    {"time_step", d->place.t},
                    {"tile", d->tile},
                    {"pixel", {d->place.y, d->place.x}},
                    {"channel", d->place.channel},
                    {"values", {{a, d->left}, {b, d->right}}},
                    {"operands", operands_value(d->operands)},
                    {"text", difference_text(*d, a, b)}};
  return out.dump();
}

}  // namespace lampyris::firefly
