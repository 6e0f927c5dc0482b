#include "io/canonical_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace lampyris {
namespace {

using nlohmann::json;

std::string refusal(const std::string& text) {
  try {
    parse_canonical_json(text, "text");
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CanonicalJson, OneTextPerValue) {
  const json value = {{"b", {1, nullptr, true}}, {"a", "\xc3\xa9\x7f\"\\/\n"}, {"", -5}};
  const std::string text =
      R"({"":-5,"a":"\u00e9\u007f\"\\/\n","b":[1,null,true]})";
  EXPECT_EQ(dump_canonical_json(value, "value"), text);
  EXPECT_EQ(parse_canonical_json(text, "text"), value);
}

TEST(CanonicalJson, OtherFormsAreRefusedWithThePlace) {
  EXPECT_EQ(refusal("[1, 2]"),
            "weight image: text, expected canonical JSON, got another form at byte 3");
  EXPECT_EQ(refusal(R"({"a":1,"a":1})"),
            "weight image: text, expected canonical JSON, got another form at byte 6");
  EXPECT_EQ(refusal("\xef\xbb\xbf[]"),
            "weight image: text, expected printable ASCII, got 0xef at byte 0");
  EXPECT_EQ(refusal("[1"), "weight image: text, expected JSON, got other text");
  EXPECT_EQ(refusal(R"(["\ud800"])"), "weight image: text, expected JSON, got other text");
}

TEST(CanonicalJson, NumbersAreIntegersWithin2To53) {
  EXPECT_EQ(refusal("[9007199254740992,-9007199254740992]"), "accepted");
  for (const char* number : {"9007199254740993", "-9007199254740993", "18446744073709551615",
                             "99999999999999999999", "1.0", "1e3"}) {
    EXPECT_EQ(refusal(R"({"a":[0,)" + std::string(number) + "]}"),
              "weight image: text, expected integers within +-2^53, got another value at "
              "\"/a/1\"");
  }
  EXPECT_THROW(dump_canonical_json({{"a", 0.5}}, "value"), std::invalid_argument);
  EXPECT_THROW(dump_canonical_json(json("\xff"), "value"), std::invalid_argument);
}

TEST(CanonicalJson, DepthIsLimitedBeforeAnythingRecursive) {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(refusal(nested(kMaxJsonDepth)), "accepted");
  const std::string reason = "weight image: text, expected at most 32 levels of nesting, got more";
  EXPECT_EQ(refusal(nested(kMaxJsonDepth + 1)), reason);
  EXPECT_EQ(refusal(std::string(10'000'000, '[')), reason);
  EXPECT_EQ(refusal("\"" + std::string(100, '[') + "\\\"[\""), "accepted");
  json value = 1;
  for (int i = 0; i < 40; ++i) value = json::array({value});
  EXPECT_THROW(dump_canonical_json(value, "value"), std::invalid_argument);
}

TEST(CanonicalJson, ShownValuesAreShort) {
  EXPECT_EQ(show_text("a\"b"), R"("a\"b")");
  EXPECT_EQ(show_text(std::string(100, 'x')).size(), 63u);
  EXPECT_EQ(show_text("\xff").front(), '"');
}

}  // namespace
}  // namespace lampyris
