#include "firefly/lower.h"

#include <algorithm>

#include "firefly/area.h"
#include "firefly/arena.h"
#include "firefly/config.h"
#include "firefly/packing.h"

namespace lampyris::firefly {

namespace {
constexpr int kBlockAlign = 16;     // of a channel tile
constexpr uint64_t kMapAlign = 64;  // of a map
constexpr int kSpikeAlign = 4;      // of a transfer
constexpr int kMaxFieldTiles = 4096;
constexpr uint64_t kMaxArena = uint64_t{1} << 31;
}  // namespace

Lowering::Lowering(const Program& program) : program_(program), p_(program.parallelism()) {
  for (const Node& node : program.nodes()) bands_.push_back(cut(node));
}

int Lowering::pixel_bytes(Kind kind) const {
  switch (kind) {
    case Kind::kSpikes: return static_cast<int>(spike_pixel_bytes(p_));
    case Kind::kStream: return static_cast<int>(stream_pixel_bytes(p_));
    case Kind::kInt32: return static_cast<int>(int32_pixel_bytes(p_));
  }
  return 0;
}

int Lowering::root(int id) const {
  while (map(id).parent >= 0) id = map(id).parent;
  return id;
}

int Lowering::first_tile(int id) const {
  int channel = 0;
  for (; map(id).parent >= 0; id = map(id).parent) channel += map(id).first_channel;
  return channel / p_;
}

int Lowering::output_map(const Node& node) const {
  return node.spikes >= 0 ? node.spikes : (node.stream >= 0 ? node.stream : node.int32);
}

void Lowering::source_rows(const Node& node, const Band& band, int& first, int& last) const {
  if (node.op == Op::kUpsample) {
    first = band.row0 / 2, last = (band.row1 - 1) / 2;
  } else {
    first = band.row0 * node.stride - node.padding;
    last = (band.row1 - 1) * node.stride + node.kernel - 1 - node.padding;
  }
}

// Transfers of spikes start at multiples of 4 bytes.
bool Lowering::aligned(const Node& node, const Band& band) const {
  const auto ok = [this](int id, int row) {
    const Map& m = map(id);
    return m.kind != Kind::kSpikes ||
           int64_t{std::max(row, 0)} * m.width * pixel_bytes(m.kind) % kSpikeAlign == 0;
  };
  int first, last;
  source_rows(node, band, first, last);
  return ok(node.source, first) && (node.spikes < 0 || ok(node.spikes, band.row0));
}

std::vector<Band> Lowering::cut(const Node& node) const {
  const Map& out = map(output_map(node));
  int rows = out.height;
  if (int64_t{rows} * out.width > kMaxPixels) rows = std::max(1, kMaxPixels / out.width);
  if (rows < out.height && rows > 1) rows -= rows % 2;
  std::vector<Band> bands;
  for (int row = 0; row < out.height; row += rows)
    bands.push_back({row, std::min(row + rows, out.height)});
  return bands;
}

void Lowering::check_node(const Node& node, const std::vector<Band>& bands,
                          Violations& out) const {
  const Map& in = map(node.source);
  const Map& to = map(output_map(node));
  const std::string& name = node.name;
  if (node.op == Op::kConv) {
    const int64_t fan_in = int64_t{in.channels} * node.kernel * node.kernel;
    const int64_t count = fan_in * (node.accumulates ? program_.time_steps() : 1);
    out.require(count <= kMaxFanIn, name, "inputs per output must be at most {}, got {}", kMaxFanIn,
                count);
    out.require(node.stride == 1 || (in.height % 2 == 0 && in.width % 2 == 0), name,
                "stride 2 must have an even input, got [{}, {}] (pad the image)", in.height, in.width);
  }
  out.require(in.width <= kMaxWidth && to.width <= kMaxWidth, name,
              "width must be at most {}, got {}", kMaxWidth, std::max(in.width, to.width));
  out.require(tile_count(in.channels, p_) <= kMaxFieldTiles &&
                  tile_count(to.channels, p_) <= kMaxFieldTiles,
              name, "channels must be at most {}, got {}", kMaxFieldTiles * p_,
              std::max(in.channels, to.channels));
  if (bands.size() > 1)
    out.require(std::all_of(bands.begin(), bands.end(),
                            [&](const Band& b) { return aligned(node, b); }),
                name, "a map above {} pixels must have an even width, got [{}, {}] (pad the image)",
                kMaxPixels, in.height, in.width);
}

void Lowering::check() const {
  Violations violations;
  for (size_t n = 0; n < program_.nodes().size(); ++n)
    check_node(program_.nodes()[n], bands_[n], violations);
  violations.raise("ems");
}

void Lowering::place(Plan& plan) {
  const auto& maps = program_.maps();
  const int count = static_cast<int>(maps.size());
  const int layers = static_cast<int>(program_.nodes().size());
  std::vector<ArenaBlock> blocks(maps.size());
  placed_.resize(maps.size());
  for (int id = 0; id < count; ++id) {
    const Map& m = map(id);
    const Map& base = map(root(id));
    PlanMap& to = placed_[static_cast<size_t>(id)];
    to.name = m.name, to.kind = m.kind, to.channels = m.channels;
    to.height = m.height, to.width = m.width, to.steps = m.steps;
    to.result = !m.read;
    const int64_t block = int64_t{m.height} * m.width * pixel_bytes(m.kind);
    const int64_t stride_c = (block + kBlockAlign - 1) / kBlockAlign * kBlockAlign;
    const int64_t stride_t = stride_c * tile_count(base.channels, p_);
    const int64_t bytes = stride_t * base.steps;
    if (static_cast<uint64_t>(bytes) > kMaxArena)
      fail("{}: map must have at most 2^31 bytes, got {}", m.name, bytes);
    to.stride_c = static_cast<uint32_t>(stride_c);
    to.stride_t = base.steps == 1 ? 0 : static_cast<uint32_t>(stride_t);
    if (root(id) == id) blocks[static_cast<size_t>(id)] = {static_cast<uint64_t>(bytes), layers, -1, 0};
  }
  // A part is complete with its producer, a concatenation with its last part.
  for (int id = 0; id < count; ++id) {
    const int made = map(id).producer;
    ArenaBlock& block = blocks[static_cast<size_t>(root(id))];
    if (!map(id).joined) block.first = std::min(block.first, made);
    block.last = std::max(block.last, placed_[static_cast<size_t>(id)].result ? layers - 1 : made);
    if (map(id).joined) continue;
    placed_[static_cast<size_t>(id)].ready = made;
    for (int up = map(id).parent; up >= 0; up = map(up).parent)
      placed_[static_cast<size_t>(up)].ready = std::max(placed_[static_cast<size_t>(up)].ready, made);
  }
  for (int n = 0; n < layers; ++n) {
    const Node& node = program_.nodes()[static_cast<size_t>(n)];
    for (const int id : {node.source, node.residual})
      if (id >= 0) {
        ArenaBlock& block = blocks[static_cast<size_t>(root(id))];
        block.last = std::max(block.last, n);
      }
  }
  std::vector<ArenaBlock> roots;
  for (int id = 0; id < count; ++id)
    if (root(id) == id) roots.push_back(blocks[static_cast<size_t>(id)]);
  plan.arena_bytes = plan_arena(roots, kMapAlign);
  if (plan.arena_bytes > kMaxArena)
    fail("program: arena must have at most 2^31 bytes, got {}", plan.arena_bytes);
  size_t next = 0;
  for (int id = 0; id < count; ++id)
    if (root(id) == id)
      placed_[static_cast<size_t>(id)].offset = static_cast<uint32_t>(roots[next++].offset);
  for (int id = 0; id < count; ++id) {
    PlanMap& to = placed_[static_cast<size_t>(id)];
    to.offset = placed_[static_cast<size_t>(root(id))].offset +
                static_cast<uint32_t>(first_tile(id)) * to.stride_c;
  }
  plan.maps = placed_;
}

Area Lowering::area(int id, int row) const {
  const PlanMap& m = placed_[static_cast<size_t>(id)];
  const uint32_t skip = static_cast<uint32_t>(row * m.width * pixel_bytes(m.kind));
  return {m.offset + skip, m.stride_t, m.stride_c};
}

Command Lowering::command(size_t index, const Band& band) const {
  const Node& node = program_.nodes()[index];
  const Map& in = map(node.source);
  const Map& out = map(output_map(node));
  Command c;
  c.op = node.op;
  c.preload = node.residual >= 0;
  c.spikes_out = node.spikes >= 0;
  c.stream_out = node.stream >= 0;
  c.accumulate = node.accumulates;
  c.membrane_out = node.int32 >= 0 && !node.accumulates;
  c.shift = node.shift;
  c.kernel = node.kernel;
  c.stride = node.stride;
  c.ci_tiles = tile_count(in.channels, p_);
  c.co_tiles = tile_count(out.channels, p_);
  c.steps = node.op == Op::kConv || node.op == Op::kNeuron ? program_.time_steps() : out.steps;
  if (node.neuron) {
    c.leak = node.neuron->leak;
    c.k = c.leak == Leak::kBefore ? node.neuron->k : 0;
    c.table = node.neuron->threshold.size() > 1;
    c.theta = c.table ? 0 : node.neuron->threshold[0];
  }
  int first, last;
  source_rows(node, band, first, last);
  c.pad_top = first < 0;
  c.pad_bottom = last >= in.height;
  c.pad_left = c.pad_right = node.padding > 0;
  first = std::max(first, 0), last = std::min(last, in.height - 1);
  c.in_h = last - first + 1, c.in_w = in.width;
  c.out_h = band.row1 - band.row0, c.out_w = out.width;
  c.source = area(node.source, first);
  if (c.preload) c.residual = area(node.residual, band.row0);
  if (c.spikes_out) c.spikes = area(node.spikes, band.row0);
  if (node.stream >= 0) c.stream = area(node.stream, band.row0);
  if (node.int32 >= 0) c.stream = area(node.int32, band.row0);
  return c;
}

}  // namespace lampyris::firefly
