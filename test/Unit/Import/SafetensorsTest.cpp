//===- SafetensorsTest.cpp - Sound files and bad ones -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "smelt/Import/Formats/Checkpoint.h"

#include "TemporaryFolder.h"

#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace smelt;
using smelt::test::TemporaryFolder;

namespace {

/// A file with this header and `dataBytes` zeros behind it.
std::string makeFile(const std::string &header, size_t dataBytes) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(uint64_t(header.size()) >> 8 * i);
  return bytes + header + std::string(dataBytes, '\0');
}

std::string readBytes(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One tensor "a" of the given fields.
std::string oneTensor(const std::string &fields) {
  return "{\"a\": {" + fields + "}}";
}

TEST(Safetensors, OpensHandMadeFile) {
  TemporaryFolder folder;
  std::string header = "{\"b\": {\"dtype\": \"BF16\", \"shape\": [2, 3], "
                       "\"data_offsets\": [4, 16]},"
                       "\"__metadata__\": {\"format\": \"pt\"},"
                       "\"scalar\": {\"dtype\": \"F32\", \"shape\": [], "
                       "\"data_offsets\": [0, 4]},"
                       "\"empty\": {\"dtype\": \"F32\", \"shape\": [0, 5], "
                       "\"data_offsets\": [4, 4]}}  ";
  std::string bytes = makeFile(header, 16);
  for (int i = 0; i < 16; ++i)
    bytes[8 + header.size() + i] = static_cast<char>(i);
  std::string error;
  auto file = SafetensorsFile::open(folder.write("x", bytes), error);
  ASSERT_TRUE(file) << error;
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors()[0].name, "scalar");
  EXPECT_EQ(file->tensors()[1].name, "empty");
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_EQ(file->find("__metadata__"), nullptr);
  const NamedTensor *tensor = file->find("b");
  ASSERT_TRUE(tensor);
  EXPECT_EQ(tensor->type, ElementType::BF16);
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensor->bytes, 12u);
  EXPECT_EQ(tensor->offset, 8 + header.size() + 4);
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ(tensor->data[i], i + 4);
}

TEST(Safetensors, OpensFileWithoutTensors) {
  TemporaryFolder folder;
  std::string error;
  auto file =
      SafetensorsFile::open(folder.write("x", makeFile("{}", 0)), error);
  ASSERT_TRUE(file) << error;
  EXPECT_TRUE(file->tensors().empty());
}

TEST(Safetensors, RefusesUnsoundFiles) {
  const std::string type = "\"dtype\": \"F32\"", shape = "\"shape\": [2]",
                    offsets = "\"data_offsets\": [0, 8]";
  const std::string pair =
      "{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
      "\"b\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": ";
  auto withShape = [&](const std::string &text) {
    return makeFile(oneTensor(type + ", \"shape\": " + text + ", " + offsets),
                    8);
  };
  auto withOffsets = [&](const std::string &text) {
    return makeFile(
        oneTensor(type + ", " + shape + ", \"data_offsets\": " + text), 8);
  };
  const std::string good = oneTensor(type + ", " + shape + ", " + offsets);
  std::string endless = makeFile(good, 8);
  std::fill_n(endless.begin(), 8, '\xff');
  struct {
    std::string bytes, reason;
  } cases[] = {
      {"", "at least 8 bytes, found a file of 0"},
      {"1234567", "at least 8 bytes, found a file of 7"},
      {std::string(8, '\0'), "begin with '{'"},
      {endless, "found a length of 18446744073709551615"},
      {std::string("\x01\xe1\xf5\x05\0\0\0\0{", 9), "at most 100000000 bytes"},
      {makeFile(good, 8).substr(0, 20), "is the file complete?"},
      {makeFile(good, 7), "within the file's 7 bytes"},
      {makeFile(good, 9), "expected the tensors to end at the end of the file"},
      {makeFile(" " + good, 8), "begin with '{'"},
      {makeFile("[]", 0), "begin with '{'"},
      {makeFile("{\"a\"", 0), "invalid JSON"},
      {makeFile("{} x", 0), "invalid JSON"},
      {makeFile(std::string("{}\0", 3), 0), "invalid JSON"},
      {makeFile("{\"a\": 1}", 0), "expected an object, found 1"},
      {makeFile("{\"a\": null}", 0), "expected an object, found null"},
      {makeFile("{\"a\": [[[[[[]]]]]]}", 0), "nesting of at most 4"},
      {makeFile("{\"a\": " + std::string(1 << 20, '['), 0), "nesting"},
      {makeFile("{\"__metadata__\": {\"a\": 1}}", 0), "object of strings"},
      {makeFile("{\"__metadata__\": []}", 0), "object of strings"},
      {makeFile(oneTensor(shape + ", " + offsets), 8), "expected 'dtype'"},
      {makeFile(oneTensor(type + ", " + offsets), 8), "expected 'shape'"},
      {makeFile(oneTensor(type + ", " + shape), 8), "expected 'data_offsets'"},
      {makeFile(oneTensor(type + ", " + shape + ", " + offsets + ", \"x\": 1"),
                8),
       "found 4 fields"},
      {makeFile(oneTensor("\"dtype\": \"F33\", " + shape + ", " + offsets), 8),
       "found \"F33\""},
      {makeFile(oneTensor("\"dtype\": 32, " + shape + ", " + offsets), 8),
       "found 32"},
      {makeFile(
           oneTensor(
               "\"dtype\": \"F4\", \"shape\": [3], \"data_offsets\": [0, 2]"),
           2),
       "whole number of bytes"},
      {makeFile(oneTensor(type + ", " + type + ", " + shape + ", " + offsets),
                8),
       "key \"dtype\" appears twice"},
      {withShape("2"), "to be an array, found 2"},
      {withShape("\"2\""), "to be an array, found \"2\""},
      {withShape("[-2]"), "integers of at least 0, found -2"},
      {withShape("[2.0]"), "integers of at least 0, found 2.0"},
      {withShape("[\"2\"]"), "found \"2\" in 'shape'"},
      {withShape("[null]"), "found null in 'shape'"},
      {withShape("[1e30]"), "found 1e+30 in 'shape'"},
      {withShape("[18446744073709551615]"), "found 18446744073709551615"},
      {withShape("[9223372036854775807]"), "fits 64 bits"},
      {withShape("[4294967296, 4294967296]"), "fits 64 bits"},
      {withShape("[4611686018427387904, 2]"), "fits 64 bits"},
      {withShape("[3]"), "span the 12 bytes of [3] of F32, found 8"},
      {withShape("[0]"), "span the 0 bytes"},
      {withOffsets("[0]"), "two integers"},
      {withOffsets("[0, 4, 8]"), "two integers"},
      {withOffsets("[-8, 0]"), "two integers"},
      {withOffsets("[0.0, 8.0]"), "two integers"},
      {withOffsets("{}"), "two integers"},
      {withOffsets("[8, 0]"), "to ascend within the file's 8 bytes"},
      {withOffsets("[0, 9]"), "to ascend within the file's 8 bytes"},
      {withOffsets("[18446744073709551608, 18446744073709551615]"),
       "to ascend"},
      {withOffsets("[18446744073709551615, 7]"), "to ascend"},
      {makeFile(pair + "[0, 8]}}", 8), "tensors overlap"},
      {makeFile(pair + "[4, 12]}}", 12), "tensors overlap"},
      {makeFile(pair + "[9, 17]}}", 17), "bytes of no tensor between"},
      {makeFile(pair + "[8, 16]}, \"a\": {}}", 16), "key \"a\" appears twice"},
  };
  TemporaryFolder folder;
  for (const auto &test : cases) {
    std::string error, path = folder.write("bad", test.bytes);
    EXPECT_EQ(SafetensorsFile::open(path, error), nullptr)
        << test.bytes.substr(8, 80);
    EXPECT_EQ(error.rfind("cannot read '" + path + "': ", 0), 0u) << error;
    EXPECT_NE(error.find(test.reason), std::string::npos)
        << error << "\nexpected: " << test.reason;
    EXPECT_LT(error.size(), 400u);
  }
  std::string error;
  EXPECT_EQ(SafetensorsFile::open(folder.path("missing"), error), nullptr);
  EXPECT_NE(error.find("No such file"), std::string::npos) << error;
  EXPECT_EQ(SafetensorsFile::open(folder.path(), error), nullptr);
  EXPECT_NE(error.find("expected a regular file"), std::string::npos) << error;
}

/// Whatever single bytes of a sound file are changed, it is refused or what it
/// then says lies within the file.
TEST(Safetensors, SurvivesEveryMutation) {
  TemporaryFolder folder;
  std::string bytes = makeFile(
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
      "\"b\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[8,11]}}",
      11);
  std::mt19937 random(7);
  int opened = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string mutated = bytes;
    int changes = 1 + random() % 3;
    for (int i = 0; i < changes; ++i)
      mutated[random() % mutated.size()] =
          random() % 2 ? static_cast<char>(random())
                       : "0123456789[]{},:\"-e"[random() % 19];
    if (random() % 8 == 0)
      mutated.resize(random() % mutated.size());
    std::string error;
    auto file = SafetensorsFile::open(folder.write("x", mutated), error);
    EXPECT_EQ(file == nullptr, !error.empty());
    if (!file)
      continue;
    ++opened;
    uint64_t sum = 0;
    for (const NamedTensor &tensor : file->tensors()) {
      ASSERT_LE(tensor.offset + tensor.bytes, mutated.size());
      for (uint64_t i = 0; i < tensor.bytes; ++i)
        sum += tensor.data[i];
    }
    EXPECT_LE(sum, 11u * 255);
  }
  EXPECT_GT(opened, 0);
}

TEST(Safetensors, WritesWhatItReads) {
  TemporaryFolder folder;
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> data(round % 5);
    std::vector<NamedTensor> tensors;
    for (size_t i = 0; i < data.size(); ++i) {
      NamedTensor tensor;
      tensor.name = "tensor \"" + std::to_string(random() % 1000) + "\" é " +
                    std::to_string(i);
      tensor.type = random() % 2 ? ElementType::BF16 : ElementType::F32;
      for (unsigned rank = random() % 4; rank; --rank)
        tensor.shape.push_back(random() % 5);
      tensor.bytes = *tensorBytes(tensor.type, tensor.shape);
      for (uint64_t k = 0; k < tensor.bytes; ++k)
        data[i].push_back(static_cast<char>(random()));
      tensor.data = reinterpret_cast<const uint8_t *>(data[i].data());
      tensors.push_back(tensor);
    }
    std::string error, path = folder.path("out.safetensors");
    ASSERT_TRUE(writeSafetensors(path, tensors, error)) << error;
    auto file = SafetensorsFile::open(path, error);
    ASSERT_TRUE(file) << error;
    ASSERT_EQ(file->tensors().size(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const NamedTensor *read = file->find(tensors[i].name);
      ASSERT_TRUE(read);
      EXPECT_EQ(read->type, tensors[i].type);
      EXPECT_EQ(read->shape, tensors[i].shape);
      EXPECT_EQ(std::string(read->data, read->data + read->bytes), data[i]);
      EXPECT_EQ(
          (read->offset -
           (read == &file->tensors()[0] ? 0 : file->tensors()[0].offset)) %
              2,
          0u);
    }
    if (!tensors.empty()) {
      EXPECT_EQ(file->tensors()[0].offset % 8, 0u);
    }
  }
  // Nothing but the file itself is left behind.
  size_t entries = 0;
  for (auto &entry : std::filesystem::directory_iterator(folder.path()))
    entries += entry.is_regular_file();
  EXPECT_EQ(entries, 1u);
}

TEST(Safetensors, LeavesTheOldFileOnFailure) {
  TemporaryFolder folder;
  std::string path = folder.write("out", "old"), error;
  float values[2] = {1, 2};
  NamedTensor tensor;
  tensor.name = "a";
  tensor.shape = {2};
  tensor.bytes = 8;
  tensor.data = reinterpret_cast<const uint8_t *>(values);
  auto expectRefused = [&](std::vector<NamedTensor> tensors,
                           const std::string &reason) {
    EXPECT_FALSE(writeSafetensors(path, tensors, error));
    EXPECT_NE(error.find(reason), std::string::npos) << error;
    EXPECT_EQ(readBytes(path), "old");
  };
  NamedTensor wrong = tensor;
  wrong.bytes = 4;
  expectRefused({wrong}, "expected the bytes of [2] of F32, found 4");
  wrong = tensor;
  wrong.shape = {-2};
  expectRefused({wrong}, "[-2]");
  wrong = tensor;
  wrong.data = nullptr;
  expectRefused({wrong}, "expected data");
  wrong = tensor;
  wrong.name = "__metadata__";
  expectRefused({wrong}, "the format's own");
  expectRefused({tensor, tensor}, "found it twice");
  EXPECT_FALSE(writeSafetensors(folder.path("no/such/x"), {tensor}, error));
  EXPECT_NE(error.find("No such file"), std::string::npos) << error;

  // A full disk, played by a limit on the size of files.
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = 40;
  setrlimit(RLIMIT_FSIZE, &small);
  bool isWritten = writeSafetensors(path, {tensor}, error);
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_FALSE(isWritten);
  EXPECT_NE(error.find("File too large"), std::string::npos) << error;
  EXPECT_EQ(readBytes(path), "old");
  size_t entries = 0;
  for (auto &entry : std::filesystem::directory_iterator(folder.path()))
    entries += entry.is_regular_file();
  EXPECT_EQ(entries, 1u);
}

//===----------------------------------------------------------------------===//
// Checkpoint
//===----------------------------------------------------------------------===//

std::string shard(const std::string &name) {
  return makeFile("{\"" + name +
                      "\": {\"dtype\": \"I8\", \"shape\": [3], "
                      "\"data_offsets\": [0, 3]}}",
                  3);
}

TEST(Safetensors, ReplacesFilesOnly) {
  TemporaryFolder folder;
  std::string pipe = folder.path("pipe"), link = folder.path("link");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_EQ(symlink(pipe.c_str(), link.c_str()), 0);
  struct {
    std::string path;
    const char *message;
  } cases[] = {
      {pipe, "found a device or pipe"},
      {link, "found a device or pipe"},
      {folder.path(""), "found a folder"},
      {folder.path("none/x"), "No such file or directory"},
      {pipe + "/x", "Not a directory"},
      {"", "expected the name of a file"},
  };
  for (const auto &c : cases) {
    std::string error;
    EXPECT_FALSE(writeSafetensors(c.path, {}, error)) << c.path;
    EXPECT_NE(error.find("cannot write '" + c.path + "': "), std::string::npos)
        << error;
    EXPECT_NE(error.find(c.message), std::string::npos) << error;
  }
  struct stat info;
  ASSERT_EQ(lstat(pipe.c_str(), &info), 0);
  EXPECT_TRUE(S_ISFIFO(info.st_mode));
}

TEST(Checkpoint, FindsTensorsInShards) {
  TemporaryFolder folder;
  folder.write("1.safetensors", shard("a"));
  folder.write("2.safetensors", shard("b"));
  folder.write("model.safetensors.index.json",
               "{\"metadata\": {}, \"weight_map\": "
               "{\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}");
  std::string error;
  auto checkpoint = Checkpoint::open(folder.path(), error);
  ASSERT_TRUE(checkpoint) << error;
  EXPECT_EQ(checkpoint->tensors().size(), 2u);
  ASSERT_TRUE(checkpoint->find("b"));
  EXPECT_EQ(checkpoint->find("b")->file, "2.safetensors");
  EXPECT_EQ(checkpoint->find("b")->tensor->bytes, 3u);
  EXPECT_EQ(checkpoint->find("c"), nullptr);

  folder.write("model.safetensors", shard("c"));
  checkpoint = Checkpoint::open(folder.path(), error);
  ASSERT_TRUE(checkpoint) << error;
  EXPECT_EQ(checkpoint->tensors().size(), 1u);
  EXPECT_EQ(checkpoint->find("c")->file, "model.safetensors");
}

TEST(Checkpoint, RefusesUnsoundFolders) {
  TemporaryFolder folder;
  std::string error;
  EXPECT_EQ(Checkpoint::open(folder.path(), error), nullptr);
  EXPECT_NE(error.find("found neither"), std::string::npos) << error;

  folder.write("1.safetensors", shard("a"));
  folder.write("bad.safetensors", "short");
  folder.write("sub/1.safetensors", shard("a"));
  struct {
    std::string index, reason;
  } cases[] = {
      {"[]", "non-empty object 'weight_map'"},
      {"{}", "non-empty object 'weight_map'"},
      {"{\"weight_map\": {}}", "non-empty object 'weight_map'"},
      {"{\"weight_map\": [\"a\"]}", "non-empty object 'weight_map'"},
      {"{\"weight_map\": {\"a\": 1}}", "found 1"},
      {"{\"weight_map\": {\"a\": \"\"}}", "found \"\""},
      {"{\"weight_map\": {\"a\": \"..\"}}", "found \"..\""},
      {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "found \"/etc/passwd\""},
      {"{\"weight_map\": {\"a\": \"sub/1.safetensors\"}}",
       "in the same folder"},
      {"{\"weight_map\": {\"a\": \"../1.safetensors\"}}", "in the same folder"},
      {"{\"weight_map\": {\"a\": \"..\\\\1.safetensors\"}}",
       "in the same folder"},
      {"{\"weight_map\": {\"a\": \"1.safetensors\\u0000\"}}",
       "in the same folder"},
      {"{\"weight_map\": {\"a\": \"3.safetensors\"}}", "No such file"},
      {"{\"weight_map\": {\"a\": \"bad.safetensors\"}}", "at least 8 bytes"},
      {"{\"weight_map\": {\"b\": \"1.safetensors\"}}",
       "expected tensor \"b\" in shard '1.safetensors', which lacks it"},
      {"{\"weight_map\": {\"a\": \"1.safetensors\", \"a\": \"1.safetensors\"}}",
       "key \"a\" appears twice"},
      {"{\"weight_map\": {\"a\"", "invalid JSON"},
  };
  for (const auto &test : cases) {
    folder.write("model.safetensors.index.json", test.index);
    error.clear();
    EXPECT_EQ(Checkpoint::open(folder.path(), error), nullptr) << test.index;
    EXPECT_NE(error.find(test.reason), std::string::npos)
        << error << "\nexpected: " << test.reason;
  }
}

} // namespace
