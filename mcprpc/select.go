package mcprpc

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/openrpc"
)

// toolOption is the key of the option that says whether a method is a tool.
const toolOption = "mcp.tool"

// toolValues are its values; "" is that of a method that does not have the option.
var toolValues = []string{"", "no", "yes", "readonly", "destructive"}

// selected returns the methods that are tools by their names, sorted by them.
func selected(methods []*openrpc.Method, o *Options) (tools []*tool, err error) {
	byName := map[string]*tool{}
	for _, m := range methods {
		wanted, err := wants(m, o)
		if err != nil {
			return nil, err
		}
		if !wanted {
			continue
		}
		t := &tool{method: m, name: toolName(m.Name)}
		if len(t.name) > maxToolName {
			return nil, fmt.Errorf("mcprpc: %.200s cannot be a tool: its name has more than %d characters", m.Name, maxToolName)
		}
		if other := byName[t.name]; other != nil {
			return nil, fmt.Errorf("mcprpc: %s and %s would both be the tool %s", other.method.Name, m.Name, t.name)
		}
		byName[t.name] = t
		tools = append(tools, t)
	}
	for _, pattern := range o.Only {
		if !slices.ContainsFunc(methods, func(m *openrpc.Method) bool { return matches(pattern, m.Name) }) {
			return nil, fmt.Errorf("mcprpc: no method is %s", pattern)
		}
	}
	if len(tools) == 0 {
		return nil, errNoTools
	}
	slices.SortFunc(tools, func(a, b *tool) int { return strings.Compare(a.name, b.name) })
	return tools, nil
}

var errNoTools = errors.New("mcprpc: no method of the server is a tool: mark those that should be with //wirecall:option mcp.tool=yes, or choose them with Options.All or Options.Only")

// wants reports whether a method is to be a tool.
func wants(m *openrpc.Method, o *Options) (bool, error) {
	value := m.Extension.Options[toolOption]
	if !slices.Contains(toolValues, value) {
		return false, fmt.Errorf("mcprpc: %s has the option %s=%s: want readonly, destructive, yes or no", m.Name, toolOption, value)
	}
	switch {
	case value == "no" || strings.HasPrefix(m.Name, "rpc."): // JSON-RPC's own
		return false, nil
	case len(o.Only) > 0:
		return slices.ContainsFunc(o.Only, func(pattern string) bool { return matches(pattern, m.Name) }), nil
	}
	return o.All || value != "", nil
}

// matches reports whether a name matches a pattern, which is a valid one.
func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}

// maxToolName is how long the name of a tool may be for all clients. The protocol has
// 128, some models' APIs have 64.
const maxToolName = 64

// toolName is the name of a method as a tool may have it. The protocol would allow a dot,
// some models' APIs do not.
func toolName(method string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, method)
}
