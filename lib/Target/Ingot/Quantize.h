//===- Quantize.h - From floats to panels of integers, and back -*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which integer an element x becomes; Formats.h says where it is stored and
// what it stands for. All arithmetic is in f32, `stored` rounds to the type of
// scales, `round` is to nearest even; of equal magnitudes the first counts:
//
//   8 bits:        scale = stored(max |x| / 127)
//                  u = 128 + clamp(round(x / scale), -127, 127)
//   4 bits:        scale = stored(x of largest |x| / -8)
//                  u = 8 + clamp(round(x / scale), -8, 7)
//   with minimum:  minimum = stored(min x), scale = stored((max - min) / 15)
//                  u = clamp(round((x - minimum) / scale), 0, 15)
//
// Where a scale is 0, u stands for 0 or for the minimum. Neither is ever -0.
// Elements outside the matrix have no say in a scale or a minimum. A row's sum
// is of q * scale + minimum, computed in double and rounded once.
//
//===----------------------------------------------------------------------===//
#ifndef SMELT_LIB_TARGET_INGOT_QUANTIZE_H
#define SMELT_LIB_TARGET_INGOT_QUANTIZE_H

#include "smelt/Target/Ingot/Recipe.h"

namespace smelt {

/// Up to 16 rows of a matrix, from row `first`: bits of f32, `stride` apart.
struct PanelRows {
  const uint32_t *data;
  int64_t stride;
  int64_t first, count;
  int64_t columns;
};

/// Writes record.panelBytes(rows.columns) bytes to `panel`; `scaleType` is that
/// of the record. False, and a message in `error` that names the row, if an
/// element isn't finite, or its scale, the values of the format or the sum of a
/// row are too large.
bool quantizePanel(const llm::FormatRecord &record, Element scaleType,
                   const PanelRows &rows, uint8_t *panel, std::string &error);

/// The values of the first `rowCount` rows of a panel, row-major.
void dequantizePanel(const llm::FormatRecord &record, Element scaleType,
                     const uint8_t *panel, int64_t rowCount, int64_t columns,
                     float *values);

} // namespace smelt

#endif // SMELT_LIB_TARGET_INGOT_QUANTIZE_H
