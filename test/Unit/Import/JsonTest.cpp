//===- JsonTest.cpp - JSON from untrusted files -----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Import/Formats/Json.h"

#include "TemporaryFolder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace smelt;
using nlohmann::json;

namespace {

TEST(Json, BuildsWhatTheLibraryBuilds) {
  for (const char *text :
       {"null", "true", "-3", "18446744073709551615", "1.5e3", "\"a\\u00e9\"",
        "[]", "{}", "[1, [2, {\"a\": [3]}], {\"b\": {\"c\": null}}, 4]",
        "{\"x\": {\"y\": [1, 2, {\"z\": 3}]}, \"w\": [[], {}, [[]]], \"v\": 1}",
        "{\"a\": {\"same\": 1}, \"b\": {\"same\": 2}}"}) {
    json value;
    std::string error;
    ASSERT_TRUE(parseJson(text, value, error)) << text << ": " << error;
    EXPECT_EQ(value, json::parse(text));
  }
}

TEST(Json, RefusesWithReason) {
  struct {
    std::string text, reason;
  } cases[] = {
      {"", "invalid JSON at byte"},
      {"{", "invalid JSON at byte"},
      {"{} {}", "invalid JSON at byte"},
      {"[1e999]", "invalid JSON at byte"},
      {"[NaN]", "invalid JSON at byte"},
      {"[\"\xff\"]", "invalid JSON at byte"},
      {"{\"a\": 1, \"a\": 1}", "key \"a\" appears twice"},
      {"{\"b\": {\"a\": 1, \"c\": 2, \"a\": []}}", "key \"a\" appears twice"},
      {std::string(100000, '['), "nesting of at most 64 levels"},
      {std::string(65, '[') + std::string(65, ']'), "at most 64 levels"},
  };
  for (const auto &test : cases) {
    json value = "untouched";
    std::string error;
    EXPECT_FALSE(parseJson(test.text, value, error)) << test.text;
    EXPECT_NE(error.find(test.reason), std::string::npos) << error;
    EXPECT_EQ(value, "untouched");
  }
}

TEST(Json, CapsValues) {
  JsonLimits limits;
  limits.values = 5;
  json value;
  std::string error;
  EXPECT_TRUE(parseJson("[1, 2, 3, 4]", value, error, limits));
  EXPECT_FALSE(parseJson("[1, 2, 3, 4, 5]", value, error, limits));
  EXPECT_EQ(error, "expected at most 5 values");
}

TEST(Json, ReadsRegularFilesOnly) {
  test::TemporaryFolder folder;
  json value;
  std::string error;
  EXPECT_TRUE(readJsonFile(folder.write("a.json", "[7]"), value, error));
  EXPECT_EQ(value[0], 7);
  EXPECT_FALSE(readJsonFile(folder.path(), value, error));
  EXPECT_NE(error.find("expected a regular file"), std::string::npos) << error;
  EXPECT_FALSE(readJsonFile(folder.path("missing"), value, error));
  EXPECT_NE(error.find("No such file"), std::string::npos) << error;
  JsonLimits limits;
  limits.fileBytes = 2;
  EXPECT_FALSE(readJsonFile(folder.path("a.json"), value, error, limits));
  EXPECT_NE(error.find("expected at most 2 bytes"), std::string::npos) << error;
}

TEST(Json, ShowsValuesShortly) {
  EXPECT_EQ(jsonText(json("a\n\"\xff")), "\"a\\n\\\"\\ufffd\"");
  EXPECT_EQ(jsonText(json::array({1, 2})), "[1,2]");
  EXPECT_LE(jsonText(std::string(150, 'x')).size(), 63u);
  EXPECT_EQ(jsonText(std::string(1000, 'x')), "a string of 1000 bytes");
  EXPECT_EQ(jsonText(json(std::vector<int>(9))), "an array of 9 values");
}

} // namespace
