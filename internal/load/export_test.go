package load

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/internal/model"
)

const exportFile = `package p

import (
	"debug/elf"
	"debug/pe"
	"encoding/json"
	"go/token"
	"io"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

//wirecall:service
type S interface {
	io.Closer
	io.StringWriter
	Token(t token.Position, u *url.URL, a netip.Addr) (time.Duration, error)
	Values(url.Values, json.RawMessage, json.Number, time.Time, []module.Version) (map[string]modfile.Retract, error)
	File(*modfile.Exclude) (modfile.Position, error)
	Other(Text) (Alias[int], error)
	Arrays(elf.Header64, elf.Header32, netip.AddrPort) (pe.FileHeader, pe.OptionalHeader64, error)
}

type Text [token.HighestPrec]int

type Alias[T any] = struct{ V module.Version; T T }
`

// TestCompilerAndSourceAgree loads a package with what the compiler says of other
// modules, with paths trimmed or not, and from source alone.
func TestCompilerAndSourceAgree(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod := read(t, filepath.Join(root, "go.mod"))
	write(t, filepath.Join(dir, "go.mod"), strings.Replace(mod, "module github.com/wirecall/wirecall", "module example.com/p", 1))
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "go.sum")))
	write(t, filepath.Join(dir, "p.go"), exportFile)
	elsewhere := "arm64" // for which nothing is compiled
	if runtime.GOARCH == elsewhere {
		elsewhere = "amd64"
	}
	var all []*model.Package
	for _, how := range []struct{ flags, arch string }{{"", ""}, {"-trimpath", ""}, {"", elsewhere}} {
		env := append(os.Environ(), "GOFLAGS=-mod=mod "+how.flags, "GOWORK=off")
		if how.arch != "" {
			env = append(env, "GOARCH="+how.arch)
		}
		outs, problems, err := load(t.Context(), Config{Dir: dir, Env: env, Patterns: []string{"."}})
		if err != nil || len(problems) > 0 || len(outs) != 1 {
			t.Fatal(err, problems)
		}
		all = append(all, outs[0].Package)
	}
	for _, p := range all[1:] {
		if !reflect.DeepEqual(p, all[0]) {
			t.Errorf("one is\n%s\nand another\n%s", all[0].Dump(), p.Dump())
		}
	}
	for _, doc := range []string{"# A Version (for clients, a module.Version)", "# A Position describes"} {
		if !strings.Contains(all[0].Dump(), doc) {
			t.Errorf("there is no %q in\n%s", doc, all[0].Dump())
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
