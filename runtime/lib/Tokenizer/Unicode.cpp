//===- Unicode.cpp - UTF-8 and properties of characters -------------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

using namespace smelt::tokenizer;

/// Length of the longest prefix of bytes[at..] that is a character or the
/// beginning of one, at least 1; `valid` tells which.
static size_t scanCharacter(std::string_view bytes, size_t at, bool &valid) {
  uint8_t lead = bytes[at];
  valid = lead < 0x80;
  if (valid || lead < 0xC2 || lead > 0xF4)
    return 1;
  size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte has a narrower range after these: no overlong forms, no
  // surrogates, nothing above U+10FFFF.
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; ++i) {
    if (at + i >= bytes.size())
      return i;
    uint8_t byte = bytes[at + i];
    if (byte < low || byte > high)
      return i;
    low = 0x80;
    high = 0xBF;
  }
  valid = true;
  return length;
}

std::string smelt::tokenizer::sanitizeUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    bool valid;
    size_t length = scanCharacter(bytes, at, valid);
    text += valid ? bytes.substr(at, length) : kReplacement;
    at += length;
  }
  return text;
}

bool smelt::tokenizer::isValidUtf8(std::string_view bytes) {
  bool valid = true;
  for (size_t at = 0; at < bytes.size() && valid;)
    at += scanCharacter(bytes, at, valid);
  return valid;
}

bool smelt::tokenizer::endsWithinCharacter(std::string_view bytes) {
  // Its lead byte is one of the last three.
  for (size_t length = 1; length <= std::min<size_t>(3, bytes.size());
       ++length) {
    size_t at = bytes.size() - length;
    uint8_t lead = bytes[at];
    if ((lead & 0xC0) == 0x80)
      continue;
    bool valid;
    return lead >= 0xC2 && lead <= 0xF4 &&
           scanCharacter(bytes, at, valid) == length && !valid;
  }
  return false;
}

char32_t smelt::tokenizer::nextCodePoint(std::string_view text, size_t &at) {
  uint8_t lead = text[at++];
  if (lead < 0x80)
    return lead;
  int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  char32_t c = lead & (0x3F >> more);
  for (; more && at < text.size(); --more)
    c = c << 6 | (uint8_t(text[at++]) & 0x3F);
  return c;
}

void smelt::tokenizer::appendUtf8(std::string &text, char32_t c) {
  utf8proc_uint8_t bytes[4];
  text.append(reinterpret_cast<char *>(bytes),
              utf8proc_encode_char(utf8proc_int32_t(c), bytes));
}

bool smelt::tokenizer::isWhitespace(char32_t c) {
  if (c < 0x80)
    return c == ' ' || (c >= '\t' && c <= '\r');
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(c));
  return c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
         category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool smelt::tokenizer::isNumeric(char32_t c) {
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(c));
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool smelt::tokenizer::isPunctuation(char32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool smelt::tokenizer::isMark(char32_t c) {
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(c));
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool smelt::tokenizer::isNonspacingMark(char32_t c) {
  return utf8proc_category(utf8proc_int32_t(c)) == UTF8PROC_CATEGORY_MN;
}

bool smelt::tokenizer::isOther(char32_t c) {
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(c));
  return category >= UTF8PROC_CATEGORY_CC && category <= UTF8PROC_CATEGORY_CO;
}

bool smelt::tokenizer::isWordCharacter(char32_t c) {
  utf8proc_category_t category = utf8proc_category(utf8proc_int32_t(c));
  return (category >= UTF8PROC_CATEGORY_LU &&
          category <= UTF8PROC_CATEGORY_NL) ||
         category == UTF8PROC_CATEGORY_PC || c == 0x200C || c == 0x200D;
}

std::string smelt::tokenizer::toLower(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    char32_t c = nextCodePoint(text, at);
    // The only character whose lower case is longer in every context.
    if (c == 0x130)
      lower += "i\u0307";
    else
      appendUtf8(lower, utf8proc_tolower(utf8proc_int32_t(c)));
  }
  return lower;
}

std::string smelt::tokenizer::toNormalForm(std::string_view text,
                                           NormalForm form) {
  bool ascii = true;
  for (char c : text)
    ascii &= uint8_t(c) < 0x80;
  if (ascii)
    return std::string(text);
  static constexpr int options[] = {
      UTF8PROC_STABLE | UTF8PROC_COMPOSE, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
      UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
      UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT};
  utf8proc_uint8_t *result = nullptr;
  utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()),
                   utf8proc_ssize_t(text.size()), &result,
                   utf8proc_option_t(options[int(form)]));
  if (size < 0) // out of memory is all that valid UTF-8 can meet
    return std::string(text);
  std::string normal(reinterpret_cast<char *>(result), size_t(size));
  std::free(result);
  return normal;
}

namespace {
struct ByteAlphabet {
  std::array<char32_t, 256> characters;
  std::array<int16_t, 512> bytes;

  ByteAlphabet() {
    bytes.fill(-1);
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      char32_t c = printable ? char32_t(byte) : next++;
      characters[byte] = c;
      bytes[c] = int16_t(byte);
    }
  }
};
} // namespace

static const ByteAlphabet &byteAlphabet() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

char32_t smelt::tokenizer::byteToCharacter(uint8_t byte) {
  return byteAlphabet().characters[byte];
}

int smelt::tokenizer::characterToByte(char32_t c) {
  return c < 512 ? byteAlphabet().bytes[c] : -1;
}

std::string smelt::tokenizer::replaceAll(std::string_view text,
                                         std::string_view from,
                                         std::string_view to) {
  std::string result;
  size_t done = 0;
  for (size_t at; (at = text.find(from, done)) != std::string_view::npos;) {
    result += text.substr(done, at - done);
    result += to;
    done = at + from.size();
  }
  return result += text.substr(done);
}
