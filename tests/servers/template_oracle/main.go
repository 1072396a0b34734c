// Real Go templates for the tests of ours: renders templates with text/template and sprig, and says
// what came out. `template_oracle tables` prints forward/template/unicode_tables.inc instead,
// `template_oracle version` which Go it was built with.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/Masterminds/sprig/v3"
)

// From stdin: every template is rendered with every event.
type request struct {
	Dialect   string
	Now       time.Time
	Templates []string
	Events    []json.RawMessage
}

// To stdout: one list a template, one entry an event.
type answer struct {
	Output string `json:"output"` // in hex digits, for it need not be UTF-8
	Error  string `json:"error"`  // empty: it went well
}

// What the product offers of sprig, under sprig's own names.
var offered = strings.Fields(`abbrev add b64enc coalesce date default dict div empty first
	get has hasKey indent int int64 keys last list lower mul nindent quote regexMatch
	regexReplaceAll sha256sum splitList squote sub ternary title toJson toPrettyJson toString trim
	trunc upper`)

// What the two dialects do not have in common.
var swapped = strings.Fields(`contains hasPrefix hasSuffix trimPrefix trimSuffix replace split join slice`)

func functions(dialect string, now time.Time) template.FuncMap {
	all := sprig.TxtFuncMap()
	some := template.FuncMap{
		"now":      func() time.Time { return now },
		"truncate": all["trunc"],
	}
	for _, name := range offered {
		some[name] = all[name]
	}
	if dialect == "sprig" {
		for _, name := range swapped {
			some[name] = all[name]
		}
		return some
	}
	some["contains"] = strings.Contains
	some["hasPrefix"] = strings.HasPrefix
	some["hasSuffix"] = strings.HasSuffix
	some["trimPrefix"] = strings.TrimPrefix
	some["trimSuffix"] = strings.TrimSuffix
	some["replace"] = strings.ReplaceAll
	some["split"] = strings.Split
	join := all["join"].(func(string, any) string)
	some["join"] = func(list any, separator string) string { return join(separator, list) }
	return some
}

func render(text string, data any, funcs template.FuncMap) answer {
	parsed, err := template.New("t").Funcs(funcs).Parse(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Output: hex.EncodeToString(out.Bytes())}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "tables" {
		tables()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println(runtime.Version())
		return
	}
	time.Local = time.UTC
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	funcs := functions(asked.Dialect, asked.Now)
	answers := make([][]answer, 0, len(asked.Templates))
	for _, text := range asked.Templates {
		var row []answer
		for _, event := range asked.Events {
			var data any
			if err := json.Unmarshal(event, &data); err != nil {
				log.Fatal(err)
			}
			row = append(row, render(text, data, funcs))
		}
		answers = append(answers, row)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

// Pairs of first and last code point for which `is` holds.
func ranges(name string, is func(rune) bool) {
	fmt.Printf("constexpr Range %s[] = {\n", name)
	line := ""
	for first := rune(0); first <= unicode.MaxRune; first++ {
		if !is(first) {
			continue
		}
		last := first
		for last < unicode.MaxRune && is(last+1) {
			last++
		}
		put(&line, fmt.Sprintf("{0x%x, 0x%x},", first, last))
		first = last
	}
	fmt.Printf("    %s\n};\n", line)
}

// Runs of code points that a mapping moves by the same distance; in some only every second one.
func cases(name string, to func(rune) rune) {
	fmt.Printf("constexpr CaseRun %s[] = {\n", name)
	line := ""
	for first := rune(0); first <= unicode.MaxRune; first++ {
		delta := to(first) - first
		if delta == 0 {
			continue
		}
		step := rune(1)
		if to(first+1)-(first+1) != delta && to(first+2)-(first+2) == delta {
			step = 2
		}
		last := first
		for to(last+step)-(last+step) == delta {
			if step == 2 && to(last+1) != last+1 {
				break
			}
			last += step
		}
		put(&line, fmt.Sprintf("{0x%x, 0x%x, %d, %d},", first, last, step, delta))
		first = last
	}
	fmt.Printf("    %s\n};\n", line)
}

func put(line *string, entry string) {
	if *line != "" && len(*line)+len(entry)+5 > 100 {
		fmt.Printf("    %s\n", *line)
		*line = ""
	}
	if *line != "" {
		*line += " "
	}
	*line += entry
}

func tables() {
	fmt.Printf("// Unicode %s as Go knows it. Made by `tests/servers/template_oracle.sh tables`; not for editing.\n",
		unicode.Version)
	fmt.Println("// clang-format off")
	ranges("kLettersAndDigits", func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	ranges("kPrintable", strconv.IsPrint)
	cases("kUpper", unicode.ToUpper)
	cases("kLower", unicode.ToLower)
	cases("kTitle", unicode.ToTitle)
	fmt.Println("// clang-format on")
}
