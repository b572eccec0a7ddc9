//===- Unicode.h - UTF-8 and properties of characters -----------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text enters through sanitizeUtf8() or JSON and is valid UTF-8 from then on;
// the functions below may rely on it. Properties come from utf8proc.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TOKENIZER_UNICODE_H
#define SMELT_LIB_TOKENIZER_UNICODE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace smelt::tokenizer {

/// U+FFFD in UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// `bytes` with each maximal subpart of invalid UTF-8 as U+FFFD.
std::string sanitizeUtf8(std::string_view bytes);
bool isValidUtf8(std::string_view bytes);
/// Whether `bytes` ends within a character that further bytes may complete.
bool endsWithinCharacter(std::string_view bytes);

/// The code point at byte `at` of valid UTF-8, and `at` beyond it.
char32_t nextCodePoint(std::string_view text, size_t &at);
void appendUtf8(std::string &text, char32_t c);

bool isWhitespace(char32_t c);     // White_Space
bool isNumeric(char32_t c);        // Nd, Nl, No
bool isPunctuation(char32_t c);    // ASCII punctuation or P*
bool isMark(char32_t c);           // M*
bool isNonspacingMark(char32_t c); // Mn
bool isOther(char32_t c);          // Cc, Cf, Cs, Co
bool isWordCharacter(char32_t c);  // what \w means for added tokens

/// Lower case character by character, without regard to context.
std::string toLower(std::string_view text);

enum class NormalForm { NFC, NFD, NFKC, NFKD };
std::string toNormalForm(std::string_view text, NormalForm form);

/// Byte-level vocabularies spell each byte as one printable character: itself
/// where printable in Latin-1, else the next free one from U+0100 on.
char32_t byteToCharacter(uint8_t byte);
/// The byte that `c` spells, or -1.
int characterToByte(char32_t c);

/// `text` with every occurrence of `from` (not empty) replaced, left to right.
std::string replaceAll(std::string_view text, std::string_view from,
                       std::string_view to);

inline bool startsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
inline bool endsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.substr(text.size() - suffix.size()) == suffix;
}

} // namespace smelt::tokenizer

#endif // SMELT_LIB_TOKENIZER_UNICODE_H
