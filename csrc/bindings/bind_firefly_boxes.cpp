// Boxes from detection maps, without torch.
#include "bindings/firefly_arrays.h"
#include "firefly/boxes.h"

namespace lampyris {

namespace {

using namespace firefly;

py::tuple boxes(const Array<double>& map, double stride, double box_scale, double score_threshold,
                double iou_threshold, int most) {
  if (map.ndim() != 3)
    fail("boxes: map must have shape [4 + classes, H, W], got {} dimensions", map.ndim());
  BoxOptions options;
  options.stride = stride, options.box_scale = box_scale, options.most = most;
  options.score_threshold = score_threshold, options.iou_threshold = iou_threshold;
  const auto size = [&](int i) { return static_cast<int>(map.shape(i)); };
  const std::vector<Box> found = find_boxes(view(map), size(0), size(1), size(2), options);
  const auto count = static_cast<py::ssize_t>(found.size());
  py::array_t<double> corners({count, py::ssize_t{4}}), scores(count);
  py::array_t<int64_t> labels(count);
  for (py::ssize_t i = 0; i < count; ++i) {
    const Box& b = found[static_cast<size_t>(i)];
    const double sides[] = {b.x1, b.y1, b.x2, b.y2};
    for (int k = 0; k < 4; ++k) corners.mutable_at(i, k) = sides[k];
    scores.mutable_at(i) = b.score, labels.mutable_at(i) = b.label;
  }
  return py::make_tuple(corners, scores, labels);
}

}  // namespace

void bind_firefly_boxes(py::module_& m) {
  m.def("boxes", &boxes, py::arg("map"), py::arg("stride"), py::arg("box_scale"),
        py::arg("score_threshold"), py::arg("iou_threshold"), py::arg("most"));
}

}  // namespace lampyris
