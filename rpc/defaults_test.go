package rpc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/session"
)

// The defaults that three places state are those of the code.
func TestDefaultsAreAsDocumented(t *testing.T) {
	limits := written(Limits{}.withDefaults())
	sessions := written(SessionOptions{}.withDefaults())
	page, _ := section(t, "../docs/limits.md", "\n## Memory\n")
	page, _, _ = strings.Cut(page, "\n## Memory\n")
	all, security := section(t, "../SECURITY.md", "\n## Limits\n")
	perConnection, waiting, _ := strings.Cut(security, "rpc.SessionOptions")
	for where, told := range map[string]map[string]string{
		"docs/limits.md": table(page),
		"SECURITY.md":    table(perConnection),
		"limits.go":      comments(t, "limits.go", "Limits", limits),
	} {
		agree(t, where, limits, told)
	}
	agree(t, "SECURITY.md", sessions, table(waiting))
	agree(t, "sessions.go", sessions, comments(t, "sessions.go", "SessionOptions", sessions))
	if !strings.Contains(all, "22 MiB") || worst(Limits{}.withDefaults())>>20 != 22 {
		t.Errorf("a connection holds %d bytes at worst, which SECURITY.md does not say", worst(Limits{}.withDefaults()))
	}
}

// worst is how much a connection may hold, roughly.
func worst(l Limits) int {
	return l.BufferedBytes + l.MessageBytes + 2*l.SendQueueBytes + l.MessageBytes + session.ItemsSize + l.NotificationBytes + l.ReplayBytes
}

func agree(t *testing.T, where string, want, told map[string]string) {
	t.Helper()
	for name, d := range want {
		if told[name] != d {
			t.Errorf("%s: the default of %s is %q, want %s", where, name, told[name], d)
		}
	}
}

// written is how documents write the numbers of a struct.
func written(v any) map[string]string {
	said := map[string]string{}
	for f, v := range reflect.ValueOf(v).Fields() {
		switch v := v.Interface().(type) {
		case time.Duration:
			if said[f.Name] = fmt.Sprintf("%d s", v/time.Second); v > time.Minute {
				said[f.Name] = fmt.Sprintf("%d min", v/time.Minute)
			}
		case int:
			switch {
			case v >= 1<<20 && v%(1<<20) == 0:
				said[f.Name] = fmt.Sprintf("%d MiB", v>>20)
			case strings.HasSuffix(f.Name, "Bytes") && v%(1<<10) == 0:
				said[f.Name] = fmt.Sprintf("%d KiB", v>>10)
			case v >= 1000:
				said[f.Name] = fmt.Sprintf("%d,%03d", v/1000, v%1000)
			default:
				said[f.Name] = fmt.Sprint(v)
			}
		}
	}
	return said
}

// section returns a file, and what is in it from a heading to the next.
func section(t *testing.T, file, heading string) (all, part string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ = strings.Cut(string(b), heading)
	part, _, _ = strings.Cut(part, "\n## ")
	return string(b), part
}

var (
	row      = regexp.MustCompile("(?m)^\\| (`.*?`) \\| (.*?) \\|")
	quantity = regexp.MustCompile(`^[0-9,]+( MiB| KiB| s| min)?`)
)

// table is what the first column of a table names, and the second column says of
// each.
func table(text string) map[string]string {
	told := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		cells := strings.Split(m[2], ", ")
		for i, name := range strings.Split(m[1], ", ") {
			if i < len(cells) {
				told[strings.Trim(name, "`")] = quantity.FindString(cells[i])
			}
		}
	}
	return told
}

// comments is which of the fields of a struct have comments that say what is
// wanted of them. A field without one is spoken of by the one before.
func comments(t *testing.T, file, name string, want map[string]string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var fields []*ast.Field
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == name {
			fields = spec.Type.(*ast.StructType).Fields.List
		}
		return true
	})
	said, told := "", map[string]string{}
	for _, field := range fields {
		if field.Doc != nil {
			said = strings.Join(strings.Fields(field.Doc.Text()), " ")
			_, said, _ = strings.Cut(said, " default")
			said = strings.ReplaceAll(said, "2 minutes", "2 min")
		}
		if name := field.Names[0].Name; regexp.MustCompile(`\b` + want[name] + `\b`).MatchString(said) {
			told[name] = want[name]
		}
	}
	return told
}
