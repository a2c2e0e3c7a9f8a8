package load

import (
	"fmt"
	"go/parser"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/model"
)

// remedyTypes are types that cannot cross the wire, or not everywhere. Own is
// declared in the package.
var remedyTypes = []string{
	"chan int", "<-chan error", "chan<- int", "chan<- error", "chan struct{}", "chan chan int", "chan []chan error", "chan complex128", "chan func()", "<-chan io.Reader",
	"chan unsafe.Pointer", "chan map[any]error", "chan *Own", "chan any", "chan [2]error", "chan []byte",
	"iter.Seq[int]", "iter.Seq[error]", "iter.Seq2[string, int]", "iter.Seq2[error, error]", "iter.Seq2[chan int, error]", "iter.Seq2[int, error]", "Items", "Bag[error]",
	"func(yield func(int, error) bool)", "func(yield func(error, error) bool)",
	"io.Reader", "io.ReadCloser", "io.Writer", "io.WriteCloser", "io.ReadWriter", "net.Conn", "fs.File",
	"error", "Failure", "fmt.Stringer", "interface{ Area() float64 }", "Shape", "json.Marshaler",
	"complex64", "complex128", "Phase", "unsafe.Pointer", "context.Context",
	"func()", "func(*Own)", "func(*Own) error", "func(*hidden)", "Option", "Hook", "func(Own)",
	"map[any]int", "map[bool]error", "map[float64]string", "map[Point]int", "map[*int]int",
	"http.Client", "*http.Client", "[]*http.Client", "map[string]http.Client", "ast.Node", "token.FileSet", "template.Template",
	"struct{ C chan error }", "struct{ R io.Reader; W io.Writer }",
}

// remedyPositions are the places in which a type may stand: declarations, and the
// method. T is the type.
var remedyPositions = []struct{ decl, method string }{
	{"", "M(p T) error"},
	{"", "M() (T, error)"},
	{"", "M() (r T, n int, err error)"},
	{"", "M(p []T) error"},
	{"", "M(p ...T) error"},
	{"", "M() (map[string]T, error)"},
	{"", "M() (*T, error)"},
	{"", "M(p iter.Seq2[T, error]) error"},
	{"", "M() (iter.Seq2[[]T, error], error)"},
	{"type S# struct{ F T }", "M(p S#) error"},
	{"type S# struct{ F []T }", "M() (iter.Seq2[S#, error], error)"},
	{"type S# struct{ F map[string]*T }", "M(p []S#) error"},
	{"type N# []T", "M(p N#) error"},
	{"type A# = T", "M(p A#) error"},
	{"type B# = []T", "M(p B#) error"},
}

const remedyFile = `package p

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"text/template"
	"unsafe"
)

var (
	_ context.Context; _ json.Number; _ fmt.Stringer; _ ast.Node; _ token.Token; _ io.Reader; _ fs.File; _ iter.Seq[int]; _ net.Conn; _ http.Client; _ template.Template; _ unsafe.Pointer
)

type (
	Own     struct{ N int }
	hidden  struct{ C int }
	Failure error
	Shape   interface{ Area() float64 }
	Phase   complex128
	Option  func(*hidden)
	Hook    func(Own) error
	Items   iter.Seq2[int, error]
	Point   struct{ X, Y int }

	Bag[T any]    = iter.Seq2[T, error]
	Mine          struct{ N int } // in place of a type of another module
)
`

// A remedyCase is one type in one position.
type remedyCase struct{ typ, decl, method string }

func (c *remedyCase) String() string { return c.decl + "; " + c.method + "; T is " + c.typ }

var theType = regexp.MustCompile(`\bT\b`)

// source is the declarations of the case, which has the number i.
func (c *remedyCase) source(i int) string {
	typ := c.typ
	if strings.Contains(typ, "chan") {
		typ = "(" + typ + ")" // []<-chan int is no type
	}
	text := fmt.Sprintf("\n%s\n\n//wirecall:service\ntype I# interface{ %s }\n", c.decl, c.method)
	return strings.ReplaceAll(theType.ReplaceAllLiteralString(text, typ), "#", fmt.Sprint(i))
}

var (
	refusedType = regexp.MustCompile(`^I\d+\.M: (?:(?:parameter|result) \w+: )?(?:field [\w.]+: )?(.+?)(?: cannot cross the wire| cannot say that it failed|: a stream stands)`)
	refusedKey  = regexp.MustCompile(`a map with keys of type (.+?) cannot cross the wire, .*; use a string or integer type`)
)

// apply does what a problem says is to be done about a case, and returns what was
// written instead.
func (c *remedyCase) apply(t *testing.T, i int, problem string) (written string) {
	t.Helper()
	_, advice, _ := strings.Cut(problem, "; ")
	m := refusedType.FindStringSubmatch(problem)
	if key := refusedKey.FindStringSubmatch(problem); key != nil {
		c.typ = strings.Replace(c.typ, "map["+key[1]+"]", "map[string]", 1)
		return "string"
	}
	if strings.Contains(problem, " is no ordinary ") {
		c.typ = "Mine"
		return c.typ
	}
	if m == nil && !strings.Contains(problem, "must be able to fail") {
		t.Fatalf("a problem of an unknown form: %s", problem)
	}
	written = goType(advice)
	switch {
	case strings.Contains(problem, "a stream must be able to fail"):
		_, advice, _ = strings.Cut(problem, "must be able to fail: ")
		written = goType(advice)
		m = []string{"", c.typ}
	case strings.Contains(problem, "a stream stands only"):
		_, advice, _ = strings.Cut(problem, "of its own: ")
		written = goType(advice)
	case strings.HasPrefix(advice, "use a type of your own in place of "):
		written = "Mine"
	case strings.HasPrefix(advice, "take what the options set, "):
		written = strings.TrimPrefix(advice, "take what the options set, ")
		written, _, _ = strings.Cut(written, ", or leave")
		c.method = strings.Replace(c.method, "...T", "T", 1)
	case strings.HasPrefix(advice, "take a struct of the options"), strings.HasPrefix(advice, "use what it points to"),
		strings.HasPrefix(advice, "to be called back, "), strings.HasPrefix(advice, "leave "):
		written = "Mine"
	case strings.Contains(advice, ", for it flows to the caller"):
		c.method = strings.Replace(c.method, "M(p T) error", "M() (T, error)", 1)
	case strings.Contains(advice, " as a parameter, for it flows from the caller"):
		c.method = strings.NewReplacer("M() (T, error)", "M(p T) error", "M() (r T, n int, err error)", "M(p T) (n int, err error)").Replace(c.method)
	}
	refused := m[1]
	named := regexp.MustCompile(`\b[A-Z]#`)
	switch {
	case strings.Contains(c.typ, refused):
		c.typ = strings.Replace(c.typ, refused, written, 1)
	case named.MatchString(c.method) && strings.HasSuffix(refused, fmt.Sprint(i)): // the alias or the type that the case declares
		c.method = named.ReplaceAllLiteralString(c.method, written)
	default:
		c.typ = written
	}
	return written
}

// goType is the type that advice begins with, behind a verb.
func goType(advice string) (found string) {
	_, advice, _ = strings.Cut(advice, " ") // return, take or use
	for i := range len(advice) + 1 {
		if i < len(advice) && !strings.ContainsRune(" ,(", rune(advice[i])) {
			continue
		}
		if _, err := parser.ParseExpr(advice[:i]); err == nil {
			found = advice[:i]
		}
	}
	return found
}

const tag = "`json:\"-\"`"

// TestRemediesAreAccepted puts every type that is refused in every position, does
// what the problem says is to be done, and finds that accepted.
func TestRemediesAreAccepted(t *testing.T) {
	var cases []*remedyCase
	for _, typ := range remedyTypes {
		for _, p := range remedyPositions {
			cases = append(cases, &remedyCase{typ, p.decl, p.method})
		}
	}
	written := make([]string, len(cases))
	refused := 0
	for range 4 {
		for i, problem := range refusals(t, cases) {
			refused++
			if m := refusedType.FindStringSubmatch(problem); m != nil && written[i] == m[1] {
				t.Errorf("%v: the remedy was refused: %s", cases[i], problem)
				cases[i].typ = "int"
			}
			written[i] = cases[i].apply(t, i, problem)
		}
	}
	for i, problem := range refusals(t, cases) {
		t.Errorf("%v: still refused: %s", cases[i], problem)
	}
	if refused < len(cases)*3/4 {
		t.Errorf("%d of %d are refused", refused, len(cases))
	}
}

// TestTagsLeaveFieldsOut holds the other remedy, for fields.
func TestTagsLeaveFieldsOut(t *testing.T) {
	var cases []*remedyCase
	for _, typ := range remedyTypes {
		cases = append(cases, &remedyCase{typ, "type S# struct{ F T " + tag + "; G int }", "M(p S#) error"})
	}
	for i, problem := range refusals(t, cases) {
		t.Errorf("%v: refused: %s", cases[i], problem)
	}
}

// refusals loads the cases as one package, and returns the first problem of each
// that is refused.
func refusals(t *testing.T, cases []*remedyCase) map[int]string {
	t.Helper()
	var text strings.Builder
	text.WriteString(remedyFile)
	for i, c := range cases {
		text.WriteString(c.source(i))
	}
	out := map[int]string{}
	for _, p := range problems(t, map[string]string{"p.go": text.String()}) {
		var i int
		if _, err := fmt.Sscanf(p.Text, "I%d.M:", &i); err != nil {
			t.Fatalf("a problem of no case: %v", p)
		}
		if out[i] == "" {
			out[i] = p.Text
		}
	}
	return out
}

// problems is what is refused of the packages of a module.
func problems(t *testing.T, files map[string]string) model.Problems {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/p\n\ngo 1.26.0\n")
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	_, found, err := load(t.Context(), Config{Dir: dir, Env: append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off"), Patterns: []string{"./..."}})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
