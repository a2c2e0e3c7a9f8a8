package golang

import (
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

// Explain says which of the types that p's services carry are left to
// encoding/json, and why, a line for each.
func Explain(p *model.Package) []string {
	e := &emitter{pkg: p}
	e.planJSON()
	slices.Sort(e.json.left)
	return slices.Compact(e.json.left)
}

// leave leaves a type to encoding/json.
func (e *emitter) leave(t *model.Type, why string) *coding {
	e.json.left = append(e.json.left, t.String()+": "+why)
	return nil
}
