// Package internal_test holds the code against the picture of how it is cut:
//
//	cmd/wirecall -> internal/load, internal/emit/* -> internal/model; cmd/wirecall -> internal/importer, typescript
//	cmd/wirecall, rpc/inspector -> internal/inspect -> internal/transport
//	cmd/wirecall -> internal/loadgen -> internal/dynamic
//	cmd/wirecall -> internal/dynamic, internal/connect -> rpc; internal/dynamic, internal/compat -> internal/openrpc
//	cmd/wirecall -> internal/record -> internal/transcript, codec/cbor; rpc/rpctest -> internal/transcript
//	generated code -> rpc/gen1 -> rpc -> internal/session, internal/contract, codec; codec/cbor -> codec -> internal/wire
//	rpc -> internal/post -> internal/wire
//	internal/session -> internal/transport, internal/replay, internal/flow, internal/workers, internal/wire
//	cluster -> internal/passthrough -> rpc, internal/contract
//	codec, codec/jsongen -> internal/jsontypes
//	internal/wire, internal/jsontypes, codec/jsongen -> internal/jsonscan; internal/wire, codec/cbor -> internal/cborscan
//	internal/transport, internal/replay -> internal/buffers
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wirecall/wirecall"

// allowed says which packages of ours each of ours may import; a * at the end
// of a name is any rest. What is not named, examples say, may import rpc and
// what is below it.
var allowed = map[string][]string{
	"cmd/wirecall":     {"internal/load", "internal/emit/*", "internal/model", "internal/importer", "typescript", "internal/dynamic", "internal/compat", "internal/openrpc", "internal/connect", "internal/inspect", "internal/loadgen", "internal/record", "rpc"},
	"internal/compat":  {"internal/openrpc"},
	"internal/openrpc": {},
	"internal/dynamic": {"internal/openrpc", "rpc", "rpc/gen1"},
	"internal/connect": {"rpc", "codec/cbor"},
	"internal/inspect": {"internal/transport"},
	"internal/loadgen": {"internal/dynamic", "internal/openrpc", "rpc"},
	"internal/load":    {"internal/model"},
	"internal/emit/*":  {"internal/model"},
	"internal/model":   {},
	"typescript":       {},

	"internal/importer":   {},
	"internal/record":     {"internal/transcript", "internal/jsonscan", "internal/cborscan", "codec/cbor"},
	"internal/transcript": {}, // for tests, rpctest and the recorder

	"internal/buffers":   {},
	"internal/contract":  {},
	"internal/fault":     {},
	"internal/flow":      {},
	"internal/replay":    {"internal/buffers"},
	"internal/workers":   {},
	"internal/transport": {"internal/buffers"},
	"internal/backoff":   {},
	"internal/jsonscan":  {},
	"internal/jsontypes": {"internal/jsonscan"},
	"internal/cborscan":  {},
	"internal/wire":      {"internal/jsonscan", "internal/cborscan"},

	"codec":         {"codec/jsongen", "internal/jsontypes", "internal/wire"},
	"codec/jsongen": {"internal/jsonscan", "internal/jsontypes"},
	"codec/cbor":    {"codec", "internal/wire", "internal/cborscan"},

	"internal/relay": {}, // the module cluster implements it
	"internal/post":  {"internal/backoff", "internal/fault", "internal/wire"},

	"internal/racing": {}, // for tests
	"internal/session": {
		"internal/buffers",
		"internal/fault",
		"internal/flow",
		"internal/relay",
		"internal/replay",
		"internal/transport",
		"internal/wire",
		"internal/workers",
	},

	"internal/feed": {"codec", "internal/contract", "internal/session"},

	"rpc": {
		"codec",
		"internal/backoff",
		"internal/contract",
		"internal/fault",
		"internal/feed",
		"internal/post",
		"internal/relay",
		"internal/session",
		"internal/transport",
		"internal/wire",
	},
	"rpc/gen1": {"rpc", "internal/contract"},

	"internal/passthrough": {"codec", "internal/contract", "rpc"},

	"rpc/inspector": {"rpc", "internal/inspect", "internal/contract"},
	"rpc/rpctest":   {"rpc", "internal/transcript"},
	"rpc/topic":     {"codec", "internal/feed", "internal/session", "internal/wire"},
	"rpc/presence":  {"rpc", "codec", "internal/contract", "internal/session"},
	"rpc/*":         {"rpc", "codec", "codec/*", "internal/wire"},
	"*":             {"rpc", "rpc/*", "codec", "codec/*", "example/*"},
}

// kept says where alone a dependency may be imported.
var kept = map[string]string{
	"golang.org/x/tools/*":          "internal/load",
	"github.com/dave/jennifer/*":    "internal/emit/golang",
	"github.com/coder/websocket":    "internal/transport",
	"github.com/rogpeppe/*":         "cmd/wirecall",
	"github.com/urfave/cli/*":       "cmd/wirecall",
	"github.com/HdrHistogram/*":     "internal/loadgen",
	"github.com/fxamacker/cbor/v2*": "codec/cbor",

	"github.com/modelcontextprotocol/*": "mcprpc", // a module of its own, as is otelrpc
	"go.opentelemetry.io/*":             "otelrpc",
	"github.com/nats-io/*":              "cluster",
}

func TestImports(t *testing.T) {
	for name, imports := range packages(t) {
		for _, i := range imports {
			if own, ok := strings.CutPrefix(i, module+"/"); ok {
				if !slices.ContainsFunc(allowed[lookup(name)], func(p string) bool { return matches(p, own) }) {
					t.Errorf("%s must not import %s", name, own)
				}
				continue
			}
			for dep, home := range kept {
				if matches(dep, i) && name != home {
					t.Errorf("%s must not import %s: only %s does", name, i, home)
				}
			}
		}
	}
}

// TestModelKnowsNoLanguage keeps Go's packages about Go out of the model.
func TestModelKnowsNoLanguage(t *testing.T) {
	for _, i := range packages(t)["internal/model"] {
		if strings.HasPrefix(i, "go/") || strings.Contains(i, ".") {
			t.Errorf("internal/model must not import %s", i)
		}
	}
}

// packages is what each package of the module imports, its tests aside, on any
// system. It reads the files itself: go test would not notice that what the go
// command says has changed.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	pkgs := map[string][]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || nested(path)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name, err := filepath.Rel("..", filepath.Dir(path))
		for _, i := range f.Imports {
			pkgs[filepath.ToSlash(name)] = append(pkgs[filepath.ToSlash(name)], strings.Trim(i.Path.Value, `"`))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// nested reports whether a folder is a module of its own.
func nested(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// lookup is the longest key of allowed that matches name.
func lookup(name string) (best string) {
	for key := range allowed {
		if matches(key, name) && len(key) > len(best) {
			best = key
		}
	}
	return best
}

func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
