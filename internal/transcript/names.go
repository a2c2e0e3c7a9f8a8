package transcript

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
)

// placeholder matches «name», «name:kind» and «:kind».
var placeholder = regexp.MustCompile(`«([a-z][a-z0-9]*)?(?::([a-z]+))?»`)

// kinds are the texts that a placeholder of a kind stands for; without a kind it is a
// word.
var kinds = map[string]string{
	"":     `[\w.-]+`,
	"time": `\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)`,
	"uuid": `[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`,
	"any":  `(?s:.*)`,
}

var kindOf = map[string]*regexp.Regexp{}

func init() {
	for kind, text := range kinds {
		kindOf[kind] = regexp.MustCompile("^(?:" + text + ")$")
	}
}

// Is reports whether text is of a kind: time (RFC 3339), uuid, any, or "" for a word.
func Is(kind, text string) bool { return kindOf[kind] != nil && kindOf[kind].MatchString(text) }

// Names holds what stands for the names of a conversation. The first text that is
// received for a name is bound to it.
type Names map[string]string

// Fill replaces the names in text that are bound.
func (n Names) Fill(text string) string {
	return n.replace(text, func(bound string) string { return bound })
}

// replace replaces the names in text that are bound by what encode returns for their
// text.
func (n Names) replace(text string, encode func(string) string) string {
	if !strings.Contains(text, "«") {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(s string) string {
		if bound, ok := n[placeholder.FindStringSubmatch(s)[1]]; ok {
			return encode(bound)
		}
		return s
	})
}

// Match reports whether got is want, and binds the names of want that are not bound. If
// got is another text, nothing is bound.
func (n Names) Match(want, got string) bool {
	want = n.Fill(want)
	if unmarked(want) == got {
		return true
	}
	places := placeholder.FindAllStringSubmatchIndex(want, -1)
	if places == nil {
		return false
	}
	pattern, at, names := "^", 0, []string(nil)
	for _, p := range places {
		kind, ok := kinds[group(want, p, 2)]
		if !ok {
			return false
		}
		pattern += regexp.QuoteMeta(unmarked(want[at:p[0]])) + "(" + kind + ")"
		at, names = p[1], append(names, group(want, p, 1))
	}
	m := regexp.MustCompile(pattern + regexp.QuoteMeta(unmarked(want[at:])) + "$").FindStringSubmatch(got)
	if m == nil {
		return false
	}
	return n.bind(names, m[1:])
}

func unmarked(text string) string { return strings.ReplaceAll(text, literal, "«") }

func group(text string, place []int, i int) string {
	if place[2*i] < 0 {
		return ""
	}
	return text[place[2*i]:place[2*i+1]]
}

// bind binds names to texts, unless one name would have two.
func (n Names) bind(names, texts []string) bool {
	learned := Names{}
	for i, name := range names {
		if had, ok := learned[name]; ok && name != "" && had != texts[i] {
			return false
		}
		learned[name] = texts[i]
	}
	for name, text := range learned {
		if name != "" {
			n[name] = text
		}
	}
	return true
}

// Sent returns a line of JSON as it is sent. A name that is not bound is bound to a text
// that depends on the name alone.
func (n Names) Sent(line string) string {
	for _, m := range placeholder.FindAllStringSubmatch(line, -1) {
		if _, ok := n[m[1]]; !ok && kinds[m[2]] != "" {
			n[m[1]] = invented(m[1], m[2])
		}
	}
	return n.replace(line, func(text string) string {
		quoted, _ := json.Marshal(text)
		return string(quoted[1 : len(quoted)-1])
	})
}

func invented(name, kind string) string {
	switch kind {
	case "time":
		return "2000-01-01T00:00:00Z"
	case "uuid":
		h := fnv.New32a()
		h.Write([]byte(name))
		return fmt.Sprintf("00000000-0000-4000-8000-0000%08x", h.Sum32())
	}
	return "any" + name
}
