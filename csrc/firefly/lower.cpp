#include "firefly/lower.h"

#include <algorithm>

#include "firefly/arena.h"
#include "firefly/config.h"
#include "firefly/packing.h"
#include "firefly/plan_commands.h"

namespace lampyris::firefly {

namespace {
constexpr int kBlockAlign = 16;     // of a channel tile
constexpr uint64_t kMapAlign = 64;  // of a map
constexpr int kRowStep = 4;         // of bands, so that both sides of an up-sampling are aligned
constexpr int kSpikeAlign = 4;      // of a transfer
constexpr uint64_t kMaxArena = uint64_t{1} << 31;
}  // namespace

Lowering::Lowering(const Program& program)
    : program_(program),
      p_(program.parallelism()),
      config_(preset_config(program.preset(), program.parallelism())) {
  for (const Node& node : program.nodes()) bands_.push_back(cut(node));
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

// Transfers of spikes start at multiples of 4 bytes.
bool Lowering::aligned(const Node& node, const Band& band) const {
  const auto ok = [this](int id, int row) {
    const Map& m = map(id);
    return m.kind != Kind::kSpikes ||
           int64_t{std::max(row, 0)} * m.width * pixel_bytes(m.kind, p_) % kSpikeAlign == 0;
  };
  const SourceRows rows =
      source_rows(node.op, node.kernel, node.stride, node.padding, band.row0, band.row1);
  return ok(node.source, rows.first) && (node.spikes < 0 || ok(node.spikes, band.row0));
}

std::vector<Band> Lowering::cut(const Node& node) const {
  const Map& out = map(output_map(node));
  int rows = out.height;
  const int most = config_.max_pixels();
  if (int64_t{rows} * out.width > most) rows = std::max(1, most / out.width);
  if (rows < out.height && rows > kRowStep) rows -= rows % kRowStep;
  std::vector<Band> bands;
  for (int row = 0; row < out.height; row += rows)
    bands.push_back({row, std::min(row + rows, out.height)});
  return bands;
}

void Lowering::check_node(const Node& node, const std::vector<Band>& bands, Violations& out) const {
  const Map& in = map(node.source);
  const Map& to = map(output_map(node));
  const std::string& name = node.name;
  if (node.op == Op::kConv) {
    const int64_t fan_in = int64_t{in.channels} * node.kernel * node.kernel;
    const int64_t count = fan_in * (node.accumulates ? program_.time_steps() : 1);
    out.require(count <= kMaxFanIn, name, "inputs per output must be at most {}, got {}", kMaxFanIn,
                count);
    out.require(node.stride == 1 || (in.height % 2 == 0 && in.width % 2 == 0), name,
                "stride 2 must have an even input, got [{}, {}] (pad the image)", in.height,
                in.width);
  }
  const int width = std::max(in.width, to.width);
  out.require(width <= config_.max_width(), name, "width must be at most {}, got {}",
              config_.max_width(), width);
  out.require(node.op != Op::kConv || tile_count(to.channels, p_) <= config_.bias_depth, name,
              "output channels must be at most {}, got {}", config_.bias_depth * p_, to.channels);
  out.require(tile_count(in.channels, p_) <= kMaxFieldTiles &&
                  tile_count(to.channels, p_) <= kMaxFieldTiles,
              name, "channels must be at most {}, got {}", kMaxFieldTiles * p_,
              std::max(in.channels, to.channels));
  if (bands.size() > 1)
    out.require(
        std::all_of(bands.begin(), bands.end(), [&](const Band& b) { return aligned(node, b); }),
        name, "a map above {} pixels must have an even width, got [{}, {}] (pad the image)",
        config_.max_pixels(), in.height, in.width);
}

void Lowering::check(Violations violations) const {
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
    const int64_t block = int64_t{m.height} * m.width * pixel_bytes(m.kind, p_);
    const int64_t stride_c = (block + kBlockAlign - 1) / kBlockAlign * kBlockAlign;
    const int64_t stride_t = stride_c * tile_count(base.channels, p_);
    const int64_t bytes = stride_t * base.steps;
    if (static_cast<uint64_t>(bytes) > kMaxArena)
      fail("{}: map must have at most 2^31 bytes, got {}", m.name, bytes);
    to.stride_c = static_cast<uint32_t>(stride_c);
    to.stride_t = base.steps == 1 ? 0 : static_cast<uint32_t>(stride_t);
    if (root(id) == id)
      blocks[static_cast<size_t>(id)] = {static_cast<uint64_t>(bytes), layers, -1, 0};
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
      placed_[static_cast<size_t>(up)].ready =
          std::max(placed_[static_cast<size_t>(up)].ready, made);
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

}  // namespace lampyris::firefly
