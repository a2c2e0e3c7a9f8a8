package golang

import (
	"fmt"
	"math"
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// Functions for JSON cost about 300 bytes of source, 1.1 KB of binary and 5 ms of
// compilation a field. A parameter or a result is generated for up to maxFields,
// those of all the structs that it holds counted once. Items of streams are
// encoded more often, and may have more.
//
// A larger one is left to encoding/json as a whole: where only a part was
// generated, a Pod of Kubernetes took longer than without any of it, for
// encoding/json is called for each of the parts that are left.
const (
	maxFields     = 200
	maxItemFields = 1000
)

// A wanted is a type that a service carries, and how many fields it may have.
type wanted struct {
	typ *model.Type
	max int
}

// want lists the types that JSON may be generated for, in their order.
func (e *emitter) want() (all []*wanted) {
	byKey := map[string]*wanted{}
	for _, s := range e.pkg.Services {
		for _, m := range s.Methods {
			for _, v := range slices.Concat(m.Params, m.Results) {
				key, limit := e.json.resolvedKey(v.Type), limit(m, v)
				if ready[key] || limit == 0 {
					continue
				}
				if byKey[key] == nil {
					byKey[key] = &wanted{typ: v.Type}
					all = append(all, byKey[key])
				}
				byKey[key].max = max(byKey[key].max, limit)
			}
		}
	}
	return all
}

func limit(m *model.Method, v *model.Value) int {
	switch {
	case m.JSON == model.JSONAll:
		return math.MaxInt
	case m.JSON == model.JSONNone:
		return 0
	case v.Stream:
		return maxItemFields
	}
	return maxFields
}

// affordable reports whether a type has few enough fields.
func (e *emitter) affordable(c *coding, limit int) bool {
	n := c.size(map[*coding]bool{})
	if n > limit {
		e.leave(c.typ, fmt.Sprintf("it holds %d fields, more than %d; //wirecall:json all above a method or an interface generates it", n, limit))
	}
	return n <= limit
}

// size is how many fields there are functions for: those of c, and of the structs
// that it holds and that are not seen yet.
func (c *coding) size(seen map[*coding]bool) (n int) {
	for ; c != nil && !seen[c]; c = c.elem {
		seen[c] = true
		n += len(c.fields)
		for _, f := range c.fields {
			n += f.coding.size(seen)
		}
	}
	return n
}
