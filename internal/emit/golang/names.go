package golang

import (
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/model"
)

// names are the identifiers that are made for one service.
//
//	interface    server         client      constructor
//	Room         RoomService    RoomClient  NewRoomClient
//	ChatService  NewChatService ChatClient  NewChatClient
//	room         roomService    roomClient  newRoomClient
type names struct {
	s                         *model.Service
	server, client, newClient string
	prefix                    string // of unexported names, "room"
	constants                 string // the prefix of constants, "Room" or, of an unexported interface, "room"
}

// serviceNames is the names made for s. Users write them in their code, so
// that they are never changed to avoid a collision.
func serviceNames(s *model.Service) *names {
	base, create := s.Base(), "New"
	after := base // as in New…
	if !token.IsExported(s.Name) {
		create, after = "new", upper(base)
	}
	n := &names{s: s, server: base + "Service", client: base + "Client", newClient: create + after + "Client", prefix: lower(base)}
	n.constants = base
	if n.server == s.Name {
		n.server = create + after + "Service"
	}
	return n
}

// constant is the name of the constant that holds a method's name on the wire.
func (n *names) constant(m *model.Method) string { return n.constants + m.Name + "Method" }

// predeclared returns Go's own identifiers that the output for p mentions,
// generated JSON aside.
func predeclared(p *model.Package) []string {
	names := []string{"any", "error", "new", "nil"}
	for _, s := range p.Services {
		for _, m := range s.Methods {
			if m.Notify || m.Idempotent || m.Unordered {
				names = append(names, "true")
			}
			if len(m.Params) > 0 || len(m.Results) > 1 {
				names = append(names, "int", "string")
			}
			for _, v := range slices.Concat(m.Params, m.Results) {
				v.Type.Walk(func(t *model.Type) {
					if t.Kind <= model.String {
						names = append(names, t.Name)
					}
				})
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// jsonPredeclared is Go's own identifiers that generated JSON may mention.
var jsonPredeclared = []string{"append", "len",
	"bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "uintptr",
	"float32", "float64", "string", "byte", "rune"}

// Check reports which names that p's output must have are taken. It claims
// them in p.Declared, which a package shares with its tests.
func Check(p *model.Package) (problems model.Problems) {
	for _, name := range predeclared(p) {
		if at, ok := p.Declared[name]; ok {
			problems = append(problems, model.Problem{Pos: at, Text: "generated code needs Go's own " + name + ": rename this one"})
		}
	}
	for _, s := range p.Services {
		n := serviceNames(s)
		if p.Tests && isTest(n.server) {
			problems = append(problems, model.Problem{Pos: s.Pos, Text: fmt.Sprintf("%s: the go command takes %s, which is generated for it, for a test: rename the interface", s.Name, n.server)})
		}
		made := []string{n.server, n.client, n.newClient}
		for _, m := range s.Methods {
			made = append(made, n.constant(m))
		}
		for _, name := range made {
			if at, ok := p.Declared[name]; !ok {
				p.Declared[name] = model.Pos{}
			} else if at == (model.Pos{}) {
				problems = append(problems, model.Problem{Pos: s.Pos, Text: fmt.Sprintf("%s: another service needs the name %s: rename one of the interfaces", s.Name, name)})
			} else {
				problems = append(problems, model.Problem{Pos: at, Text: fmt.Sprintf("%s is generated for %s: rename this one, or the interface", name, s.Name)})
			}
		}
	}
	return problems
}

// isTest reports whether go test takes a function of that name in a file of tests for
// one to run, and go vet refuses its signature.
func isTest(name string) bool {
	for _, prefix := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			r, _ := utf8.DecodeRuneInString(rest)
			return !unicode.IsLower(r)
		}
	}
	return false
}

// own takes a name that nobody sees, or one like it.
func (e *emitter) own(name string) string {
	name = free(name, func(s string) bool { return e.declared(s) || e.imported(s) })
	e.pkg.Declared[name] = model.Pos{}
	return name
}

// declared reports whether the package declares a name, in this build or another.
func (e *emitter) declared(name string) bool {
	_, here := e.pkg.Declared[name]
	_, there := e.pkg.Elsewhere[name]
	return here || there
}

func (e *emitter) imported(name string) bool {
	return slices.Contains(slices.Collect(maps.Values(e.imports)), name)
}

// free is name, with as many underscores after it as it takes.
func free(name string, taken func(string) bool) string {
	for taken(name) || token.IsKeyword(name) || types.Universe.Lookup(name) != nil {
		name += "_"
	}
	return name
}

// nameImports decides what each package is called in the file: by its own
// name, unless that means something else in the package already.
func (e *emitter) nameImports() {
	e.imports = map[string]string{}
	need := map[string]string{rpcPath: "rpc", genPath: "gen1", "context": "context"}
	for _, s := range e.pkg.Services {
		for _, m := range s.Methods {
			for _, err := range m.Errors {
				need[err.Pkg.Path] = err.Pkg.Name
			}
			for _, v := range slices.Concat(m.Params, m.Results) {
				v.Type.Names(func(pkg model.Import, _ string) { need[pkg.Path] = pkg.Name })
				if v.Stream {
					need["iter"] = "iter"
				}
			}
		}
	}
	e.json.packages(need)
	delete(need, e.pkg.Path)
	for _, path := range slices.Sorted(maps.Keys(need)) {
		name := free(need[path], func(s string) bool {
			return e.declared(s) || e.imported(s) || s == "init" // which Go allows to functions only
		})
		e.imports[path] = name
		if name == need[path] {
			e.ImportName(path, name)
		} else {
			e.ImportAlias(path, name)
		}
	}
}

// upper is name as an exported identifier.
func upper(name string) string {
	name = strings.TrimLeft(name, "_")
	r, size := utf8.DecodeRuneInString(name)
	if up := unicode.ToUpper(r); unicode.IsUpper(up) {
		return string(up) + name[size:]
	}
	return "X" + name
}

// lower is name as an unexported identifier: Room is room, HTTPRoom httpRoom.
func lower(name string) string {
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) || !unicode.IsUpper(r) {
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}
