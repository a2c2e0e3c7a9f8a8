package load

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/model"
)

// TestRefusals is what is said of single declarations.
func TestRefusals(t *testing.T) {
	const header = `package p

import (
	"go/ast"
	"iter"
	"net/http"
	v1 "text/template"
	. "io"
)

var (
	_ ast.Node
	_ http.Client
	_ iter.Seq[int]
	_ v1.Template
	_ Reader
)

`
	cases := []struct{ name, source, want string }{
		{"names are not taken twice", "//wirecall:service\ntype S interface{ M(_ int, arg0, Arg1, arg_1 int) error; N() (_ int, r0 string, err error) }", ""},
		{"an alias", "type Gen[T any] interface{ Get() (T, error) }\n//wirecall:service\ntype S = Gen[int]",
			"//wirecall:service belongs above an interface; S is an alias: write type S interface{ Gen[int] }"},
		{"an alias as was written", "//wirecall:service\ntype S interface{ Gen[int] }\ntype Gen[T any] interface{ Get() (T, error) }", ""},
		{"a generic interface", "//wirecall:service\ntype Gen[K ~int64|uint8, V any] interface{ Get(K) (V, error) }",
			"Gen: a generic interface cannot be a service: mark one that embeds an instance, such as type MyGen interface{ Gen[int64, string] }"},
		{"an instance as was written", "type Gen[K ~int64|uint8, V any] interface{ Get(K) (V, error) }\n//wirecall:service\ntype MyGen interface{ Gen[int64, string] }", ""},
		{"options", "type opts struct{ N int }\n//wirecall:service\ntype S interface{ O(o ...func(*opts)) error }",
			"S.O: parameter o: func(*opts) cannot cross the wire; take what the options set, opts"},
		{"options that cannot be set", "type opts struct{ F func() }\n//wirecall:service\ntype S interface{ O(o ...func(*opts)) error }",
			"S.O: parameter o: func(*opts) cannot cross the wire; take a struct of the options"},
		{"a callback", "type event struct{ N int }\n//wirecall:service\ntype S interface{ O(o func(*event)) error }",
			"S.O: parameter o: func(*event) cannot cross the wire; to be called back, declare a service that the caller serves"},
		{"an interface of another module", "//wirecall:service\ntype S interface{ ast.Node }",
			"S.Pos: a call can fail: declare what is to cross in an interface of your own, for ast.Node is of another module (and so for 1 more)"},
		{"signatures of another module", "//wirecall:service\ntype S interface{ http.RoundTripper }",
			"S.RoundTrip: field Request.Body: ReadCloser, and 3 more cannot cross the wire: declare what is to cross in an interface of your own, for http.RoundTripper is of another module"},
		{"the name of an import", "//wirecall:service\ntype S interface{ M(t *v1.Template, w Writer) error }",
			"use a type of your own in place of v1.Template"},
		{"a dot import", "//wirecall:service\ntype S interface{ M(w Writer) error }",
			"S.M: parameter w: Writer cannot cross the wire; return iter.Seq2[[]byte, error], for it flows to the caller"},
		{"channels of themselves", "type C chan C\n//wirecall:service\ntype S interface{ M() (C, error) }",
			"S.M: C cannot cross the wire; return iter.Seq2[[]any, error]"},
		{"functions of themselves", "type F func(yield func(F, error) bool)\n//wirecall:service\ntype S interface{ M() (F, error) }",
			"S.M: F cannot cross the wire; return iter.Seq2[[]any, error]"},
		{"items that are refused themselves", "type T struct{ E error }\n//wirecall:service\ntype S interface{ M() (chan []*T, error) }",
			"S.M: chan []*T cannot cross the wire; return iter.Seq2[[]*T, error]\nS.M: field T.E: error cannot cross the wire; use string, for its text"},
	}
	sources := map[string]string{}
	for i, c := range cases {
		sources[fmt.Sprintf("c%d/p.go", i)] = header + c.source
	}
	byFile := map[string]model.Problems{}
	for _, p := range problems(t, sources) {
		byFile[p.Pos.File] = append(byFile[p.Pos.File], p)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var texts []string
			for _, p := range byFile[fmt.Sprintf("c%d/p.go", i)].Sorted() {
				texts = append(texts, p.Text)
			}
			got := strings.Join(texts, "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("refused is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestFactsAreCounted holds that what is wrong in many places is said once.
func TestFactsAreCounted(t *testing.T) {
	var text strings.Builder
	text.WriteString("package p\n\nimport \"net/http\"\n\n//wirecall:service\ntype S interface {\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "M%d(c chan int, h *http.Client) complex128\n", i)
	}
	var got []string
	for _, p := range problems(t, map[string]string{"p.go": text.String() + "}\n"}).Sorted() {
		got = append(got, p.String())
	}
	want := []string{
		"p.go:7:1: S.M0: parameter c: chan int cannot cross the wire; take iter.Seq2[int, error] (and so for 999 more)",
		"p.go:7:1: S.M0: parameter h: http.Client cannot cross the wire (field Client.Transport: http.RoundTripper, and 2 more); " +
			"use a type of your own in place of http.Client, with what is to cross or with MarshalJSON and UnmarshalJSON (and so for 999 more)",
		"p.go:7:1: S.M0: complex128 cannot cross the wire; use [2]float64 (and so for 999 more)",
		"p.go:7:1: S.M0: a call can fail: add an error as the last result (only a method whose results are all streams may do without, for they can yield it) (and so for 999 more)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
