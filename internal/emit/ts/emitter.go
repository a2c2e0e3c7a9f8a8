package ts

import "github.com/wirecall/wirecall/internal/model"

// An emitter plans one file.
type emitter struct {
	*conversions

	wanted map[*model.Def]bool // types to declare
	queue  []*model.Def        // those of them that have not been looked at
	done   map[string]bool     // names that are declared
	errors []*declaredError
}

func newEmitter(p *model.Package, o Options) *emitter {
	names := newNaming(newIndex(p, o))
	return &emitter{
		conversions: &conversions{naming: names, byDef: map[*model.Def]*converter{}},
		wanted:      map[*model.Def]bool{},
		done:        map[string]bool{},
	}
}
