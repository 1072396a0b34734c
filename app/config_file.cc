#include "app/config_file.h"

#include <libfyaml.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace spool {
namespace {

struct ParserFree {
  void operator()(fy_parser* p) const { fy_parser_destroy(p); }
};
struct DiagFree {
  void operator()(fy_diag* d) const { fy_diag_destroy(d); }
};

// One event of the parser, freed when it goes out of scope.
class Event {
 public:
  explicit Event(fy_parser* parser) : parser_(parser), event_(fy_parser_parse(parser)) {}
  ~Event() {
    if (event_ != nullptr) fy_parser_event_free(parser_, event_);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  fy_event* get() const { return event_; }
  explicit operator bool() const { return event_ != nullptr; }
  fy_event_type type() const { return event_ == nullptr ? FYET_NONE : event_->type; }

 private:
  fy_parser* parser_;
  fy_event* event_;
};

std::string TokenText(fy_token* token) {
  if (token == nullptr) return {};
  size_t size = 0;
  const char* text = fy_token_get_text(token, &size);
  return text == nullptr ? std::string() : std::string(text, size);
}

bool IsNullWord(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

// Turns the parser's events into the tree. Recursion is bounded by kConfigDepthMax.
class TreeBuilder {
 public:
  TreeBuilder(const std::shared_ptr<const ConfigText>& file, ConfigProblems& problems)
      : file_(file), problems_(problems) {}

  std::optional<YamlNode> Build();

 private:
  // A finished part of the tree: how many nodes it has and how many levels.
  struct Size {
    size_t nodes = 1;
    int levels = 1;
    void Hold(const Size& child) {
      nodes += child.nodes;
      levels = std::max(levels, child.levels + 1);
    }
  };
  struct Anchor {
    YamlNode node;
    Size size;
  };

  YamlNode ReadNode(const Event& event, int depth, Size& size);
  YamlNode ReadScalar(const Event& event);
  YamlNode ReadAlias(const Event& event, int depth, Size& size);
  void ReadList(YamlNode& node, int depth, Size& size);
  void ReadMap(YamlNode& node, int depth, Size& size);
  using Seen = std::unordered_map<std::string, size_t>;  // key to its entry's index
  void Merge(YamlNode& map, Seen& seen, const YamlNode& from, const Place& place);
  void TellSyntaxError();
  void Stop(const Place& place, std::string message, std::string hint = {}) {
    if (!stopped_) problems_.Add(place, std::move(message), std::move(hint));
    stopped_ = true;
  }
  Place At(const fy_mark* mark) const {
    return mark == nullptr ? Place{file_, 0, 0} : Place{file_, mark->line + 1, mark->column + 1};
  }
  bool Grow(const Place& place, size_t nodes);

  std::shared_ptr<const ConfigText> file_;
  ConfigProblems& problems_;
  std::unique_ptr<fy_diag, DiagFree> diag_;
  std::unique_ptr<fy_parser, ParserFree> parser_;
  std::unordered_map<std::string, Anchor> anchors_;
  std::vector<Place> open_;  // lists and maps begun and not ended
  size_t nodes_ = 0;
  bool stopped_ = false;  // the rest of the text is not looked at
};

bool TreeBuilder::Grow(const Place& place, size_t nodes) {
  nodes_ += nodes;
  if (nodes_ <= kConfigNodesMax) return true;
  Stop(place, "the configuration has more than " + std::to_string(kConfigNodesMax) +
                  " values (aliases counted as what they stand for)");
  return false;
}

std::optional<YamlNode> TreeBuilder::Build() {
  fy_diag_cfg diag_config;
  fy_diag_cfg_default(&diag_config);
  diag_config.fp = nullptr;
  diag_config.colorize = false;
  diag_.reset(fy_diag_create(&diag_config));
  fy_parse_cfg config{};
  config.flags =
      static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE);
  config.diag = diag_.get();
  if (diag_ != nullptr) {
    fy_diag_set_collect_errors(diag_.get(), true);
    parser_.reset(fy_parser_create(&config));
  }
  if (parser_ == nullptr ||
      fy_parser_set_string(parser_.get(), file_->text.data(), file_->text.size()) != 0) {
    problems_.AddFile(file_->name, "the YAML parser could not be set up");
    return std::nullopt;
  }

  YamlNode root;
  root.start = Place{file_, 1, 1};
  int documents = 0;
  while (!stopped_) {
    const Event event(parser_.get());
    if (!event) {
      if (fy_parser_get_stream_error(parser_.get())) TellSyntaxError();
      break;
    }
    switch (event.type()) {
      case FYET_STREAM_START:
      case FYET_STREAM_END:
      case FYET_DOCUMENT_END: break;
      case FYET_DOCUMENT_START:
        if (++documents > 1) {
          Stop(At(fy_event_start_mark(event.get())),
               "a second document begins here; a file holds one",
               "put it into a file of its own and give --config the directory");
        }
        break;
      default: {
        Size size;
        root = ReadNode(event, 1, size);
      }
    }
  }
  // What could be read of a broken text would only bring problems that are not there.
  if (stopped_) return std::nullopt;
  return root;
}

YamlNode TreeBuilder::ReadNode(const Event& event, int depth, Size& size) {
  const Place place = At(fy_event_start_mark(event.get()));
  if (!Grow(place, 1)) return {};
  if (depth > kConfigDepthMax) {
    Stop(place, "nested more than " + std::to_string(kConfigDepthMax) + " levels deep");
    return {};
  }
  if (event.type() == FYET_ALIAS) return ReadAlias(event, depth, size);

  bool text = false;
  if (fy_token* tag = fy_event_get_tag_token(event.get())) {
    const std::string name = TokenText(tag);
    text = name == "tag:yaml.org,2002:str";
    if (!text && !name.starts_with("tag:yaml.org,2002:")) {
      problems_.Add(At(fy_token_start_mark(tag)), "the tag '" + name + "' means nothing here");
    }
  }
  YamlNode node;
  switch (event.type()) {
    case FYET_SCALAR:
      node = ReadScalar(event);
      node.quoted |= text;
      if (text && node.kind == YamlNode::Kind::kNull) node.kind = YamlNode::Kind::kScalar;
      break;
    case FYET_SEQUENCE_START: node.kind = YamlNode::Kind::kList; break;
    case FYET_MAPPING_START: node.kind = YamlNode::Kind::kMap; break;
    default: Stop(place, "this is not valid YAML"); return {};
  }
  node.start = place;
  if (const fy_mark* end = fy_event_end_mark(event.get())) {
    node.end_line = end->line + 1;
    node.end_column = end->column + 1;
  }
  if (node.kind == YamlNode::Kind::kList) ReadList(node, depth, size);
  if (node.kind == YamlNode::Kind::kMap) ReadMap(node, depth, size);
  if (fy_token* anchor = fy_event_get_anchor_token(event.get()); anchor != nullptr && !stopped_) {
    anchors_[TokenText(anchor)] = Anchor{node, size};
  }
  return node;
}

YamlNode TreeBuilder::ReadScalar(const Event& event) {
  YamlNode node;
  fy_token* token = event.get()->scalar.value;
  node.quoted = token != nullptr && fy_token_scalar_style(token) != FYSS_PLAIN;
  node.text = TokenText(token);
  node.kind =
      !node.quoted && IsNullWord(node.text) ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
  return node;
}

YamlNode TreeBuilder::ReadAlias(const Event& event, int depth, Size& size) {
  const Place place = At(fy_event_start_mark(event.get()));
  const std::string name = TokenText(event.get()->alias.anchor);
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) {
    Stop(place, "the alias *" + name + " names no anchor that is complete above it");
    return {};
  }
  size = found->second.size;
  if (depth + size.levels - 1 > kConfigDepthMax) {
    Stop(place, "nested more than " + std::to_string(kConfigDepthMax) +
                    " levels deep once the alias *" + name + " is followed");
    return {};
  }
  if (!Grow(place, size.nodes)) return {};
  return found->second.node;
}

void TreeBuilder::ReadList(YamlNode& node, int depth, Size& size) {
  open_.push_back(node.start);
  while (!stopped_) {
    const Event event(parser_.get());
    if (!event) {
      TellSyntaxError();
      return;
    }
    if (event.type() == FYET_SEQUENCE_END) break;
    Size child;
    node.items.push_back(ReadNode(event, depth + 1, child));
    size.Hold(child);
  }
  open_.pop_back();
}

void TreeBuilder::ReadMap(YamlNode& node, int depth, Size& size) {
  open_.push_back(node.start);
  Seen seen;
  std::vector<YamlNode::Entry> merges;
  while (!stopped_) {
    const Event key_event(parser_.get());
    if (!key_event) {
      TellSyntaxError();
      return;
    }
    if (key_event.type() == FYET_MAPPING_END) break;
    Size child;
    const YamlNode key = ReadNode(key_event, depth + 1, child);
    if (stopped_) return;
    if (key.kind != YamlNode::Kind::kScalar) {
      problems_.Add(At(fy_event_start_mark(key_event.get())), "a key must be a plain word");
    }
    const Event value_event(parser_.get());
    if (!value_event) {
      TellSyntaxError();
      return;
    }
    YamlNode::Entry entry{key.text, key.start, ReadNode(value_event, depth + 1, child)};
    size.Hold(child);
    if (stopped_) return;
    if (entry.value.start.line == 0) entry.value.start = key.start;  // an empty value
    if (key.kind != YamlNode::Kind::kScalar) continue;
    if (key.text == "<<" && !key.quoted) {
      merges.push_back(std::move(entry));
      continue;
    }
    const auto [first, fresh] = seen.emplace(key.text, node.entries.size());
    if (fresh) {
      node.entries.push_back(std::move(entry));
      continue;
    }
    const Place& other = node.entries[first->second].place;
    problems_.Add(key.start, "the key '" + key.text + "' is given twice",
                  "the first is at line " + std::to_string(other.line) + ", column " +
                      std::to_string(other.column));
  }
  for (const YamlNode::Entry& merge : merges) Merge(node, seen, merge.value, merge.place);
  open_.pop_back();
}

// What the map says itself wins, then the earlier of several merged maps.
void TreeBuilder::Merge(YamlNode& map, Seen& seen, const YamlNode& from, const Place& place) {
  if (from.kind == YamlNode::Kind::kList) {
    for (const YamlNode& item : from.items) {
      if (item.kind == YamlNode::Kind::kMap) {
        Merge(map, seen, item, place);
      } else {
        problems_.Add(place, "'<<' merges maps only");
      }
    }
    return;
  }
  if (from.kind != YamlNode::Kind::kMap) {
    problems_.Add(place, "'<<' merges maps only");
    return;
  }
  for (const YamlNode::Entry& entry : from.entries) {
    if (seen.emplace(entry.key, map.entries.size()).second) map.entries.push_back(entry);
  }
}

void TreeBuilder::TellSyntaxError() {
  if (stopped_) return;
  Place place{file_, 0, 0};
  std::string message = "this is not valid YAML";
  void* at = nullptr;
  if (const fy_diag_error* error = fy_diag_errors_iterate(diag_.get(), &at)) {
    place.line = std::max(error->line, 1);
    place.column = std::max(error->column, 1);
    message += std::string(": ") + (error->msg == nullptr ? "" : error->msg);
  }
  std::string hint;
  const bool flow = message.find("flow") != std::string::npos && !open_.empty();
  if (file_->Line(place.line).find("${") != std::string_view::npos) {
    hint = "inside { } and [ ] a value with ${…} needs quotes";
  } else if (flow) {
    const Place& open = open_.back();
    hint = "what is open here began at line " + std::to_string(open.line) + ", column " +
           std::to_string(open.column);
  } else {
    for (int line = 1; line <= place.line + 3; ++line) {
      const std::string_view text = file_->Line(line);
      const size_t first = text.find_first_not_of(' ');
      if (first == std::string_view::npos || text[first] != '\t') continue;
      hint = "line " + std::to_string(line) + " is indented with a tab; YAML wants spaces";
      break;
    }
  }
  Stop(place, std::move(message), std::move(hint));
}

// The size of the UTF-8 character at `i`; 0 if there is none.
size_t Utf8Size(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) { return k < text.size() ? static_cast<uint8_t>(text[k]) : 0; };
  const uint8_t first = byte(i);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (size_t k = 1; k < size; ++k) {
    if ((byte(i + k) & 0xc0) != 0x80) return 0;
  }
  const uint8_t second = byte(i + 1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return size;
}

// Binary junk is told apart here, before the parser meets it.
bool CheckCharacters(const std::shared_ptr<const ConfigText>& file, ConfigProblems& problems) {
  const std::string& text = file->text;
  if (text.size() > kConfigFileBytesMax) {
    problems.AddFile(file->name, "the file is larger than 1 MiB");
    return false;
  }
  int line = 1;
  int column = 1;
  for (size_t i = 0; i < text.size();) {
    const size_t size = Utf8Size(text, i);
    const auto c = static_cast<uint8_t>(text[i]);
    if (size == 0) {
      problems.Add(Place{file, line, column}, "this is not UTF-8 text");
      return false;
    }
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
      problems.Add(Place{file, line, column}, "a control character does not belong in YAML");
      return false;
    }
    i += size;
    ++column;
    if (c == '\n') {
      ++line;
      column = 1;
    }
  }
  return true;
}

}  // namespace

ConfigText::ConfigText(std::string file_name, std::string contents)
    : name(std::move(file_name)), text(std::move(contents)) {
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  line_starts.push_back(0);
  for (size_t i = text.find('\n'); i != std::string::npos; i = text.find('\n', i + 1)) {
    line_starts.push_back(i + 1);
  }
}

std::string_view ConfigText::Line(int line) const {
  if (line < 1 || static_cast<size_t>(line) > line_starts.size()) return {};
  const auto index = static_cast<size_t>(line - 1);
  const size_t begin = line_starts[index];
  const size_t end = index + 1 < line_starts.size() ? line_starts[index + 1] - 1 : text.size();
  std::string_view found = std::string_view(text).substr(begin, end - begin);
  if (found.ends_with('\r')) found.remove_suffix(1);
  return found;
}

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::optional<YamlNode> ParseYaml(const std::shared_ptr<const ConfigText>& file,
                                  ConfigProblems& problems) {
  if (!CheckCharacters(file, problems)) return std::nullopt;
  return TreeBuilder(file, problems).Build();
}

}  // namespace spool
