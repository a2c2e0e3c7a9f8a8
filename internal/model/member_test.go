package model

import (
	"strings"
	"testing"
)

// TestMembers is which fields encoding/json takes where embedded structs have several of
// one name. A word is a field, one with a ! has its name from a tag, one in capitals embeds
// the struct of that name, and with a * a pointer to it.
func TestMembers(t *testing.T) {
	for _, tt := range []struct{ name, structs, want string }{
		{"in order", "S: a B c; B: d e", "a B.d B.e c"},
		{"the least deep", "S: B a; B: a b", "B.b a"},
		{"two of one depth hide each other", "S: B C d; B: a b; C: a c", "B.b C.c d"},
		{"of which one with a tag is taken", "S: B C; B: a; C: a!", "C.a"},
		{"unless both have one", "S: B C d; B: a!; C: a!", "d"},
		{"deeper ones stay hidden", "S: B C D; B: a; C: a; D: E; E: a", ""},
		{"a struct embedded twice hides itself", "S: B C d; B: D; C: D; D: a", "d"},
		{"but not where one is less deep", "S: B D; B: D; D: a", "D.a"},
		{"a struct that embeds itself", "S: a *S", "a"},
		{"what a pointer leads to may be missing", "S: *B; B: a", "B.a?"},
	} {
		if got := describe(structs(tt.structs)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// structs is the structs that a text describes, by name.
func structs(text string) map[string]*Type {
	all := map[string]*Type{}
	for s := range strings.SplitSeq(text, "; ") {
		name, fields, _ := strings.Cut(s, ": ")
		all[name] = &Type{Kind: Struct}
		for word := range strings.FieldsSeq(fields) {
			all[name].Fields = append(all[name].Fields, fieldOf(word))
		}
	}
	return all
}

func fieldOf(word string) *Field {
	name := strings.Trim(word, "*!")
	f := &Field{Name: name, Type: &Type{Kind: Named, Name: name}, Tagged: strings.HasSuffix(word, "!")}
	if f.Flat = name == strings.ToUpper(name); !f.Flat {
		f.Wire = name
	}
	if word[0] == '*' {
		f.Type = &Type{Kind: Pointer, Elem: f.Type}
	}
	return f
}

func describe(all map[string]*Type) string {
	members, _ := Members(all["S"], func(t *Type) *Type {
		if t.Kind == Pointer {
			t = t.Elem
		}
		return all[t.Name]
	})
	var out []string
	for _, m := range members {
		var path []string
		for _, f := range m.Path {
			path = append(path, f.Name)
		}
		s := strings.Join(path, ".")
		if m.Optional() {
			s += "?"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}
