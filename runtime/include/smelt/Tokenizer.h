//===- Tokenizer.h - Text to token ids and back -----------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tokenizer.json describes five stages, each of which is one entry of a table
// of kinds:
//
//     text ─ added tokens ─ normalizer ─ pre-tokenizer ─ model ─ post-processor
//     ─► ids ids ─ tokens ─ decoder ─► text
//
// Both files are untrusted: whatever they hold, parsing gives a tokenizer or an
// error that names the field. A Tokenizer is immutable; its methods may be
// called from any number of threads.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_TOKENIZER_H
#define SMELT_TOKENIZER_H

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smelt {

/// What text became.
struct Encoding {
  std::vector<int32_t> ids;     // [n], each in [0, vocabularySize())
  std::vector<int32_t> typeIds; // [n], which segment of the input (BERT)
};

struct EncodeOptions {
  /// As maxLength: never truncate, whatever the file says.
  static constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

  /// Add the special tokens that the post-processor prescribes.
  bool addSpecial = true;
  /// At most this many ids, special tokens included; when absent, the
  /// truncation of tokenizer.json holds.
  std::optional<size_t> maxLength;
};

class Tokenizer {
public:
  /// Parses tokenizer.json and, unless empty, tokenizer_config.json. Returns
  /// null and sets `error` when they can't be used as they are.
  static std::unique_ptr<Tokenizer> parse(std::string_view tokenizerJson,
                                          std::string_view tokenizerConfigJson,
                                          std::string &error);
  /// Reads tokenizer.json, or that of a folder, and the tokenizer_config.json
  /// beside it if there is one. The message names the file.
  static std::unique_ptr<Tokenizer> load(const std::string &path,
                                         std::string &error);
  ~Tokenizer();
  Tokenizer(const Tokenizer &) = delete;
  Tokenizer &operator=(const Tokenizer &) = delete;

  /// Encodes one text; invalid UTF-8 is read as U+FFFD, one for each maximal
  /// subpart, as WHATWG does. Fails when a regex of the file exceeds its match
  /// limit, when an unknown token is needed but not in the vocabulary, or when
  /// the special tokens alone exceed the maximum length.
  std::optional<Encoding> encode(std::string_view text,
                                 const EncodeOptions &options,
                                 std::string &error) const;

  /// Encodes two texts that belong together, such as question and answer.
  std::optional<Encoding> encodePair(std::string_view first,
                                     std::string_view second,
                                     const EncodeOptions &options,
                                     std::string &error) const;

  /// The text of `ids`, always valid UTF-8. Ids without a token are skipped.
  std::string decode(const std::vector<int32_t> &ids, bool skipSpecial) const;

  std::optional<int32_t> tokenToId(std::string_view token) const;
  /// The token as spelled in the file, null for ids that have none.
  const std::string *idToToken(int32_t id) const;
  bool isSpecial(int32_t id) const;

  /// One more than the largest id.
  size_t vocabularySize() const;

  /// The id of a role of tokenizer_config.json, such as "eos_token".
  std::optional<int32_t> roleToId(std::string_view role) const;

private:
  friend class StreamDecoder;
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

/// Decodes ids one at a time for printing. What push() returned stays valid:
/// the pieces, with finish() at the end, add up to what decode() gives, except
/// that clean_up_tokenization_spaces is not applied (it would take back spaces
/// already given) and that a run of byte tokens which becomes invalid UTF-8
/// after a valid beginning keeps that beginning.
class StreamDecoder {
public:
  explicit StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial = true);

  /// Adds an id and returns the text that is complete now, perhaps none.
  std::string push(int32_t id);

  /// Returns what was held back, with U+FFFD for what stayed incomplete, and
  /// begins anew.
  std::string finish();

private:
  std::string take(const std::string &text);

  const Tokenizer &tokenizer;
  bool skipSpecial;
  std::vector<int32_t> window; // ids given last, then ids held back
  size_t given = 0;            // how many of them have been given
  std::string prefix;          // text of window[0, given)
  std::string held;            // bytes that window[given, end) spells
};

} // namespace smelt

#endif // SMELT_TOKENIZER_H
