#include <gtest/gtest.h>

#include <string>

#include "firefly/npy.h"

namespace lampyris::firefly {
namespace {

std::vector<uint8_t> npy(const std::string& dictionary, size_t data_bytes, uint8_t version = 1) {
  std::string header = dictionary + "\n";
  std::vector<uint8_t> file = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    file.push_back(static_cast<uint8_t>(header.size() >> 8 * i));
  file.insert(file.end(), header.begin(), header.end());
  for (size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<uint8_t>(i));
  return file;
}

std::string dictionary(const std::string& type, const std::string& shape,
                       const std::string& order = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

TEST(Npy, ReadsTypesShapesAndVersions) {
  NpyArray array = read_npy(npy(dictionary("|u1", "(2, 3, 4)"), 24));
  EXPECT_EQ(array.type, NpyType::kUint8);
  EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(array.bytes[23], 23);
  array = read_npy(npy(dictionary("<i2", "(5,)"), 10, 2));
  EXPECT_EQ(array.type, NpyType::kInt16);
  EXPECT_EQ(array.shape, std::vector<int64_t>{5});
  EXPECT_EQ(read_npy(npy(dictionary("|b1", "()"), 1)).type, NpyType::kBool);
}

TEST(Npy, RefusesOthers) {
  for (const auto& file :
       {std::vector<uint8_t>(40, 7), npy(dictionary("<f4", "(2,)"), 8),
        npy(dictionary("|u1", "(2, 2)", "True"), 4), npy(dictionary("|u1", "(2, 2)"), 5),
        npy(dictionary("|u1", "(-2, 2)"), 4),
        npy(dictionary("|u1", "(99999999999, 99999999999)"), 4), npy(dictionary("|u1", "2"), 4),
        npy("{}", 4)})
    EXPECT_THROW(read_npy(file), std::invalid_argument);
  const auto good = npy(dictionary("|u1", "(2, 2)"), 4);
  for (size_t n = 0; n < good.size(); ++n)
    EXPECT_THROW(read_npy(std::span(good).first(n)), std::invalid_argument) << n;
}

TEST(Npy, WritesWhatItReads) {
  for (const auto& [type, shape, count] :
       {std::tuple{NpyType::kBool, std::vector<int64_t>{2, 3}, size_t{6}},
        std::tuple{NpyType::kInt32, std::vector<int64_t>{5}, size_t{20}},
        std::tuple{NpyType::kInt16, std::vector<int64_t>{}, size_t{2}},
        std::tuple{NpyType::kUint8, std::vector<int64_t>{1, 0, 4, 7}, size_t{0}}}) {
    NpyArray array{type, shape, {}};
    for (size_t i = 0; i < count; ++i) array.bytes.push_back(static_cast<uint8_t>(i));
    const std::vector<uint8_t> file = write_npy(array);
    EXPECT_EQ((file.size() - count) % 64, 0u);
    const NpyArray back = read_npy(file);
    EXPECT_EQ(std::tie(back.type, back.shape, back.bytes),
              std::tie(array.type, array.shape, array.bytes));
  }
}

}  // namespace
}  // namespace lampyris::firefly
