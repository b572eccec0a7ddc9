//===- Recipe.cpp - From checkpoint bytes to stored weights -----*- C++ -*-===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile of n rows and a few hundred columns is gathered from the sources,
// computed in f32 if there is anything to compute, converted to the stored
// type, and written in the order of its layout:
//
//     mapped file --gather--> tile [n][columns] --pack--> [columns / k][n][k]
//
// Tiles live in the first-level cache. A tile's rows are a multiple of 16 bytes
// plus 16 apart, so that they don't fall on one set of it.
//
// A quantised panel is a step, and its tile all of its rows in f32: the second
// level's.
//
//===----------------------------------------------------------------------===//
#include "smelt/Target/Ingot/Recipe.h"

#include "Convert.h"
#include "Quantize.h"
#include "smelt/Import/Formats/Safetensors.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace smelt;

//===----------------------------------------------------------------------===//
// CheckpointFiles
//===----------------------------------------------------------------------===//

CheckpointFiles::CheckpointFiles(std::string directory)
    : directory(std::move(directory)) {}
CheckpointFiles::~CheckpointFiles() = default;

static std::optional<Element> elementOf(Type type) {
  if (type.isF32())
    return Element::F32;
  if (type.isF16())
    return Element::F16;
  if (type.isBF16())
    return Element::BF16;
  return std::nullopt;
}

static ElementType storedElement(Element element) {
  return element == Element::F32   ? ElementType::F32
         : element == Element::F16 ? ElementType::F16
                                   : ElementType::BF16;
}

const uint8_t *CheckpointFiles::find(llm::SourceAttr source,
                                     std::string &error) {
  std::string path = directory + "/" + source.getFile().str();
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<SafetensorsFile> &file = files[path];
  if (!file && !(file = SafetensorsFile::open(path, error)))
    return nullptr;
  RankedTensorType type = source.getType();
  std::optional<Element> element = elementOf(type.getElementType());
  const NamedTensor *tensor = file->find(
      std::string_view(source.getName().data(), source.getName().size()));
  if (!element) {
    error = "tensor '" + source.getName().str() + "' of " + path +
            " has elements that recipes don't convert; expected f32, f16 or "
            "bf16";
    return nullptr;
  }
  if (!tensor || tensor->type != storedElement(*element) ||
      ArrayRef<int64_t>(tensor->shape) != type.getShape() ||
      tensor->offset != static_cast<uint64_t>(source.getOffset())) {
    error = path + " does not hold tensor '" + source.getName().str() +
            "' as it did at import; import the checkpoint again";
    return nullptr;
  }
  return tensor->data;
}

//===----------------------------------------------------------------------===//
// Recipe: what is to be done
//===----------------------------------------------------------------------===//

/// Elements behind the first dimension.
static int64_t trailing(RankedTensorType type) {
  int64_t count = 1;
  for (int64_t size : type.getShape().drop_front(type.getRank() ? 1 : 0))
    count *= size;
  return count;
}

static int64_t leading(RankedTensorType type) {
  return type.getRank() ? type.getDimSize(0) : 1;
}

bool Recipe::create(llm::ParamOp param, int64_t instance,
                    CheckpointFiles &files, Recipe &recipe,
                    std::string &error) {
  recipe = Recipe();
  recipe.name = param.getSymName().str();
  recipe.instance = instance;
  SmallVector<llm::SourceAttr> sources = param.getInstance(instance);
  ArrayRef<Attribute> steps;
  if (param.getRecipe())
    steps = param.getRecipe()->getValue();

  // Stack the parts.
  int64_t partCount = 1, align = 1;
  if (auto concat = steps.empty() ? llm::ConcatAttr()
                                  : dyn_cast<llm::ConcatAttr>(steps.front())) {
    partCount = concat.getParts();
    align = concat.getAlign();
    steps = steps.drop_front();
  }
  RankedTensorType first = sources[0].getType();
  recipe.sourceColumns = trailing(first);
  for (llm::SourceAttr source : ArrayRef(sources).take_front(partCount)) {
    const uint8_t *data = files.find(source, error);
    if (!data)
      return false;
    if (source.getType().getElementType() != first.getElementType()) {
      error = "param '" + param.getSymName().str() +
              "' stacks sources of different element types";
      return false;
    }
    int64_t count = leading(source.getType());
    recipe.parts.push_back({data, recipe.rows, count});
    recipe.rows += ::llvm::alignTo(count, align);
  }
  recipe.columns = recipe.sourceColumns;
  recipe.sourceType = *elementOf(first.getElementType());

  // What happens to each element, from the last step to the first, because a
  // later transpose turns columns into rows.
  for (Attribute step : ::llvm::reverse(steps)) {
    if (isa<llm::TransposeAttr>(step)) {
      recipe.isTransposed = !recipe.isTransposed;
    } else if (auto cast = dyn_cast<llm::CastAttr>(step)) {
      std::optional<Element> type = elementOf(cast.getType());
      if (!type) {
        error = "param '" + param.getSymName().str() +
                "' is cast to a type other than f32, f16 and bf16";
        return false;
      }
      recipe.actions.push_back({{}, false, *type});
    } else if (auto scale = dyn_cast<llm::ScaleColumnsAttr>(step)) {
      llm::SourceAttr by = sources[scale.getBy()];
      const uint8_t *data = files.find(by, error);
      if (!data)
        return false;
      Element type = *elementOf(by.getType().getElementType());
      std::vector<float> factors(by.getType().getNumElements());
      for (size_t i = 0; i < factors.size(); ++i)
        factors[i] = loadFloat(type, data + i * bytesOf(type));
      recipe.actions.push_back(
          {std::move(factors), recipe.isTransposed, Element::F32});
    }
  }
  std::reverse(recipe.actions.begin(), recipe.actions.end());
  if (recipe.isTransposed)
    std::swap(recipe.rows, recipe.columns);

  // Where it goes.
  if (auto format = param.getFormat(); format && format->isQuantized()) {
    recipe.quantizeTo(format->getRecord(), param.getContext());
    return true;
  }
  recipe.storedType = *elementOf(param.getStoredType().getElementType());
  recipe.isCopy =
      recipe.sourceType == recipe.storedType &&
      ::llvm::all_of(recipe.actions, [&](const Action &action) {
        return action.factors.empty() && (action.type == Element::F32 ||
                                          action.type == recipe.sourceType);
      });
  recipe.elementBytes = bytesOf(recipe.storedType);
  if (auto layout = param.getLayout(); layout && layout->isPanel()) {
    recipe.n = layout->getN();
    recipe.k = layout->getK();
  }
  recipe.panels = ::llvm::divideCeil(recipe.rows, recipe.n);
  recipe.stepsPerPanel = ::llvm::divideCeil(recipe.columns, recipe.k);
  recipe.bytesPerStep = recipe.n * recipe.k * recipe.elementBytes;
  return true;
}

void Recipe::quantizeTo(const llm::FormatRecord &record, MLIRContext *context) {
  quantized = &record;
  scaleType = *elementOf(record.type(context));
  isCopy = false; // tiles are f32
  n = record.panelRows;
  panels = ::llvm::divideCeil(rows, n);
  stepsPerPanel = 1;
  bytesPerStep = record.panelBytes(columns);
}

//===----------------------------------------------------------------------===//
// Recipe: tiles
//===----------------------------------------------------------------------===//

/// The bytes of row `row` of the stacked sources; null in the padding.
const uint8_t *Recipe::sourceRow(int64_t row) const {
  const Part &part = *std::prev(
      ::llvm::upper_bound(parts, row, [](int64_t row, const Part &part) {
        return row < part.begin;
      }));
  int64_t inside = row - part.begin;
  if (inside >= part.rows)
    return nullptr;
  return part.data + inside * sourceColumns * bytesOf(sourceType);
}

/// Reads elements of type S and calls `store(i, element)` for each.
template <typename S, typename F>
static void readRun(const uint8_t *data, int64_t count, F store) {
  for (int64_t i = 0; i < count; ++i) {
    S element;
    std::memcpy(&element, data + i * sizeof(S), sizeof(S));
    store(i, element);
  }
}

/// Copies source elements into a tile, or, if T is uint32_t and the sources are
/// narrower, the bits of their value as f32. Padding is zero.
template <typename T>
void Recipe::gather(T *tile, int64_t stride, int64_t row, int64_t column,
                    int64_t rowCount, int64_t columnCount) const {
  // Outer walks rows of the sources, so that reads are sequential.
  int64_t outerCount = isTransposed ? columnCount : rowCount;
  int64_t innerCount = isTransposed ? rowCount : columnCount;
  int64_t outerBegin = isTransposed ? column : row;
  int64_t innerBegin = isTransposed ? row : column;
  int64_t outerStride = isTransposed ? 1 : stride;
  int64_t innerStride = isTransposed ? stride : 1;
  for (int64_t o = 0; o < outerCount; ++o) {
    T *to = tile + o * outerStride;
    const uint8_t *from = sourceRow(outerBegin + o);
    if (!from) {
      for (int64_t i = 0; i < innerCount; ++i)
        to[i * innerStride] = 0;
      continue;
    }
    from += innerBegin * bytesOf(sourceType);
    auto run = [&](auto step) {
      if constexpr (sizeof(T) == 2)
        readRun<uint16_t>(from, innerCount,
                          [&](int64_t i, uint16_t e) { to[i * step] = e; });
      else if (sourceType == Element::F32)
        readRun<uint32_t>(from, innerCount,
                          [&](int64_t i, uint32_t e) { to[i * step] = e; });
      else if (sourceType == Element::F16)
        readRun<uint16_t>(from, innerCount, [&](int64_t i, uint16_t e) {
          to[i * step] = f32FromF16(e);
        });
      else
        readRun<uint16_t>(from, innerCount, [&](int64_t i, uint16_t e) {
          to[i * step] = f32FromBF16(e);
        });
    };
    if (innerStride == 1)
      run(std::integral_constant<int64_t, 1>());
    else
      run(innerStride);
  }
}

/// Applies the actions to a tile of f32 bits.
void Recipe::compute(uint32_t *tile, int64_t stride, int64_t row,
                     int64_t column, int64_t rowCount,
                     int64_t columnCount) const {
  for (const Action &action : actions)
    for (int64_t r = 0; r < rowCount; ++r) {
      uint32_t *to = tile + r * stride;
      auto each = [&](auto change) {
        for (int64_t c = 0; c < columnCount; ++c)
          to[c] = change(to[c], c);
      };
      if (action.factors.empty()) {
        if (action.type == Element::F16)
          each([](uint32_t e, int64_t) { return f32FromF16(f16FromF32(e)); });
        else if (action.type == Element::BF16)
          each([](uint32_t e, int64_t) { return f32FromBF16(bf16FromF32(e)); });
        continue;
      }
      const float *factors = action.factors.data();
      if (action.byRow)
        each([factor = factors[row + r]](uint32_t e, int64_t) {
          return bitsOfFloat(floatFromBits(e) * factor);
        });
      else
        each([factors = factors + column](uint32_t e, int64_t c) {
          return bitsOfFloat(floatFromBits(e) * factors[c]);
        });
    }
}

namespace {
/// Elements that a tile of f32 holds at most, without the gaps between rows.
constexpr int64_t tileElements = 8192;
} // namespace

/// A tile of stored elements: `n` rows from `row`, `columnCount` columns from
/// `column`. What lies outside the matrix is zero.
template <typename T>
void Recipe::fill(T *tile, int64_t stride, int64_t row, int64_t column,
                  int64_t columnCount) const {
  int64_t rowCount = std::min(n, rows - row);
  int64_t inside = std::min(columnCount, columns - column);
  if (rowCount < n || inside < columnCount)
    std::fill(tile, tile + n * stride, T(0));
  if (isCopy)
    return gather(tile, stride, row, column, rowCount, inside);

  if constexpr (sizeof(T) == 4) {
    gather(tile, stride, row, column, rowCount, inside);
    compute(tile, stride, row, column, rowCount, inside);
  } else {
    thread_local std::vector<uint32_t> wide;
    wide.resize(std::max<size_t>(wide.size(), n * stride));
    gather(wide.data(), stride, row, column, rowCount, inside);
    compute(wide.data(), stride, row, column, rowCount, inside);
    for (int64_t r = 0; r < rowCount; ++r) {
      const uint32_t *from = wide.data() + r * stride;
      T *to = tile + r * stride;
      if (storedType == Element::F16)
        for (int64_t c = 0; c < inside; ++c)
          to[c] = f16FromF32(from[c]);
      else
        for (int64_t c = 0; c < inside; ++c)
          to[c] = bf16FromF32(from[c]);
    }
  }
}

template <typename T>
void Recipe::packAs(int64_t begin, int64_t end, T *out) const {
  int64_t width = std::max<int64_t>(tileElements / n / k, 1); // steps of a tile
  int64_t stride = width * k + 16 / sizeof(T) * 2;
  thread_local std::vector<T> tile;
  tile.resize(std::max<size_t>(tile.size(), n * stride));
  while (begin < end) {
    int64_t panel = begin / stepsPerPanel, first = begin % stepsPerPanel;
    int64_t count = std::min({width, end - begin, stepsPerPanel - first});
    if (n == 1 && k == 1) {
      fill(out, count, panel, first, count);
    } else {
      fill(tile.data(), stride, panel * n, first * k, count * k);
      const T *from = tile.data();
      if (k == 2)
        for (int64_t s = 0; s < count; ++s)
          for (int64_t r = 0; r < n; ++r)
            std::memcpy(out + (s * n + r) * 2, from + r * stride + s * 2,
                        2 * sizeof(T));
      else
        for (int64_t s = 0; s < count; ++s)
          for (int64_t r = 0; r < n; ++r)
            for (int64_t i = 0; i < k; ++i)
              out[(s * n + r) * k + i] = from[r * stride + s * k + i];
    }
    out += count * n * k;
    begin += count;
  }
}

bool Recipe::packQuantized(int64_t begin, int64_t end, uint8_t *out,
                           std::string &error) const {
  int64_t stride = ::llvm::alignTo(columns, 4) + 4;
  thread_local std::vector<uint32_t> tile;
  tile.resize(std::max<size_t>(tile.size(), n * stride));
  for (int64_t panel = begin; panel < end; ++panel, out += bytesPerStep) {
    fill(tile.data(), stride, panel * n, 0, columns);
    PanelRows panelRows = {tile.data(), stride, panel * n,
                           std::min(n, rows - panel * n), columns};
    if (!quantizePanel(*quantized, scaleType, panelRows, out, error)) {
      error = "cannot store instance " + std::to_string(instance) +
              " of param '" + name + "' as " + quantized->name.str() + ": " +
              error;
      return false;
    }
  }
  return true;
}

bool Recipe::pack(int64_t begin, int64_t end, uint8_t *out,
                  std::string &error) const {
  if (quantized)
    return packQuantized(begin, end, out, error);
  if (elementBytes == 4)
    packAs(begin, end, reinterpret_cast<uint32_t *>(out));
  else
    packAs(begin, end, reinterpret_cast<uint16_t *>(out));
  return true;
}

bool Recipe::values(std::vector<float> &result, std::string &error) const {
  result.resize(rows * columns);
  if (quantized)
    return dequantized(result.data(), error);
  Recipe plain = *this;
  plain.n = plain.k = 1;
  plain.panels = rows;
  plain.stepsPerPanel = columns;
  plain.bytesPerStep = elementBytes;
  std::vector<uint8_t> bytes(plain.storedBytes());
  plain.pack(0, plain.stepCount(), bytes.data(), error);
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = loadFloat(storedType, bytes.data() + i * elementBytes);
  return true;
}

bool Recipe::dequantized(float *result, std::string &error) const {
  std::vector<uint8_t> bytes(bytesPerStep);
  for (int64_t panel = 0; panel < panels; ++panel) {
    if (!pack(panel, panel + 1, bytes.data(), error))
      return false;
    dequantizePanel(*quantized, scaleType, bytes.data(),
                    std::min(n, rows - panel * n), columns,
                    result + panel * n * columns);
  }
  return true;
}

void Recipe::release(int64_t begin, int64_t end) const {
  if (isTransposed || begin >= end)
    return;
  // All rows that the steps touch are read by their panels alone.
  int64_t firstRow = begin / stepsPerPanel * n;
  int64_t lastRow = std::min((end / stepsPerPanel) * n, rows);
  uintptr_t page = sysconf(_SC_PAGESIZE);
  for (const Part &part : parts) {
    int64_t from = std::max(firstRow - part.begin, int64_t(0));
    int64_t to = std::min(lastRow - part.begin, part.rows);
    if (from >= to)
      continue;
    int64_t rowBytes = sourceColumns * bytesOf(sourceType);
    auto low = ::llvm::alignTo(
        reinterpret_cast<uintptr_t>(part.data + from * rowBytes), page);
    auto high =
        reinterpret_cast<uintptr_t>(part.data + to * rowBytes) / page * page;
    if (low < high)
      madvise(reinterpret_cast<void *>(low), high - low, MADV_DONTNEED);
  }
}

bool smelt::loadInstance(llm::ParamOp param, int64_t instance,
                         StringRef checkpointDir, std::vector<float> &values,
                         std::string &error) {
  CheckpointFiles files(checkpointDir.str());
  Recipe recipe;
  return Recipe::create(param, instance, files, recipe, error) &&
         recipe.values(values, error);
}
