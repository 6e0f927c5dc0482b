#include "ops/event_graph/event_graph.h"

#include <gtest/gtest.h>

#include <limits>
#include <mutex>
#include <random>
#include <stdexcept>

#include "core/csr.h"
#include "ops/thread_team.h"

namespace lampyris {
namespace {

struct Events {
  std::vector<int32_t> x, y;
  std::vector<int64_t> t;
};

Events random_events(int count, int side) {
  std::mt19937 random(7);
  Events e;
  for (int i = 0; i < count; ++i) {
    e.x.push_back(static_cast<int32_t>(random() % side));
    e.y.push_back(static_cast<int32_t>(random() % side));
    e.t.push_back(i / 3 * 10);
  }
  return e;
}

EventGraph graph_of(int side, double radius, int64_t time_radius, int cap) {
  EventGraph g;
  g.width = g.height = side;
  g.time_radius = time_radius;
  g.max_neighbours = cap;
  set_radius(g, radius);
  return g;
}

TEST(EventGraph, PiecesEqualTheWhole) {
  const Events e = random_events(900, 20);
  const EventGraph g = graph_of(20, 2.5, 700, 7);
  std::vector<int64_t> whole(900), pieces(900);
  std::vector<int32_t> back, joined;
  event_graph_rows(g, e.x.data(), e.y.data(), e.t.data(), 0, 0, 900, back, whole.data());
  for (const auto& [begin, end] : {std::pair{0, 1}, {1, 333}, {333, 333}, {333, 900}}) {
    event_graph_rows(g, e.x.data(), e.y.data(), e.t.data(), 0, begin, end, joined, pieces.data());
  }
  EXPECT_EQ(whole, pieces);
  EXPECT_EQ(back, joined);
  EXPECT_GT(back.size(), 900U);
}

TEST(EventGraph, ExtremeTimes) {
  const std::vector<int32_t> at = {0, 0, 0};
  const std::vector<int64_t> t = {std::numeric_limits<int64_t>::min(), 0,
                                  std::numeric_limits<int64_t>::max()};
  const EventGraph g = graph_of(1, 0, std::numeric_limits<int64_t>::max(), 4);
  std::vector<int64_t> degree(3);
  std::vector<int32_t> back;
  event_graph_rows(g, at.data(), at.data(), t.data(), 0, 0, 3, back, degree.data());
  EXPECT_EQ(degree, (std::vector<int64_t>{0, 0, 1}));
}

// The lists of a neighbourhood dealt to the lanes of a team, as the GPU does.
TEST(EventGraph, TeamsMergeLikeOneLane) {
  const std::vector<int32_t> previous = {-1, -1, 0, 1, 2, -1, 4, 3, 6, 5};
  const std::vector<int32_t> heads = {8, 7, 9};
  const auto before = [&](int32_t event) { return previous[static_cast<size_t>(event)]; };
  for (const int32_t oldest : {0, 2, 9}) {
    for (const int32_t limit : {1, 4, 20}) {
      std::vector<int32_t> alone = heads, expected;
      newest_events(SerialTeam{}, alone.data(), 3, oldest, limit, before,
                    [&](int32_t event) { expected.push_back(event); });
      std::vector<int32_t> merged;
      run_team(2, [&](const ThreadTeam& team) {
        std::vector<int32_t> own = {heads[static_cast<size_t>(team.lane())]};
        if (team.lane() == 0) own.push_back(heads[2]);
        const int32_t found =
            newest_events(team, own.data(), static_cast<int>(own.size()), oldest, limit, before,
                          [&](int32_t event) { merged.push_back(event); });
        EXPECT_EQ(found, static_cast<int32_t>(expected.size()));
      });
      EXPECT_EQ(merged, expected);
    }
  }
}

TEST(Csr, NamesTheFirstMistake) {
  const std::vector<int64_t> ptr = {0, 2, 3}, col = {1, 0, 1};
  const Csr good{2, 3, 2, ptr.data(), col.data()};
  EXPECT_NO_THROW(check_csr("op", good));
  const auto message = [](const std::vector<int64_t>& p, const std::vector<int64_t>& c) {
    try {
      check_csr("op", {2, static_cast<int64_t>(c.size()), 2, p.data(), c.data()});
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(message({1, 2, 3}, col), "op: row_ptr must start at 0, got 1");
  EXPECT_EQ(message({0, 4, 3}, col), "op: row_ptr must not fall, got 3 after 4 at [2]");
  EXPECT_EQ(message({0, 2, 2}, col), "op: row_ptr must end at 3, got 2");
  EXPECT_EQ(message(ptr, {1, -1, 2}), "op: col must be in [0, 2), got -1 at [1]");
}

}  // namespace
}  // namespace lampyris
