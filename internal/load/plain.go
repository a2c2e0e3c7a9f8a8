package load

import (
	"errors"
	"go/token"
	"slices"
	"strings"
)

// A paramsForm is what //wirecall:params says about how parameters are sent in plain mode.
type paramsForm struct {
	position bool
	omitAll  bool
	omit     []string // parameters that are left out if they are empty, if not all are
}

var errParams = errors.New("write //wirecall:params position or //wirecall:params name, with omitempty or omitempty=PARAMETER,PARAMETER behind it or in its place")

func (d *directive) parameters(words []string) error {
	if len(words) == 0 {
		return errParams
	}
	d.params = &paramsForm{}
	for i, word := range words {
		list, some := strings.CutPrefix(word, "omitempty=")
		switch {
		case i == 0 && (word == "position" || word == "name"):
			d.params.position = word == "position"
		case i < len(words)-1:
			return errParams
		case word == "omitempty":
			d.params.omitAll = true
		case some:
			d.params.omit = strings.Split(list, ",")
		default:
			return errParams
		}
	}
	for _, name := range d.params.omit {
		if !token.IsIdentifier(name) {
			return errParams
		}
	}
	return nil
}

// plain fills what the method is in plain mode, after its name is known.
func (m *methodLoader) plain(d *decl, own []placedDirective) {
	params, sub, at, subAt := d.params, d.sub, m.at, m.at
	if len(m.out.Results) != 1 || streams(m.out.Results) != 1 {
		sub = nil // that of the service is for its streams
	}
	for _, o := range own {
		if o.params != nil {
			params, at = o.params, o.pos
		}
		if o.sub != nil {
			if sub, subAt = o.sub, o.pos; !m.subscribes(subAt) {
				sub = nil
			}
		}
	}
	if params != nil && len(m.out.Params) > 0 {
		m.out.Plain.ByPosition = params.position
		m.omitted(params, at)
	}
	if sub != nil {
		m.subscription(sub, subAt)
	}
}

// omitted fills the parameters that are left out if they are empty, and refuses names
// that are none.
func (m *methodLoader) omitted(params *paramsForm, at token.Pos) {
	for _, name := range params.omit {
		if m.param(name) == nil {
			m.refusef(at, "%s: it has no parameter %s to leave out", m.who, name)
			continue
		}
		m.out.Plain.OmitEmpty = append(m.out.Plain.OmitEmpty, valueNamed(m.out.Params, name).Wire)
	}
	last := m.out.Params[len(m.out.Params)-1]
	switch {
	case params.omitAll:
		for _, v := range m.out.Params {
			m.out.Plain.OmitEmpty = append(m.out.Plain.OmitEmpty, v.Wire)
		}
	case params.position && m.out.Variadic && !slices.Contains(params.omit, last.Name):
		m.out.Plain.OmitEmpty = append(m.out.Plain.OmitEmpty, last.Wire)
	}
}
