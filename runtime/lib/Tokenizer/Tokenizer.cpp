//===- Tokenizer.cpp - Text to token ids and back -------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Puts the stages together: reads both files, runs text through the stages, and
// truncates. Everything that varies between tokenizers is in the stages.
//
//===----------------------------------------------------------------------===//
#include "smelt/Tokenizer.h"
#include "AddedTokens.h"
#include "Pattern.h"
#include "Unicode.h"

#include <algorithm>

using namespace smelt;
using namespace smelt::tokenizer;
using Ids = std::vector<int32_t>;

/// Words are remembered within a text if it has at least this many.
static constexpr size_t kCacheFrom = 32;

namespace {

enum class Strategy { LongestFirst, OnlyFirst, OnlySecond };

struct Truncation {
  size_t maxLength = EncodeOptions::kUnlimited;
  Strategy strategy = Strategy::LongestFirst;
  bool keepsEnd = false;
};

/// Encodes the words of one text, each distinct one once.
class WordEncoder {
public:
  WordEncoder(const Model &model, const Pieces &pieces)
      : model(model), pieces(pieces), caches(pieces.list.size() >= kCacheFrom) {
  }
  bool run(Ids &ids, std::string &error) {
    for (size_t i = 0; i < pieces.list.size(); ++i)
      if (pieces.list[i].begin < pieces.list[i].end &&
          !encode(pieces[i], ids, error))
        return false;
    return true;
  }

private:
  bool encode(std::string_view word, Ids &ids, std::string &error) {
    if (!caches)
      return model.encode(word, ids, error);
    auto [known, isNew] = seen.try_emplace(word);
    Span &span = known->second;
    if (!isNew) {
      for (size_t i = span.begin; i < span.end; ++i)
        ids.push_back(ids[i]);
      return true;
    }
    span.begin = ids.size();
    bool done = model.encode(word, ids, error);
    span.end = ids.size();
    return done;
  }

  const Model &model;
  const Pieces &pieces;
  bool caches;
  /// Where the ids of a word stand in the result.
  std::unordered_map<std::string_view, Span> seen;
};

} // namespace

struct Tokenizer::Impl {
  AddedTokens added;
  Normalizer normalizer;     // may be empty
  PreTokenizer preTokenizer; // may be empty
  std::unique_ptr<Model> model;
  PostProcessor post;
  Decoder decoder; // may be empty
  ByteSpelling spelling = ByteSpelling::None;
  Truncation truncation;
  bool cleanUp = false;
  std::unordered_map<std::string, int32_t> roles;

  void parse(const Node &root);
  void parseTruncation(const Node &node);
  void parseConfig(const Node &root);

  int32_t find(std::string_view token) const;
  const std::string *token(int32_t id) const;
  bool encodeText(std::string_view text, Ids &ids, std::string &error) const;
  bool encodeSegment(std::string_view text, bool opens, Ids &ids,
                     std::string &error) const;
  bool truncate(Ids &first, Ids *second, size_t maxLength,
                std::string &error) const;
  std::optional<Encoding> encode(std::string_view first,
                                 const std::string_view *second,
                                 const EncodeOptions &options,
                                 std::string &error) const;
  std::string decode(const int32_t *ids, size_t count, bool skipSpecial) const;
};

int32_t Tokenizer::Impl::find(std::string_view token) const {
  int32_t id = added.vocabulary.find(token);
  return id >= 0 ? id : model->vocabulary.find(token);
}

const std::string *Tokenizer::Impl::token(int32_t id) const {
  const std::string *token = added.vocabulary.token(id);
  return token ? token : model->vocabulary.token(id);
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

void Tokenizer::Impl::parse(const Node &root) {
  model = parseModel(root.field("model"));
  if (root.failed())
    return;
  if (Node node = root.field("normalizer"); !node.isNull())
    normalizer = parseNormalizer(node);
  if (Node node = root.field("pre_tokenizer"); !node.isNull())
    preTokenizer = parsePreTokenizer(node);
  if (Node node = root.field("decoder"); !node.isNull()) {
    decoder = parseDecoder(node);
    if (!root.failed())
      spelling = findByteSpelling(node);
  }
  added.parse(root.field("added_tokens"), model->vocabulary);
  if (root.failed())
    return;
  post = parsePostProcessor(root.field("post_processor"), [this](int32_t id) {
    return token(id) != nullptr;
  });
  parseTruncation(root.field("truncation"));
}

void Tokenizer::Impl::parseTruncation(const Node &node) {
  static constexpr const char *strategies[] = {"LongestFirst", "OnlyFirst",
                                               "OnlySecond"};
  static constexpr const char *directions[] = {"Right", "Left"};
  if (node.isNull())
    return;
  truncation.maxLength = size_t(node.field("max_length").integer(0, INT64_MAX));
  truncation.strategy =
      Strategy(node.field("strategy").choice(strategies, "LongestFirst"));
  truncation.keepsEnd = node.field("direction").choice(directions, "Right");
}

/// Roles are strings or added tokens; null where a model has none.
void Tokenizer::Impl::parseConfig(const Node &root) {
  static constexpr const char *names[] = {"bos_token", "eos_token", "unk_token",
                                          "sep_token", "pad_token", "cls_token",
                                          "mask_token"};
  static constexpr const char *sides[] = {"right", "left"};
  cleanUp = root.field("clean_up_tokenization_spaces").boolean(false);
  if (root.field("truncation_side").choice(sides, "right"))
    truncation.keepsEnd = true;
  for (const char *name : names) {
    Node node = root.field(name);
    if (node.isNull())
      continue;
    std::string content =
        node.isObject() ? node.field("content").string() : node.string();
    int32_t id = find(content);
    // The model can't know a token that tokenizer.json doesn't.
    if (root.failed() || id < 0)
      continue;
    roles[name] = id;
    added.addSpecial(content, id);
  }
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::unique_ptr<Tokenizer>
Tokenizer::parse(std::string_view tokenizerJson,
                 std::string_view tokenizerConfigJson, std::string &error) {
  error.clear();
  auto impl = std::make_unique<Impl>();
  std::optional<Json> json = parseJson(tokenizerJson, "tokenizer.json", error);
  if (!json)
    return nullptr;
  impl->parse(Node(&*json, "tokenizer.json: ", error));
  if (!error.empty())
    return nullptr;
  if (!tokenizerConfigJson.empty()) {
    json = parseJson(tokenizerConfigJson, "tokenizer_config.json", error);
    if (!json)
      return nullptr;
    impl->parseConfig(Node(&*json, "tokenizer_config.json: ", error));
  }
  if (!error.empty() || !impl->added.finish(impl->normalizer, error))
    return nullptr;
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

/// `text` stands between added tokens that aren't normalized.
bool Tokenizer::Impl::encodeSegment(std::string_view text, bool opens, Ids &ids,
                                    std::string &error) const {
  std::string normal(text);
  if (normalizer && (!normalizer(normal, error) ||
                     !checkGrowth(text.size(), normal.size(), error)))
    return false;
  for (const Segment &segment : added.normalized.split(normal)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      continue;
    }
    auto [begin, end] = segment.span;
    Pieces pieces{normal.substr(begin, end - begin),
                  {{0, end - begin, opens && begin == 0}}};
    if (preTokenizer && !preTokenizer(pieces, error))
      return false;
    if (!WordEncoder(*model, pieces).run(ids, error))
      return false;
  }
  return true;
}

bool Tokenizer::Impl::encodeText(std::string_view text, Ids &ids,
                                 std::string &error) const {
  std::string sanitized;
  if (!isValidUtf8(text))
    text = sanitized = sanitizeUtf8(text);
  for (const Segment &segment : added.raw.split(text)) {
    auto [begin, end] = segment.span;
    if (segment.id >= 0)
      ids.push_back(segment.id);
    else if (!encodeSegment(text.substr(begin, end - begin), begin == 0, ids,
                            error))
      return false;
  }
  return true;
}

/// Shortens both together to `maxLength`.
bool Tokenizer::Impl::truncate(Ids &first, Ids *second, size_t maxLength,
                               std::string &error) const {
  auto cut = [&](Ids &ids, size_t length) {
    if (length >= ids.size())
      return;
    if (truncation.keepsEnd)
      ids.erase(ids.begin(), ids.end() - ptrdiff_t(length));
    else
      ids.resize(length);
  };
  size_t total = first.size() + (second ? second->size() : 0);
  if (total <= maxLength)
    return true;
  size_t excess = total - maxLength;
  if (truncation.strategy == Strategy::LongestFirst || maxLength == 0) {
    if (!second) {
      cut(first, maxLength);
      return true;
    }
    // The shorter one keeps at least half, and all if that fits.
    size_t shorter = std::min(first.size(), second->size());
    size_t longer =
        shorter > maxLength ? shorter : std::max(shorter, maxLength - shorter);
    if (shorter + longer > maxLength) {
      shorter = maxLength / 2;
      longer = shorter + maxLength % 2;
    }
    bool swapped = first.size() > second->size();
    cut(first, swapped ? longer : shorter);
    cut(*second, swapped ? shorter : longer);
    return true;
  }
  Ids *target = truncation.strategy == Strategy::OnlyFirst ? &first : second;
  if (!target || target->size() <= excess) {
    error = "truncation to " + std::to_string(maxLength) + " tokens takes " +
            std::to_string(excess) + " from the " +
            (target == &first ? "first" : "second") + " text, which has " +
            std::to_string(target ? target->size() : 0);
    return false;
  }
  cut(*target, target->size() - excess);
  return true;
}

std::optional<Encoding> Tokenizer::Impl::encode(std::string_view first,
                                                const std::string_view *second,
                                                const EncodeOptions &options,
                                                std::string &error) const {
  Ids ids[2];
  if (!encodeText(first, ids[0], error) ||
      (second && !encodeText(*second, ids[1], error)))
    return std::nullopt;

  size_t maxLength = options.maxLength.value_or(truncation.maxLength);
  size_t special = options.addSpecial ? post.countSpecial(second) : 0;
  if (maxLength != EncodeOptions::kUnlimited) {
    if (special > maxLength) {
      error = "a maximum length of " + std::to_string(maxLength) +
              " has no room for " + std::to_string(special) + " special tokens";
      return std::nullopt;
    }
    if (!truncate(ids[0], second ? &ids[1] : nullptr, maxLength - special,
                  error))
      return std::nullopt;
  }

  Encoding encoding;
  for (const TemplatePart &part : second ? post.pair : post.single) {
    bool isText = part.sequence >= 0;
    if (!isText && !options.addSpecial)
      continue;
    const Ids &source = isText ? ids[part.sequence] : part.special;
    encoding.ids.insert(encoding.ids.end(), source.begin(), source.end());
    encoding.typeIds.resize(encoding.ids.size(), part.typeId);
  }
  return encoding;
}

std::optional<Encoding> Tokenizer::encode(std::string_view text,
                                          const EncodeOptions &options,
                                          std::string &error) const {
  return impl->encode(text, nullptr, options, error);
}

std::optional<Encoding> Tokenizer::encodePair(std::string_view first,
                                              std::string_view second,
                                              const EncodeOptions &options,
                                              std::string &error) const {
  return impl->encode(first, &second, options, error);
}

//===----------------------------------------------------------------------===//
// Decoding and lookup
//===----------------------------------------------------------------------===//

/// Without clean_up_tokenization_spaces.
std::string Tokenizer::Impl::decode(const int32_t *ids, size_t count,
                                    bool skipSpecial) const {
  std::vector<std::string> tokens;
  tokens.reserve(count);
  for (size_t i = 0; i < count; ++i)
    if (const std::string *text = token(ids[i]);
        text && !(skipSpecial && added.isSpecial(ids[i])))
      tokens.push_back(*text);
  if (decoder)
    decoder(tokens);
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!decoder && i)
      text += ' ';
    text += tokens[i];
  }
  return text;
}

std::string Tokenizer::decode(const std::vector<int32_t> &ids,
                              bool skipSpecial) const {
  std::string text = impl->decode(ids.data(), ids.size(), skipSpecial);
  return impl->cleanUp ? cleanUpSpaces(std::move(text), /*contract=*/false)
                       : text;
}

std::optional<int32_t> Tokenizer::tokenToId(std::string_view token) const {
  int32_t id = impl->find(token);
  return id < 0 ? std::nullopt : std::optional<int32_t>(id);
}

const std::string *Tokenizer::idToToken(int32_t id) const {
  return impl->token(id);
}

bool Tokenizer::isSpecial(int32_t id) const {
  return impl->added.isSpecial(id);
}

size_t Tokenizer::vocabularySize() const {
  return std::max(impl->model->vocabulary.limit(),
                  impl->added.vocabulary.limit());
}

std::optional<int32_t> Tokenizer::roleToId(std::string_view role) const {
  auto it = impl->roles.find(std::string(role));
  return it == impl->roles.end() ? std::nullopt
                                 : std::optional<int32_t>(it->second);
}

//===----------------------------------------------------------------------===//
// Streaming
//===----------------------------------------------------------------------===//

StreamDecoder::StreamDecoder(const Tokenizer &tokenizer, bool skipSpecial)
    : tokenizer(tokenizer), skipSpecial(skipSpecial) {}

/// The part of `text`, which the whole window decodes to, that hasn't been
/// given. From then on the window begins with what was held back, since what
/// a token becomes may depend on the one before it.
std::string StreamDecoder::take(const std::string &text) {
  const Tokenizer::Impl &impl = *tokenizer.impl;
  window.erase(window.begin(), window.begin() + ptrdiff_t(given));
  given = window.size();
  std::string last = impl.decode(window.data(), given, false);
  std::string more =
      startsWith(text, prefix) ? text.substr(prefix.size()) : last;
  prefix = std::move(last);
  held.clear();
  return more;
}

std::string StreamDecoder::push(int32_t id) {
  const Tokenizer::Impl &impl = *tokenizer.impl;
  const std::string *token = impl.token(id);
  if (!token || (skipSpecial && impl.added.isSpecial(id)))
    return "";
  window.push_back(id);
  held += spelledBytes(*token, impl.spelling);
  if (endsWithinCharacter(held))
    return "";
  std::string text = impl.decode(window.data(), window.size(), false);
  return text == prefix ? "" : take(text);
}

std::string StreamDecoder::finish() {
  std::string text =
      tokenizer.impl->decode(window.data(), window.size(), false);
  std::string more = window.size() > given ? take(text) : "";
  window.clear();
  given = 0;
  prefix.clear();
  held.clear();
  return more;
}
