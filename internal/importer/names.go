package importer

import (
	"fmt"
	"go/token"
	"strings"
	"unicode"
)

// A scope is identifiers that are taken.
type scope map[string]bool

// take returns name, with a number behind it if it is taken.
func (s scope) take(name string) string {
	out := name
	for n := 2; s[out]; n++ {
		out = fmt.Sprint(name, n)
	}
	s[out] = true
	return out
}

// initialisms are words that Go has in capitals.
var initialisms = map[string]string{
	"api": "API", "http": "HTTP", "https": "HTTPS", "id": "ID", "ip": "IP", "json": "JSON", "rpc": "RPC",
	"ui": "UI", "uri": "URI", "url": "URL", "uuid": "UUID", "xml": "XML",
}

// words is the parts of a name, which begin behind what is no letter or digit and at a
// capital behind a small letter.
func words(name string) (out []string) {
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, string(word))
		}
		word = nil
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			continue
		}
		if unicode.IsUpper(r) && len(word) > 0 && !unicode.IsUpper(word[len(word)-1]) {
			flush()
		}
		word = append(word, r)
	}
	flush()
	return out
}

// exported is a name as an exported identifier.
func exported(name string) string {
	var b strings.Builder
	for _, w := range words(name) {
		if in, ok := initialisms[strings.ToLower(w)]; ok {
			w = in
		}
		r := []rune(w)
		r[0] = unicode.ToUpper(r[0])
		b.WriteString(string(r))
	}
	if out := b.String(); token.IsExported(out) {
		return out
	}
	return "X" + b.String()
}

// local is a name as an identifier of a parameter.
func local(name string) string {
	r := []rune(exported(name))
	for i := range r {
		if i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) || !unicode.IsUpper(r[i]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	if out := string(r); token.IsIdentifier(out) {
		return out
	}
	return string(r) + "_"
}

// short is the first words of a text, as a name.
func short(text string, n int) string {
	all := words(text)
	return strings.Join(all[:min(n, len(all))], " ")
}
