package openrpc

import (
	"fmt"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// name is that of the schema of a named type, such as chat.PageOfMessage. ok says that the
// document has the schema already.
func (e *emitter) name(t *model.Type) (name string, ok bool) {
	key := model.Key(t)
	if name, ok = e.names[key]; ok {
		return name, true
	}
	name = free(mangle(t.Pkg.Name+"."+model.InstanceName(t)), func(name string) bool { return e.taken[name] })
	e.names[key], e.taken[name] = name, true
	return name, false
}

// mangle is a name of the letters that names of components have.
func mangle(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "-u%04x", r)
		}
	}
	return b.String()
}

// free is a name with the number behind it that it takes not to be taken.
func free(name string, taken func(string) bool) string {
	out := name
	for n := 2; taken(out); n++ {
		out = fmt.Sprintf("%s-%d", name, n)
	}
	return out
}
