//===- BytePair.cpp - Merging pairs by rank -------------------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A word begins as its characters. Of all adjacent pairs, the one that comes
// first in the list of merges becomes one token (the leftmost of equals), until
// no pair is in the list:
//
//     l o w e r   (l o)->lo   lo w e r   (e r)->er   lo w er   (lo w)->low ...
//
// The tokens form a doubly linked list over an array. Short words scan it for
// the best pair; long ones keep the pairs in a heap, whose stale entries are
// recognised by the token that they would make, so that n characters take
// O(n log n).
//
//===----------------------------------------------------------------------===//
#include "Stages.h"
#include "Unicode.h"

#include <algorithm>
#include <array>

using namespace smelt::tokenizer;

/// Up to this many tokens, scanning beats a heap.
static constexpr size_t kScanLimit = 24;

namespace {

/// What a pair of adjacent tokens becomes.
struct Merge {
  uint64_t pair;
  uint32_t rank;
  int32_t id;
};

/// Open hash table of merges by pair of ids.
class MergeTable {
public:
  void reserve(size_t count) {
    size_t slots = 16;
    while (slots < 2 * count)
      slots *= 2;
    table.assign(slots, Merge{kEmpty, 0, 0});
    shift = 64 - __builtin_ctzll(slots);
  }
  void insert(int32_t left, int32_t right, uint32_t rank, int32_t id) {
    uint64_t pair = key(left, right);
    table[slotOf(pair)] = {pair, rank, id};
  }
  const Merge *find(int32_t left, int32_t right) const {
    const Merge &merge = table[slotOf(key(left, right))];
    return merge.pair == kEmpty ? nullptr : &merge;
  }

private:
  static constexpr uint64_t kEmpty = ~uint64_t(0);
  static uint64_t key(int32_t left, int32_t right) {
    return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
  }
  /// The slot that holds `pair`, or where it would be inserted.
  size_t slotOf(uint64_t pair) const {
    size_t slot = pair * 0x9E3779B97F4A7C15u >> shift;
    while (table[slot].pair != kEmpty && table[slot].pair != pair)
      slot = (slot + 1) & (table.size() - 1);
    return slot;
  }
  std::vector<Merge> table;
  int shift = 0;
};

/// A token of the word; `next` and `previous` are indices, -1 at the ends.
struct Symbol {
  int32_t id, previous, next;
};

struct Candidate {
  uint32_t rank;
  int32_t position; // of the left token
  int32_t id;       // of the merged token
  /// Orders a heap so that its top has the lowest rank, leftmost.
  bool operator<(const Candidate &other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

class BytePairModel : public Model {
public:
  bool encode(std::string_view word, std::vector<int32_t> &ids,
              std::string &error) const override;
  void parse(const Node &node);

private:
  void parseMerges(const Node &node);
  int32_t findMerged(std::string_view left, std::string_view right) const;
  int32_t findCharacter(std::string_view character, bool first,
                        bool last) const;
  bool split(std::string_view word, std::vector<Symbol> &symbols,
             std::string &error) const;
  void mergeByScan(std::vector<Symbol> &symbols) const;
  void mergeByHeap(std::vector<Symbol> &symbols) const;

  MergeTable merges;
  std::string unknown, prefix, suffix;
  int32_t unknownId = -1;
  bool fuseUnknown = false, byteFallback = false, ignoreMerges = false;
  std::array<int32_t, 256> byteIds; // of <0x00> to <0xFF>, or -1
  std::array<int32_t, 512> charIds; // of U+0000 to U+01FF, or -1
};

} // namespace

/// Joins symbol `at` with the one behind it.
static void join(std::vector<Symbol> &symbols, int32_t at, int32_t id) {
  Symbol &left = symbols[at];
  Symbol &right = symbols[left.next];
  left.id = id;
  left.next = right.next;
  right.id = -1; // gone
  if (left.next >= 0)
    symbols[left.next].previous = at;
}

void BytePairModel::mergeByScan(std::vector<Symbol> &symbols) const {
  size_t count = symbols.size();
  // pairs[i]: how symbols i and i + 1 merge, null where they don't.
  std::array<const Merge *, kScanLimit> pairs;
  for (size_t i = 0; i + 1 < count; ++i)
    pairs[i] = merges.find(symbols[i].id, symbols[i + 1].id);
  while (count > 1) {
    size_t best = count;
    for (size_t i = 0; i + 1 < count; ++i)
      if (pairs[i] && (best == count || pairs[i]->rank < pairs[best]->rank))
        best = i;
    if (best == count)
      break;
    symbols[best].id = pairs[best]->id;
    symbols.erase(symbols.begin() + best + 1);
    --count;
    std::copy(pairs.begin() + best + 1, pairs.begin() + count,
              pairs.begin() + best);
    if (best + 1 < count)
      pairs[best] = merges.find(symbols[best].id, symbols[best + 1].id);
    if (best)
      pairs[best - 1] = merges.find(symbols[best - 1].id, symbols[best].id);
  }
}

void BytePairModel::mergeByHeap(std::vector<Symbol> &symbols) const {
  std::vector<Candidate> heap;
  heap.reserve(symbols.size());
  auto candidate = [&](int32_t at) {
    if (at < 0 || symbols[at].next < 0)
      return false;
    const Merge *merge =
        merges.find(symbols[at].id, symbols[symbols[at].next].id);
    if (merge)
      heap.push_back({merge->rank, at, merge->id});
    return merge != nullptr;
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i)
    candidate(int32_t(i));
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty()) {
    Candidate top = heap.front();
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
    const Symbol &left = symbols[top.position];
    if (left.id < 0 || left.next < 0)
      continue;
    const Merge *merge = merges.find(left.id, symbols[left.next].id);
    if (!merge || merge->id != top.id)
      continue;
    join(symbols, top.position, top.id);
    for (int32_t at : {left.previous, top.position})
      if (candidate(at))
        std::push_heap(heap.begin(), heap.end());
  }
  size_t kept = 0;
  for (const Symbol &symbol : symbols)
    if (symbol.id >= 0)
      symbols[kept++].id = symbol.id;
  symbols.resize(kept);
}

int32_t BytePairModel::findCharacter(std::string_view character, bool first,
                                     bool last) const {
  bool marked = (!first && !prefix.empty()) || (last && !suffix.empty());
  if (!marked) {
    size_t at = 0;
    char32_t c = nextCodePoint(character, at);
    return c < charIds.size() ? charIds[c] : vocabulary.find(character);
  }
  std::string token(first ? "" : prefix);
  token += character;
  if (last)
    token += suffix;
  return vocabulary.find(token);
}

/// The characters of `word` as tokens. A run of unknown ones is held back until
/// a known one comes, as the reference does: bytes overtake it.
bool BytePairModel::split(std::string_view word, std::vector<Symbol> &symbols,
                          std::string &error) const {
  auto append = [&](int32_t id) {
    int32_t at = int32_t(symbols.size());
    symbols.push_back({id, at - 1, at + 1});
  };
  bool pending = false;
  for (size_t at = 0; at < word.size();) {
    size_t begin = at;
    nextCodePoint(word, at);
    std::string_view character = word.substr(begin, at - begin);
    int32_t id = findCharacter(character, begin == 0, at == word.size());
    if (id >= 0) {
      if (pending)
        append(unknownId);
      pending = false;
      append(id);
      continue;
    }
    if (byteFallback &&
        std::all_of(character.begin(), character.end(),
                    [&](char c) { return byteIds[uint8_t(c)] >= 0; })) {
      for (char c : character)
        append(byteIds[uint8_t(c)]);
      continue;
    }
    if (unknown.empty())
      continue;
    if (unknownId < 0) {
      error = "needs the unknown token '" + unknown.substr(0, 64) +
              "', which isn't in the vocabulary";
      return false;
    }
    if (pending && !fuseUnknown)
      append(unknownId);
    pending = true;
  }
  if (pending)
    append(unknownId);
  if (!symbols.empty())
    symbols.back().next = -1;
  return true;
}

bool BytePairModel::encode(std::string_view word, std::vector<int32_t> &ids,
                           std::string &error) const {
  if (ignoreMerges) {
    if (int32_t id = vocabulary.find(word); id >= 0) {
      ids.push_back(id);
      return true;
    }
  }
  if (word.size() > size_t(INT32_MAX)) {
    error = "expected a word of less than 2 GiB, found " +
            std::to_string(word.size()) + " bytes";
    return false;
  }
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  if (!split(word, symbols, error))
    return false;
  symbols.size() <= kScanLimit ? mergeByScan(symbols) : mergeByHeap(symbols);
  for (const Symbol &symbol : symbols)
    ids.push_back(symbol.id);
  return true;
}

/// The id of two tokens joined: the prefix of continuing tokens stands only
/// before the whole.
int32_t BytePairModel::findMerged(std::string_view left,
                                  std::string_view right) const {
  std::string merged(left);
  merged += right.substr(std::min(prefix.size(), right.size()));
  return vocabulary.find(merged);
}

/// Merges are ["a", "b"] or "a b".
void BytePairModel::parseMerges(const Node &node) {
  size_t count = node.size();
  merges.reserve(count);
  for (size_t i = 0; i < count && !node.failed(); ++i) {
    const Json &json = (*node.json())[i];
    std::string_view left, right;
    if (json.is_string()) {
      std::string_view text = json.get_ref<const std::string &>();
      size_t space = text.find(' ');
      left = text.substr(0, space);
      if (space != std::string_view::npos)
        right = text.substr(space + 1);
      if (right.find(' ') != std::string_view::npos)
        right = {};
    } else if (json.is_array() && json.size() == 2 && json[0].is_string() &&
               json[1].is_string()) {
      left = json[0].get_ref<const std::string &>();
      right = json[1].get_ref<const std::string &>();
    }
    if (left.empty() || right.empty())
      return node.element(i).fail("expected two tokens as [\"a\", \"b\"] or "
                                  "\"a b\", found " +
                                  json.dump().substr(0, 64));
    int32_t a = vocabulary.find(left), b = vocabulary.find(right);
    int32_t merged = findMerged(left, right);
    if (a < 0 || b < 0 || merged < 0) {
      std::string missing(a < 0 ? left : right);
      if (a >= 0 && b >= 0)
        missing = std::string(left) + std::string(right);
      return node.element(i).fail("'" + missing.substr(0, 64) +
                                  "' isn't in the vocabulary");
    }
    merges.insert(a, b, uint32_t(i), merged);
  }
}

void BytePairModel::parse(const Node &node) {
  vocabulary.parse(node.field("vocab"));
  unknown = node.field("unk_token").string("");
  prefix = node.field("continuing_subword_prefix").string("");
  suffix = node.field("end_of_word_suffix").string("");
  fuseUnknown = node.field("fuse_unk").boolean(false);
  byteFallback = node.field("byte_fallback").boolean(false);
  ignoreMerges = node.field("ignore_merges").boolean(false);
  Node dropout = node.field("dropout");
  if (!dropout.isNull() &&
      !(dropout.json()->is_number() && dropout.json()->get<double>() == 0))
    dropout.fail("expected null or 0: merges dropped at random are for "
                 "training");
  if (node.failed())
    return;
  unknownId = vocabulary.find(unknown);
  for (size_t c = 0; c < charIds.size(); ++c) {
    std::string character;
    appendUtf8(character, char32_t(c));
    charIds[c] = vocabulary.find(character);
  }
  for (size_t byte = 0; byte < byteIds.size(); ++byte) {
    static const char digits[] = "0123456789ABCDEF";
    byteIds[byte] = vocabulary.find(std::string("<0x") + digits[byte >> 4] +
                                    digits[byte & 15] + ">");
  }
  parseMerges(node.field("merges"));
}

std::unique_ptr<Model> smelt::tokenizer::parseBytePairModel(const Node &node) {
  auto model = std::make_unique<BytePairModel>();
  model->parse(node);
  return model;
}
