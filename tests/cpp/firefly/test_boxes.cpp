#include "firefly/boxes.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lampyris::firefly {
namespace {

TEST(Boxes, OneCellByHand) {
  // Centre 0.5 cells + 0.25 cells, width e^0, height e^ln 2, two classes.
  const std::vector<double> map = {0.25, 0, 0, std::log(2.0), 0, -99};
  BoxOptions options;
  options.stride = 40, options.box_scale = 10;
  const std::vector<Box> found = find_boxes(map, 6, 1, 1, options);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_DOUBLE_EQ(found[0].x1, 25);
  EXPECT_DOUBLE_EQ(found[0].x2, 35);
  EXPECT_DOUBLE_EQ(found[0].y1, 10);
  EXPECT_DOUBLE_EQ(found[0].y2, 30);
  EXPECT_DOUBLE_EQ(found[0].score, 0.5);
  EXPECT_EQ(found[0].label, 0);
}

TEST(Boxes, StayInsideTheImageAndAreLimitedInSize) {
  const std::vector<double> map = {0, 0, 50, -50, 3};
  const Box box = find_boxes(map, 5, 1, 1, BoxOptions{}).at(0);
  EXPECT_EQ(box.x1, 0);
  EXPECT_EQ(box.x2, 8);
  EXPECT_NEAR(box.y2 - box.y1, 18 * std::exp(-4.0), 1e-14);  // y2 near 4
}

TEST(Boxes, SuppressionIsByClassAndKeepsTheThreshold) {
  const Box a{0, 0, 10, 10, 0.9, 1}, half{0, 0, 10, 5, 0.8, 1}, other{0, 0, 10, 10, 0.7, 2};
  const std::vector<Box> boxes = {half, a, other};
  EXPECT_EQ(suppress(boxes, 0.5), (std::vector<int>{1, 0, 2}));  // overlap 0.5 is not above 0.5
  EXPECT_EQ(suppress(boxes, 0.49), (std::vector<int>{1, 2}));
  EXPECT_TRUE(suppress({}, 0.5).empty());
}

TEST(Boxes, EqualScoresStayInOrderAndLimitsHold) {
  std::vector<double> map(5 * 9, 0.0);
  BoxOptions options;
  options.box_scale = 1, options.most = 4;
  const std::vector<Box> found = find_boxes(map, 5, 3, 3, options);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_LT(found[0].x1, found[1].x1);
  EXPECT_EQ(found[0].y1, found[2].y1);
  EXPECT_LT(found[2].y1, found[3].y1);
  options.candidates = 2;
  EXPECT_EQ(find_boxes(map, 5, 3, 3, options).size(), 2u);
  options.score_threshold = 0.5;  // sigmoid(0) is not above
  EXPECT_TRUE(find_boxes(map, 5, 3, 3, options).empty());
  EXPECT_THROW(find_boxes(map, 4, 3, 3, options), std::invalid_argument);
  EXPECT_THROW(find_boxes(map, 5, 3, 2, options), std::invalid_argument);
}

}  // namespace
}  // namespace lampyris::firefly
