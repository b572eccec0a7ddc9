//===- Regex.cpp - Regular expressions of tokenizer files -----------------===//
//
// Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// tokenizer.json is written for Oniguruma; PCRE2 executes it. The two agree on
// most of the syntax. Translation rewrites what both accept with different
// meanings and refuses what it can't rewrite:
//
//     Oniguruma          meaning there                        for PCRE2
//     \s \w \b [:punct:]  properties of characters            spelled out
//     (?m: )             dot matches newline                  (?s: )
//     x{1,3}+            one or more of x{1,3}                (?:x{1,3})+
//     \p{Letter}         long names                           \p{L}
//     \p{Han}            that script, no extensions           \p{sc:Han}
//     \u00e9             code point                           \x{00e9}
//     [a[bc]] [a&&b]     nested sets                          refused
//
//===----------------------------------------------------------------------===//
#include "Regex.h"
#include "Unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace smelt::tokenizer;

/// Longer patterns are refused.
static constexpr size_t kMaxPatternBytes = 1 << 16;
/// Steps of the matcher for one match; text costs a few per byte.
static constexpr uint32_t kMatchLimit = 10000000;
/// KiB of backtracking state for one match.
static constexpr uint32_t kHeapLimit = 64 << 10;

namespace {

/// Members of the set of word characters.
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

/// A set with a name, by its members.
struct NamedSet {
  char escape;       // \s; its upper case negates. 0 where there is none
  const char *posix; // [:space:] within a set
  const char *members;
};
constexpr NamedSet kNamedSets[] = {
    {'s', "space", "\\p{White_Space}"}, {'w', "word", WORD},
    {'d', "digit", "\\p{Nd}"},          {'h', "xdigit", "0-9A-Fa-f"},
    {0, "alpha", "\\p{Alphabetic}"},    {0, "alnum", "\\p{Alphabetic}\\p{Nd}"},
    {0, "upper", "\\p{Uppercase}"},     {0, "lower", "\\p{Lowercase}"},
    {0, "punct", "\\p{P}\\p{S}"},       {0, "cntrl", "\\p{Cc}"},
    {0, "blank", "\\p{Zs}\\t"},
};

/// Between a word character and another one, or the end.
constexpr char kBoundary[] = "(?:(?<=[" WORD "])(?![" WORD "])"
                             "|(?<![" WORD "])(?=[" WORD "]))";
constexpr char kNoBoundary[] = "(?:(?<=[" WORD "])(?=[" WORD "])"
                               "|(?<![" WORD "])(?![" WORD "]))";

/// Properties that PCRE2 knows by another name only.
struct PropertyAlias {
  const char *name, *pcre;
};
constexpr PropertyAlias kPropertyAliases[] = {
    {"Letter", "L"},
    {"Mark", "M"},
    {"Number", "N"},
    {"Punctuation", "P"},
    {"Symbol", "S"},
    {"Separator", "Z"},
    {"Other", "C"},
    {"Punct", "P"},
    {"Alpha", "Alphabetic"},
    {"Space", "White_Space"},
    {"Digit", "Nd"},
    {"Lower", "Lowercase"},
    {"Upper", "Uppercase"},
    {"Cntrl", "Cc"},
    {"Decimal_Number", "Nd"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
};

template <auto free> struct Freed {
  template <typename T> void operator()(T *object) const { free(object); }
};
using Compiled = std::unique_ptr<pcre2_code, Freed<pcre2_code_free>>;
using CompileContext =
    std::unique_ptr<pcre2_compile_context, Freed<pcre2_compile_context_free>>;
using MatchData =
    std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free>>;

/// Whether PCRE2 knows a script of this name.
bool isScript(const std::string &name) {
  std::string pattern = "\\p{sc:" + name + "}";
  int code;
  PCRE2_SIZE offset;
  return Compiled(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                pattern.size(), PCRE2_UTF, &code, &offset,
                                nullptr)) != nullptr;
}

class Translator {
public:
  explicit Translator(std::string_view in) : in(in) {}

  bool run(std::string &error) {
    while (at < in.size() && problem.empty())
      item();
    error = problem;
    return problem.empty();
  }
  std::string out;

private:
  char peek(size_t ahead = 0) const {
    return at + ahead < in.size() ? in[at + ahead] : '\0';
  }
  void copy(size_t count) {
    count = std::min(count, in.size() - at);
    out += in.substr(at, count);
    at += count;
  }

  /// One item outside of sets; remembers in `atom` where what a quantifier
  /// would repeat begins in `out`.
  void item() {
    char c = peek();
    if (c == '(') {
      groups.push_back(out.size());
      openGroup();
    } else if (c == ')') {
      atom = groups.empty() ? out.size() : groups.back();
      if (!groups.empty())
        groups.pop_back();
      copy(1);
    } else if (c == '{' && interval()) {
    } else if (c == '*' || c == '+' || c == '?') {
      copy(1);
    } else {
      atom = out.size();
      if (c == '[')
        set();
      else if (c == '\\')
        escape(/*inSet=*/false);
      else
        copy(1);
    }
  }

  /// "(?imx-imx:" with Ruby's m as PCRE2's s; other groups as they are.
  void openGroup() {
    size_t end = at + 2;
    while (end < in.size() &&
           std::string_view("imx-").find(in[end]) != std::string_view::npos)
      ++end;
    bool options = peek(1) == '?' && end < in.size() &&
                   (in[end] == ':' || in[end] == ')') && end > at + 2;
    if (!options) {
      // "(?<=", "(?:", "(?=" ...: the question mark is no quantifier.
      copy(peek(1) == '?' ? 2 : 1);
      return;
    }
    bool closes = in[end] == ')';
    for (; at <= end; ++at)
      out += in[at] == 'm' ? 's' : in[at];
    if (closes)
      groups.pop_back();
  }

  /// "{n,m}" and a plus behind it, which repeats the whole here.
  bool interval() {
    size_t end = at + 1;
    while (end < in.size() && (isdigit(uint8_t(in[end])) || in[end] == ','))
      ++end;
    if (end >= in.size() || in[end] != '}' || end == at + 1)
      return false;
    std::string range(in.substr(at, end + 1 - at));
    if (range[1] == ',') // {,n}
      range.insert(1, "0");
    at = end + 1;
    out += range;
    if (peek() == '+') {
      out.insert(atom, "(?:");
      out += ")+";
      ++at;
    }
    return true;
  }

  void set() {
    copy(1);
    if (peek() == '^')
      copy(1);
    if (peek() == ']')
      copy(1);
    while (at < in.size() && peek() != ']' && problem.empty()) {
      if (peek() == '\\') {
        escape(/*inSet=*/true);
      } else if (peek() == '[') {
        posixSet();
      } else if (peek() == '&' && peek(1) == '&') {
        problem = "an intersection of sets (&&) isn't supported";
      } else {
        copy(1);
      }
    }
    copy(1);
  }

  /// "[:name:]" within a set.
  void posixSet() {
    size_t end = in.find(":]", at);
    if (peek(1) != ':' || end == std::string_view::npos) {
      problem = "a set within a set isn't supported";
      return;
    }
    bool negated = peek(2) == '^';
    size_t begin = at + 2 + negated;
    std::string_view name = in.substr(begin, end - std::min(begin, end));
    std::string_view spelling = in.substr(at, end + 2 - at);
    for (const NamedSet &set : kNamedSets)
      if (name == set.posix) {
        namedSet(set, negated, /*inSet=*/true, spelling);
        return;
      }
    copy(spelling.size());
  }

  /// A set that `spelling` stands for here.
  void namedSet(const NamedSet &set, bool negated, bool inSet,
                std::string_view spelling) {
    std::string members = set.members;
    bool isProperty = members[0] == '\\' && members.back() == '}' &&
                      members.find('\\', 1) == std::string::npos;
    if (isProperty) {
      members[1] = negated ? 'P' : 'p';
      out += members;
    } else if (!inSet) {
      out += (negated ? "[^" : "[") + members + "]";
    } else if (!negated) {
      out += members;
    } else {
      problem = std::string(spelling) + " within a set isn't supported";
    }
    at += spelling.size();
  }

  void escape(bool inSet) {
    char c = peek(1);
    for (const NamedSet &set : kNamedSets)
      if (c && set.escape && (c == set.escape || c == toupper(set.escape)))
        return namedSet(set, c != set.escape, inSet, in.substr(at, 2));
    if (!inSet && (c == 'b' || c == 'B')) {
      out += c == 'b' ? kBoundary : kNoBoundary;
      at += 2;
      return;
    }
    if (c == 'u') {
      out += "\\x{" + std::string(in.substr(at + 2, 4)) + "}";
      at = std::min(at + 6, in.size());
    } else if ((c == 'p' || c == 'P') && peek(2) == '{') {
      property();
    } else if (c == 'x' && peek(2) == '{') {
      copy(3);
      while (at < in.size() && peek() != '}')
        copy(1);
      copy(1);
    } else {
      copy(2);
    }
  }

  void property() {
    size_t end = in.find('}', at);
    if (end == std::string_view::npos)
      return copy(in.size());
    size_t begin = at + 3 + (peek(3) == '^');
    std::string name(in.substr(begin, end - begin));
    copy(begin - at);
    for (const PropertyAlias &alias : kPropertyAliases)
      if (name == alias.name)
        name = alias.pcre;
    if (isScript(name))
      name.insert(0, "sc:");
    out += name + "}";
    at = end + 1;
  }

  std::string_view in;
  size_t at = 0, atom = 0;
  std::vector<size_t> groups;
  std::string problem;
};

} // namespace

struct Regex::Code {
  Compiled code;
  std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free>> context;
};

Regex::Regex(std::unique_ptr<Code> code) : code(std::move(code)) {}
Regex::~Regex() = default;

static std::string message(int code) {
  PCRE2_UCHAR text[128];
  if (pcre2_get_error_message(code, text, sizeof text) < 0)
    return "error " + std::to_string(code);
  return reinterpret_cast<char *>(text);
}

std::shared_ptr<const Regex> Regex::compile(std::string_view pattern,
                                            std::string &error) {
  if (pattern.size() > kMaxPatternBytes) {
    error = "expected a regular expression of at most " +
            std::to_string(kMaxPatternBytes) + " bytes, found " +
            std::to_string(pattern.size());
    return nullptr;
  }
  Translator translator(pattern);
  std::string problem;
  if (!translator.run(problem)) {
    error = "regular expression '" + sanitizeUtf8(pattern.substr(0, 200)) +
            "': " + problem;
    return nullptr;
  }
  CompileContext context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 100);
  auto result = std::make_unique<Code>();
  int code;
  PCRE2_SIZE offset;
  result->code.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translator.out.data()),
      translator.out.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code,
      &offset, context.get()));
  if (!result->code) {
    error = "regular expression '" +
            sanitizeUtf8(std::string_view(translator.out).substr(0, 200)) +
            "' isn't valid at byte " + std::to_string(offset) + ": " +
            message(code);
    return nullptr;
  }
  // Without the JIT compiler, as on some hardened systems, matching is
  // interpreted.
  pcre2_jit_compile(result->code.get(), PCRE2_JIT_COMPLETE);
  result->context.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(result->context.get(), kMatchLimit);
  pcre2_set_heap_limit(result->context.get(), kHeapLimit);
  return std::shared_ptr<const Regex>(new Regex(std::move(result)));
}

bool Regex::findAll(std::string_view text, std::vector<Span> &matches,
                    std::string &error) const {
  MatchData data(
      pcre2_match_data_create_from_pattern(code->code.get(), nullptr));
  auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t last = std::string_view::npos;
  for (size_t at = 0; at <= text.size();) {
    uint32_t flags = PCRE2_NO_UTF_CHECK;
    int count = pcre2_match(code->code.get(), subject, text.size(), at, flags,
                            data.get(), code->context.get());
    if (count == PCRE2_ERROR_JIT_STACKLIMIT)
      count =
          pcre2_match(code->code.get(), subject, text.size(), at,
                      flags | PCRE2_NO_JIT, data.get(), code->context.get());
    if (count == PCRE2_ERROR_NOMATCH)
      return true;
    if (count < 0) {
      error = "regular expression failed at byte " + std::to_string(at) +
              " of the text: " + message(count);
      return false;
    }
    const PCRE2_SIZE *match = pcre2_get_ovector_pointer(data.get());
    if (match[0] < at || match[1] < match[0]) { // \K in odd places
      error = "regular expression matches backwards";
      return false;
    }
    if (match[0] == match[1] && match[0] == last) {
      if (at >= text.size())
        return true;
      nextCodePoint(text, at);
      continue;
    }
    matches.push_back({match[0], match[1]});
    at = last = match[1];
  }
  return true;
}
