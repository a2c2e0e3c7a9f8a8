package golang

import "github.com/wirecall/wirecall/internal/model"

// A reached says what values of a named type can hold, in any depth.
type reached struct {
	recursive bool // values of the type itself
	varies    bool // values of a type that may be another in other builds
}

// A reachFinder finds this for all types in one pass, by the algorithm of Tarjan
// for strongly connected components: two types are in one component if values of
// either can hold values of the other.
type reachFinder struct {
	plan  *jsonPlan
	found map[*model.Def]*reached
	order map[*model.Def]int // in which the types were visited, from 1
	stack []*model.Def       // visited types whose component is not complete
	depth map[*model.Def]int // index in the stack
}

// reach returns what values of a type can hold.
func (p *jsonPlan) reach(def *model.Def) *reached {
	if p.finder == nil {
		p.finder = &reachFinder{plan: p, found: map[*model.Def]*reached{}, order: map[*model.Def]int{}, depth: map[*model.Def]int{}}
	}
	if p.finder.order[def] == 0 {
		p.finder.visit(def)
	}
	return p.finder.found[def]
}

// visit finds the components that can be reached from def. It returns the least
// order of a type on the stack that def can reach.
func (r *reachFinder) visit(def *model.Def) (low int) {
	low = len(r.order) + 1
	r.order[def], r.depth[def] = low, len(r.stack)
	r.stack = append(r.stack, def)
	out := &reached{}
	r.found[def] = out
	r.each(def.Is, out, func(next *model.Def) {
		out.recursive = out.recursive || next == def
		out.varies = out.varies || next.Varies
		if r.order[next] == 0 {
			low = min(low, r.visit(next))
		} else if _, onStack := r.depth[next]; onStack {
			low = min(low, r.order[next])
		}
		out.varies = out.varies || r.found[next].varies
	})
	if low == r.order[def] {
		r.complete(def)
	}
	return low
}

// complete takes the component whose first type is def off the stack. What one of
// its types can reach all of them can.
func (r *reachFinder) complete(def *model.Def) {
	first := r.depth[def]
	component := r.stack[first:]
	r.stack = r.stack[:first]
	all := reached{recursive: len(component) > 1 || r.found[def].recursive}
	for _, d := range component {
		all.varies = all.varies || r.found[d].varies
		delete(r.depth, d)
	}
	for _, d := range component {
		*r.found[d] = all
	}
}

// each calls f with the named types that t is composed of, but those whose own
// methods make their JSON, and notes in out whether the length of an array varies.
func (r *reachFinder) each(t *model.Type, out *reached, f func(*model.Def)) {
	if t == nil {
		return
	}
	if t.Kind == model.Named {
		if d := r.plan.defs[model.Key(t)]; d != nil && !d.Own {
			f(d)
		}
		return
	}
	out.varies = out.varies || t.Varies
	r.each(t.Key, out, f)
	r.each(t.Elem, out, f)
	for _, field := range t.Fields {
		if field.Wire != "" || field.Flat {
			r.each(field.Type, out, f)
		}
	}
}
