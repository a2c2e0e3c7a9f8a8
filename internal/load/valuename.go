package load

import (
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// valueNames reads the arguments of //wirecall:param and //wirecall:result.
func (d *directive) valueNames(words []string) error {
	usage := fmt.Errorf("write //wirecall:%s %s, with name=NAME, alias=NAME,NAME or both behind it, such as //wirecall:%[1]s writer alias=author", d.verb, strings.ToUpper(valueKinds[d.verb]))
	if len(words) < 2 || !token.IsIdentifier(words[0]) {
		return usage
	}
	d.key = words[0]
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		names := []string{value}
		switch {
		case key == "name" && d.value == "":
			d.value = value
		case key == "alias" && d.aliases == nil:
			names = strings.Split(value, ",")
			d.aliases = names
		default:
			return usage
		}
		for _, name := range names {
			if err := checkName(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// valueKinds are what the two directives that name a value are about.
var valueKinds = map[string]string{"param": "parameter", "result": "result"}

// names carries out the directives that give parameters and results names on the wire.
func (m *methodLoader) names(directives []placedDirective) {
	for _, d := range directives {
		switch d.verb {
		case "param":
			m.rename(d, m.out.Params)
		case "result":
			if len(m.out.Results) == 1 {
				m.refusef(d.pos, "%s: its one result has no name on the wire: leave out //wirecall:result", m.who)
				continue
			}
			m.rename(d, m.out.Results)
		}
	}
	m.distinct("parameters", m.out.Params)
	m.distinct("results", m.out.Results)
}

// rename gives the value that a directive names its name on the wire and its aliases.
func (m *methodLoader) rename(d placedDirective, values []*model.Value) {
	v := valueNamed(values, d.key)
	if v == nil {
		m.refusef(d.pos, "%s: it has no %s %s; %s", m.who, valueKinds[d.verb], d.key, available(values))
		return
	}
	if d.value != "" {
		v.Wire = d.value
	}
	v.Aliases = d.aliases
	for i, name := range v.Aliases {
		if slices.Contains(v.Names()[:i+1], name) {
			m.refusef(d.pos, "%s: %s is a name of the %s %s already: leave out the alias", m.who, name, valueKinds[d.verb], v.Name)
		}
	}
}

// valueNamed returns the value with a name in Go, or nil.
func valueNamed(values []*model.Value, name string) *model.Value {
	for _, v := range values {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// available says which values there are.
func available(values []*model.Value) string {
	if len(values) == 0 {
		return "there is none"
	}
	var names []string
	for _, v := range values {
		names = append(names, v.Name)
	}
	return "there is " + strings.Join(names, ", ")
}

// distinct refuses names that a peer which folds case would confuse, and names of two values.
func (m *methodLoader) distinct(what string, values []*model.Value) {
	type use struct {
		v    *model.Value
		name string
	}
	seen := map[string]use{}
	for _, v := range values {
		for _, name := range v.Names() {
			key := strings.ToLower(name)
			switch o := seen[key]; {
			case o.v == nil:
				seen[key] = use{v, name}
			case o.v == v:
			case o.name == name:
				m.bad(fmt.Sprintf("the %s %s and %s have the name %s on the wire", what, o.v.Name, v.Name, name), "rename one")
			default:
				m.bad(fmt.Sprintf("the %s %s and %s differ in case at most, which peers that fold case confuse", what, o.name, name), "rename one")
			}
		}
	}
}
