package transcript

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// compare returns in which places got is another value than want, and binds the names
// in want. Member names are compared in any order, numbers as they are written.
func (n Names) compare(want, got any) []string {
	c := comparison{names: n}
	c.value("", want, got)
	return c.found
}

type comparison struct {
	names Names
	found []string
}

func (c *comparison) add(path, format string, args ...any) {
	if path == "" {
		path = "the value"
	}
	c.found = append(c.found, path+": "+fmt.Sprintf(format, args...))
}

func (c *comparison) value(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			c.members(path, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			c.elements(path, w, g)
			return
		}
	case string:
		if m := placeholder.FindStringSubmatch(w); m != nil && m[0] == w && m[2] == "any" && c.names[m[1]] == "" {
			if g, ok := got.(string); ok && m[1] != "" {
				c.names[m[1]] = g
			}
			return
		}
		if g, ok := got.(string); ok && c.names.Match(w, g) {
			return
		}
	default:
		if want == got {
			return
		}
	}
	c.add(path, "want %s, got %s", shown(want), shown(got))
}

func (c *comparison) members(path string, want, got map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[name]; ok {
			c.value(join(path, name), want[name], g)
		} else {
			c.add(join(path, name), "want %s, got nothing", shown(want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			c.add(join(path, name), "want nothing, got %s", shown(got[name]))
		}
	}
}

func (c *comparison) elements(path string, want, got []any) {
	for i := range min(len(want), len(got)) {
		c.value(path+"["+strconv.Itoa(i)+"]", want[i], got[i])
	}
	if len(want) != len(got) {
		c.add(path, "want %d elements, got %d", len(want), len(got))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// maxShown is how many bytes of a value an error shows.
const maxShown = 300

func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return short(unmarked(string(b)))
}

func short(text string) string {
	if len(text) > maxShown {
		return fmt.Sprintf("%s… (%d bytes)", text[:maxShown], len(text))
	}
	return text
}
