package load

import (
	"fmt"
	"strings"
	"unicode"
)

// A naming is a pattern for the names of a service's methods on the wire, such as
// eth_methodName: what stands before and after the name, and the name's own style.
type naming struct {
	before, after string
	style         func(words []string) string // nil for the name as it is in Go
}

// placeholders stand in a pattern for the name of a method, in its style.
var placeholders = []struct {
	text  string
	style func(words []string) string
}{
	{"MethodName", nil},
	{"methodName", camel},
	{"method_name", func(words []string) string { return strings.ToLower(strings.Join(words, "_")) }},
	{"method-name", func(words []string) string { return strings.ToLower(strings.Join(words, "-")) }},
	{"methodname", func(words []string) string { return strings.ToLower(strings.Join(words, "")) }},
}

// parseNaming reads a pattern.
func parseNaming(pattern string) (*naming, error) {
	for _, p := range placeholders {
		before, after, ok := strings.Cut(pattern, p.text)
		if !ok {
			continue
		}
		if err := checkMethodName(before + "x" + after); err != nil {
			return nil, err
		}
		return &naming{before, after, p.style}, nil
	}
	return nil, fmt.Errorf("the pattern %q has no place for the name of a method: write it as methodName, MethodName, method_name, method-name or methodname, such as names=eth_methodName", pattern)
}

// MethodName returns the name on the wire of a method under a pattern, or an empty one
// where that is no pattern.
func MethodName(pattern, method string) string {
	n, err := parseNaming(pattern)
	if err != nil {
		return ""
	}
	return n.apply(method)
}

// apply returns the name on the wire of a method.
func (n *naming) apply(method string) string {
	if n.style != nil {
		method = n.style(words(method))
	}
	return n.before + method + n.after
}

// camel joins words as in getBlockByHash. Initialisms are words: ChainID is chainId.
func camel(words []string) string {
	var b strings.Builder
	for i, w := range words {
		w = strings.ToLower(w)
		if i > 0 {
			w = title(w)
		}
		b.WriteString(w)
	}
	return b.String()
}

func title(word string) string {
	r := []rune(word)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

// words splits a Go name where a word begins: at an upper-case letter behind one that is
// not, and at the last upper-case letter before a lower-case one, as in HTTP|Server.
// Digits belong to the word before them.
func words(name string) (out []string) {
	r := []rune(name)
	from := 0
	for i := 1; i < len(r); i++ {
		switch {
		case r[i] == '_':
			out = append(out, string(r[from:i]))
			from = i + 1
		case from < i && unicode.IsUpper(r[i]) && (!unicode.IsUpper(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])):
			out = append(out, string(r[from:i]))
			from = i
		}
	}
	if from < len(r) {
		out = append(out, string(r[from:]))
	}
	return out
}
