//===- Convert.h - Between f32, f16 and bf16 --------------------*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Conversions between bit patterns, written so that a compiler turns a loop
// over them into vector code: both sides of every choice are computed. To f32
// they are exact and keep a NaN's payload; from f32 they round to nearest even,
// overflow to infinity, and make NaNs quiet.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TARGET_INGOT_CONVERT_H
#define SMELT_LIB_TARGET_INGOT_CONVERT_H

#include "smelt/Target/Ingot/Recipe.h"

#include <cstdint>
#include <cstring>

namespace smelt {

inline float floatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint32_t bitsOfFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline uint32_t f32FromBF16(uint16_t bits) { return uint32_t(bits) << 16; }

inline uint16_t bf16FromF32(uint32_t bits) {
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  uint32_t quiet = bits >> 16 | 0x40;
  return (bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded;
}

inline uint32_t f32FromF16(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t magnitude = uint32_t(bits & 0x7fff) << 13;
  // Moves the exponent's bias from 15 to 127; exact for denormals too.
  uint32_t finite = bitsOfFloat(floatFromBits(magnitude) * 0x1p112f);
  uint32_t special = magnitude | 0x7f800000;
  return sign | (magnitude >= 0x0f800000 ? special : finite);
}

inline uint16_t f16FromF32(uint32_t bits) {
  uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  uint32_t normal =
      (magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
  // Below 2^-14 the unit of f16 is that of f32 at 0.5, so the addition rounds.
  uint32_t denormal = bitsOfFloat(floatFromBits(magnitude) + 0.5f) - 0x3f000000;
  uint32_t finite = magnitude < 0x38800000 ? denormal : normal;
  uint32_t bounded = magnitude >= 0x477ff000 ? 0x7c00 : finite;
  uint32_t quiet = 0x7e00 | (magnitude >> 13 & 0x3ff);
  return sign | (magnitude > 0x7f800000 ? quiet : bounded);
}

inline int64_t bytesOf(Element type) { return type == Element::F32 ? 4 : 2; }

/// An element of `type` in memory.
inline float loadFloat(Element type, const uint8_t *data) {
  uint32_t word;
  uint16_t half;
  if (type == Element::F32) {
    std::memcpy(&word, data, sizeof(word));
    return floatFromBits(word);
  }
  std::memcpy(&half, data, sizeof(half));
  return floatFromBits(type == Element::F16 ? f32FromF16(half)
                                            : f32FromBF16(half));
}

} // namespace smelt

#endif // SMELT_LIB_TARGET_INGOT_CONVERT_H
