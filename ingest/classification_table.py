#!/usr/bin/env python3
"""Makes C++ tables, and the tables of the page for people, from schemas/classification.json.

  classification_table.py inc  TABLE OUT    the tables as constants (only written when they change)
  classification_table.py page TABLE PAGE   the page with its tables made anew, to stdout

Whatever is unknown, misspelled or can never fit is an error with its place.
"""

import json
import pathlib
import re
import sys

TESTS = {
    "usage_limit": "kUsageLimit",
    "cannot": "kCannot",
    "webhook_denied": "kWebhookDenied",
    "policy_denied": "kPolicyDenied",
    "webhook_failed": "kWebhookFailed",
}
# What a test stands for, in the page.
TOLD = {
    "usage_limit": "`maximum\\|minimum X usage per Y is ` (any case)",
    "cannot": '`User "…" cannot VERB resource\\|path "`',
    "webhook_denied": '`admission webhook "W" denied the request` or `… does not support dry run`',
    "policy_denied": "`ValidatingAdmissionPolicy '…' … denied request: `",
    "webhook_failed": '`failed calling webhook "W"`',
}
SEVERITIES = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


class Wrong(Exception):
    pass


def pairs(items):
    seen = dict(items)
    if len(seen) != len(items):
        raise Wrong("a key is given twice among: " + ", ".join(key for key, _ in items))
    return seen


def keys(place, row, need, may=()):
    for key in need:
        if key not in row:
            raise Wrong(f"{place}: '{key}' is missing")
    for key in row:
        if key not in need and key not in may:
            raise Wrong(f"{place}: there is no '{key}'")


class Table:
    def __init__(self, path):
        t = self.t = json.loads(pathlib.Path(path).read_text("utf-8"), object_pairs_hook=pairs)
        keys("the table", t, ("about", "categories", "streams", "default_stream", "refusals", "annotations",
                              "resources", "events", "reasons", "severities", "producers", "groups", "falco", "kinds"))
        for i, row in enumerate(t["streams"]):
            keys(f"streams[{i}]", row, ("category", "stream"))
        if [row["category"] for row in t["streams"]] != list(t["categories"]):
            raise Wrong("streams: one for each category, in their order")
        for i, row in enumerate(t["refusals"]):
            keys(f"refusals[{i}]", row, ("rule", "result"), ("contains", "test", "mutating"))
            if "test" in row and row["test"] not in TESTS:
                raise Wrong(f"refusals[{i}]: there is no test '{row['test']}'")
            if not row.get("contains") and "test" not in row:
                raise Wrong(f"refusals[{i}]: nothing is looked for")
            if ("mutating" in row) != row.get("test", "").startswith("webhook_"):
                raise Wrong(f"refusals[{i}]: 'mutating' belongs to a test of webhooks")
        for i, row in enumerate(t["annotations"]):
            keys(f"annotations[{i}]", row, ("rule", "result"), ("prefix", "suffix", "contains"))
            if not row.get("prefix") and not row.get("suffix"):
                raise Wrong(f"annotations[{i}]: needs a prefix or a suffix")
        for i, row in enumerate(t["resources"]):
            keys(f"resources[{i}]", row, ("group", "resource", "subresource", "result"))
        last = t["resources"][-1]
        if (last["group"], last["resource"], last["subresource"]) != ("*", "*", "*"):
            raise Wrong("resources: the last rule must fit everything")
        for i, row in enumerate(t["events"]):
            keys(f"events[{i}]", row, ("rule",), ("reasons", "components", "groups", "kinds", "refusal", "until",
                                                  "message", "otherwise"))
            for j, test in enumerate(row.get("message", [])):
                keys(f"events[{i}].message[{j}]", test, ("contains", "result"), ("any_case", "also"))
                words = test["contains"] + [test.get("also", "")]
                if test.get("any_case") and any(word != word.lower() for word in words):
                    raise Wrong(f"events[{i}].message[{j}]: in any case is written in lower case")
            looks = "message" in row or row.get("refusal")
            if looks and ("reasons" not in row or any(k in row for k in ("components", "groups", "kinds"))):
                raise Wrong(f"events[{i}]: a message is looked at by reason alone")
            if not looks and "otherwise" not in row:
                raise Wrong(f"events[{i}]: has no result")
        seen = set()
        for i, part in enumerate(t["reasons"]):
            keys(f"reasons[{i}]", part, ("of", "rules"))
            for row in part["rules"]:
                keys(f"reasons[{i}]", row, ("reason", "result"), ("kind",))
                if row["reason"] in seen:
                    raise Wrong(f"reasons[{i}]: '{row['reason']}' is there already")
                seen.add(row["reason"])
        for i, row in enumerate(t["severities"]):
            keys(f"severities[{i}]", row, ("reason", "at_least"))
            if row["at_least"] not in SEVERITIES:
                raise Wrong(f"severities[{i}]: there is no severity '{row['at_least']}'")
        self.check_producers(t)
        keys("falco", t["falco"], ("internal", "audit_words", "audit", "otherwise"))
        for place, result in self.results(t, "the table"):
            category, _, subcategory = result.partition("/")
            if subcategory not in t["categories"].get(category, ()):
                raise Wrong(f"{place}: there is no category '{result}'")

    def check_producers(self, t):
        decided = set()
        for i, row in enumerate(t["producers"]):
            keys(f"producers[{i}]", row, ("rule", "producer", "result"), ("what", "is"))
            if ("what" in row) != bool(row.get("is")):
                raise Wrong(f"producers[{i}]: 'what' and 'is' belong together")
            if row["producer"] in decided:
                raise Wrong(f"producers[{i}]: a rule above fits all of '{row['producer']}'")
            if "what" not in row:
                decided.add(row["producer"])
        seen = set()
        for group, resources in t["groups"].items():
            for resource in resources:
                if resource in seen or resource != resource.lower():
                    raise Wrong(f"groups: '{resource}' is there already or not in lower case")
                seen.add(resource)

    def results(self, node, place):
        if isinstance(node, list):
            for i, inner in enumerate(node):
                yield from self.results(inner, f"{place}[{i}]")
        elif isinstance(node, dict):
            for key, inner in node.items():
                if key in ("result", "otherwise", "mutating", "internal", "audit") and isinstance(inner, str):
                    yield place, inner
                elif key not in ("categories", "kinds", "groups"):
                    yield from self.results(inner, f"{place}.{key}")


def text(value):
    return json.dumps(value, ensure_ascii=True)


def category(value):
    if not value:
        return "{}"
    return "{%s, %s}" % tuple(text(part) for part in value.split("/"))


class Inc:
    """The constants. Lists inside of rows are constants of their own, named by number."""

    def __init__(self, table):
        self.lines = ["// Made from schemas/classification.json; not to be edited.", ""]
        self.lists = 0
        t = table.t
        self.array("std::pair<std::string_view, std::span<const std::string_view>>", "kCategories", [
            [text(name), self.list(parts)] for name, parts in t["categories"].items()])
        self.array("StreamRule", "kStreams", [[text(r["category"]), text(r["stream"])] for r in t["streams"]])
        self.lines.append(f"constexpr std::string_view kDefaultStream = {text(t['default_stream'])};\n")
        self.array("RefusalRule", "kRefusals", [
            [self.list(r.get("contains", [])), "RefusalTest::" + TESTS.get(r.get("test"), "kNone"),
             category(r["result"]), category(r.get("mutating"))] for r in t["refusals"]])
        self.array("AnnotationRule", "kAnnotations", [
            [text(r.get("prefix", "")), text(r.get("suffix", "")), text(r.get("contains", "")),
             category(r["result"])] for r in t["annotations"]])
        self.array("ResourceRule", "kResources", [
            [text(r["group"]), text(r["resource"]), text(r["subresource"]), category(r["result"])]
            for r in t["resources"]])
        self.array("EventRule", "kEvents", [self.event(r) for r in t["events"]])
        self.array("ReasonRule", "kReasons", [
            [text(r["reason"]), text(r.get("kind", "")), category(r["result"])]
            for part in t["reasons"] for r in part["rules"]])
        self.array("SeverityRule", "kSeverities", [
            [text(r["reason"]), "Severity::k" + r["at_least"].capitalize()] for r in t["severities"]])
        self.array("ProducerRule", "kProducers", [
            [text(r["producer"]), text(r.get("what", "")), self.list(r.get("is", [])), category(r["result"])]
            for r in t["producers"]])
        self.array("std::pair<std::string_view, std::string_view>", "kGroups", [
            [text(resource), text(group)] for group, resources in t["groups"].items() for resource in resources])
        falco = t["falco"]
        self.lines.append("constexpr FalcoRule kFalco = {%s, %s, %s, %s};\n" % (
            category(falco["internal"]), self.list(falco["audit_words"]), category(falco["audit"]),
            category(falco["otherwise"])))
        self.array("std::pair<std::string_view, std::string_view>", "kKinds", [
            [text(k), text(v)] for k, v in t["kinds"].items()])

    def event(self, r):
        tests = [[text(m.get("also", "")), self.list(m["contains"]), str(bool(m.get("any_case"))).lower(),
                  category(m["result"])] for m in r.get("message", [])]
        return [self.list(r.get("reasons", [])), self.list(r.get("components", [])), self.list(r.get("groups", [])),
                self.list(r.get("kinds", [])), str(bool(r.get("refusal"))).lower(), text(r.get("until", "")),
                self.list(tests, "MessageTest"), category(r.get("otherwise"))]

    def list(self, items, kind="std::string_view"):
        if not items:
            return "{}"
        self.lists += 1
        rows = [text(i) if isinstance(i, str) else "{%s}" % ", ".join(i) for i in items]
        self.lines.append(f"constexpr {kind} kList{self.lists}[] = {{{', '.join(rows)}}};")
        return f"kList{self.lists}"

    def array(self, kind, name, rows):
        self.lines.append(f"constexpr {kind} {name}[] = {{")
        self.lines += ["    {%s}," % ", ".join(row) for row in rows]
        self.lines.append("};\n")


def code(value):
    return "`" + value.replace("|", "\\|") + "`"


def grid(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(row) + " |" for row in rows]


def or_any(value):
    return code(value) if value else "(core)"


def page_tables(t):
    refusals = []
    for r in t["refusals"]:
        what = [code(word) for word in r.get("contains", [])] + ([TOLD[r["test"]]] if "test" in r else [])
        result = r["result"]
        if "mutating" in r:
            result = f"{r['mutating']} if a `mutation.webhook.admission.k8s.io/` annotation names W, else {result}"
        refusals.append([r["rule"], ", ".join(what), result])
    annotations = []
    for r in t["annotations"]:
        key = f"`{r.get('prefix', '')}…`" if "suffix" not in r else f"`*{r['suffix']}/…`"
        annotations.append([r["rule"], key + (f" with {code(r['contains'])}" if "contains" in r else ""), r["result"]])
    resources = [[or_any(r["group"]), code(r["resource"]), code(r["subresource"]) if r["subresource"] else "",
                  r["result"]] for r in t["resources"]]
    events = []
    for r in t["events"]:
        what = []
        for key, told in (("reasons", "reason"), ("components", "component begins with"), ("groups", "group"),
                          ("kinds", "kind")):
            if key in r:
                what.append(f"{told} " + ", ".join(code(word) for word in r[key]))
        results = ["A3a to A3h on the message"] if r.get("refusal") else []
        for m in r.get("message", []):
            also = f"{code(m['also'])} and one of " if "also" in m else ""
            results.append(f"{also}{', '.join(code(word) for word in m['contains'])}"
                           f"{' (any case)' if m.get('any_case') else ''} → {m['result']}")
        if "otherwise" in r:
            results.append(r["otherwise"] if not results else "else " + r["otherwise"])
        elif results:
            results.append("else on")
        until = f", the message up to {code(r['until'])}" if "until" in r else ""
        events.append([r["rule"], "; ".join(what) + until, "; ".join(results)])
    reasons = [[part["of"], ", ".join(code(r["reason"]) + (f" ({r['kind']})" if "kind" in r else "")
                                      for r in part["rules"] if r["result"] == result), result]
               for part in t["reasons"] for result in dict.fromkeys(r["result"] for r in part["rules"])]
    severities = [[level, ", ".join(code(r["reason"]) for r in t["severities"] if r["at_least"] == level)]
                  for level in dict.fromkeys(r["at_least"] for r in t["severities"])]
    producers = [[r["rule"], code(r["producer"]), f"{r['what']} " + ", ".join(code(word) for word in r["is"])
                  if "what" in r else "all else", r["result"]] for r in t["producers"]]
    groups = [[code(group), ", ".join(code(resource) for resource in resources)]
              for group, resources in t["groups"].items()]
    streams = [[r["category"], code(r["stream"])] for r in t["streams"]] + [["none", code(t["default_stream"])]]
    return {
        "refusals": grid(("rule", "the message has", "result"), refusals),
        "annotations": grid(("rule", "annotation", "result"), annotations),
        "resources": grid(("group", "resource", "subresource", "result"), resources),
        "events": grid(("rule", "test", "result"), events),
        "reasons": grid(("of", "reason (for that kind only)", "result"), reasons),
        "severities": grid(("at least", "reason"), severities),
        "producers": grid(("rule", "producer", "test", "result"), producers),
        "groups": grid(("group", "resources"), groups),
        "streams": grid(("category", "stream"), streams),
    }


def page(table, path):
    tables = page_tables(table.t)
    used = []

    def anew(match):
        used.append(match[1])
        if match[1] not in tables:
            raise Wrong(f"{path}: there is no table '{match[1]}'")
        return f"<!-- table {match[1]} -->\n\n" + "\n".join(tables[match[1]]) + "\n\n<!-- end -->"

    out = re.sub(r"<!-- table (\w+) -->.*?<!-- end -->", anew, pathlib.Path(path).read_text("utf-8"), flags=re.S)
    if sorted(used) != sorted(tables):
        raise Wrong(f"{path}: each table has its place once: {', '.join(tables)}")
    return out


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("inc", "page"):
        raise Wrong(__doc__)
    what, source, other = arguments
    table = Table(source)
    if what == "page":
        sys.stdout.write(page(table, other))
        return
    made = "\n".join(Inc(table).lines)
    out = pathlib.Path(other)
    if not out.exists() or out.read_text("utf-8") != made:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(made, "utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Wrong, OSError, ValueError) as error:
        sys.exit(f"classification: {error}")
