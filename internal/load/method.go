package load

import (
	"fmt"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// maxStreams is how many streams one message may introduce.
const maxStreams = 16

// A methodLoader fills one model.Method.
type methodLoader struct {
	*pkgLoader
	out *model.Method
	sig *types.Signature
	who string    // "Room.Post", for messages
	at  token.Pos // where it is declared, or what embeds it if that is elsewhere

	// foreign is the interface of another module that declares it, or nil.
	foreign types.Type
}

// method is the model of one method of d, or nil if its signature cannot be one.
func (w *pkgLoader) method(s *model.Service, d *decl, owner *types.TypeName, fn *types.Func) *model.Method {
	m := &methodLoader{pkgLoader: w, sig: fn.Signature(), who: s.Name + "." + fn.Name(), at: fn.Pos()}
	if fn.Pkg() != owner.Pkg() {
		m.at = owner.Pos()
	}
	if w.unchangeable(fn.Pkg()) {
		m.foreign = m.sig.Recv().Type()
	}
	if !fn.Exported() {
		m.bad("an unexported method cannot be called from elsewhere", "export it, or take it out of the interface")
		return nil
	}
	doc := w.doc(fn)
	m.out = &model.Method{JSON: d.json, Options: slices.Clone(d.options), Errors: slices.Clone(d.errors), Name: fn.Name(), Wire: d.wireName(s, fn.Name()), Doc: doc.Text(), Pos: w.pos(m.at)}
	m.params()
	m.results()
	directives := w.directives(doc)
	m.names(directives)
	for _, own := range directives {
		m.directive(own)
	}
	if err := checkMethodName(m.out.Wire); err != nil && d.naming != nil {
		m.refusef(m.at, "%s: %v", m.who, err)
	}
	m.plain(d, directives)
	m.errors(w.declaredErrors(directives, fn.Pkg(), m.who), m.at)
	m.rules()
	return m.out
}

// wireName returns the name on the wire of a method of s without a name of its own.
func (d *decl) wireName(s *model.Service, method string) string {
	if d.naming != nil {
		return d.naming.apply(method)
	}
	return s.Wire + "." + method
}

// bad refuses something about the method. The cure is for methods that the user
// can change.
func (m *methodLoader) bad(what, cure string) {
	if m.foreign != nil {
		m.refuseOnce(m.at, m.who+": ", what+": declare what is to cross in an interface of your own, for "+m.typeString(m.foreign)+" is of another module")
		return
	}
	m.refuse(m.at, m.who+": ", what+": "+cure)
}

func (m *methodLoader) params() {
	params := m.sig.Params()
	for i := range params.Len() {
		v := params.At(i)
		if isContext(v.Type()) {
			m.out.Context = true
			if i > 0 {
				m.bad("a context.Context is no ordinary parameter", "it must be the first, and the only one")
			}
			continue
		}
		unnamed := unnamed("arg", len(m.out.Params), params)
		m.out.Params = append(m.out.Params, m.value(v, unnamed, "parameter", "take", m.sig.Variadic() && i == params.Len()-1))
	}
	m.out.Variadic = m.sig.Variadic()
}

func (m *methodLoader) results() {
	results := m.sig.Results()
	for i := range results.Len() {
		v := results.At(i)
		if isError(v.Type()) {
			m.out.Error = true
			if i < results.Len()-1 {
				m.bad("an error is no ordinary result", "it must be the last, and the only one")
			}
			continue
		}
		kind := "result"
		if results.Len() <= 2 && v.Name() == "" {
			kind = "" // it needs no name to be told apart
		}
		unnamed := unnamed("r", len(m.out.Results), results)
		m.out.Results = append(m.out.Results, m.value(v, unnamed, kind, "return", false))
	}
}

// unnamed is the name on the wire of the nth parameter or result, if it has none
// in the source. It is none that another has.
func unnamed(prefix string, n int, all *types.Tuple) string {
	name := fmt.Sprint(prefix, n)
	for v := range all.Variables() {
		if strings.EqualFold(v.Name(), name) {
			return unnamed(prefix+"_", n, all)
		}
	}
	return name
}

// value is one parameter or result. unnamed is its name if it has none; kind
// and verb are for messages.
func (m *methodLoader) value(v *types.Var, unnamed, kind, verb string, variadic bool) *model.Value {
	out := &model.Value{Name: v.Name()}
	if out.Named = out.Name != "" && out.Name != "_"; !out.Named {
		out.Name = unnamed
	}
	out.Wire = out.Name
	where := m.who + ": "
	if kind != "" {
		where += kind + " " + out.Name + ": "
	}
	t := &typeLoader{pkgLoader: m.pkgLoader, at: m.at, where: where, verb: verb, variadic: variadic}
	if m.foreign != nil {
		t.foreign = newForeign()
	}
	typ := v.Type()
	if item, ok := stream(typ); ok {
		out.Stream, t.inStream = true, true
		typ = item
	}
	out.Type = t.typ(typ)
	if m.foreign != nil && len(t.foreign.reasons) > 0 {
		m.bad(t.foreign.String()+" cannot cross the wire", "")
	}
	return out
}

// directive carries out one directive of the method.
func (m *methodLoader) directive(d placedDirective) {
	switch d.verb {
	case "name":
		m.out.Wire = d.value
	case "notify":
		m.out.Notify = true
	case "idempotent":
		m.out.Idempotent = true
	case "json":
		m.out.JSON = model.JSON(d.value)
	case "unordered":
		m.out.Unordered = true
	case "cursor":
		m.cursor(d)
	case "option":
		m.out.Options = withOption(m.out.Options, model.Option{Key: d.key, Value: d.value})
	}
}

// withOption is options with one more, in the place of one that has its key.
func withOption(options []model.Option, o model.Option) []model.Option {
	i := slices.IndexFunc(options, func(other model.Option) bool { return other.Key == o.Key })
	if i < 0 {
		return append(options, o)
	}
	options[i] = o
	return options
}

// rules refuses what the method as a whole must not be.
func (m *methodLoader) rules() {
	out := m.out
	in, back := streams(out.Params), streams(out.Results)
	switch {
	case out.Notify && (len(out.Results) > 0 || !out.Error):
		m.bad("nobody answers a notification", "its only result is error, which says whether it could be sent")
	case !out.Error && (len(out.Results) == 0 || back < len(out.Results)):
		m.bad("a call can fail", "add an error as the last result (only a method whose results are all streams may do without, for they can yield it)")
	}
	if out.Notify && in > 0 {
		m.bad("a notification carries no streams, for nobody could stop them", "leave out //wirecall:notify")
	}
	if out.Notify && out.Idempotent {
		m.bad("a notification is never repeated", "leave out //wirecall:idempotent")
	}
	if out.Idempotent && in > 0 {
		m.bad("a method that is sent a stream cannot be repeated, for the stream is spent", "leave out //wirecall:idempotent")
	}
	if in > maxStreams || back > maxStreams {
		m.bad("it has too many streams", fmt.Sprintf("at most %d each way can cross", maxStreams))
	}
}

func streams(values []*model.Value) (n int) {
	for _, v := range values {
		if v.Stream {
			n++
		}
	}
	return n
}

// cursor refuses a cursor that cannot continue the stream.
func (m *methodLoader) cursor(d placedDirective) {
	var item types.Type
	for v := range m.sig.Results().Variables() {
		if s, ok := stream(v.Type()); ok {
			item = s
		}
	}
	if item == nil || len(m.out.Results) != 1 || streams(m.out.Params) > 0 {
		m.refusef(d.pos, "%s: only a method whose one result is a stream, and that is sent none, can have a cursor", m.who)
		return
	}
	param := m.param(d.key)
	if param == nil {
		m.refusef(d.pos, "%s: it has no parameter %s to continue after", m.who, d.key)
		return
	}
	field, nilable := m.field(item, d.value)
	if field == nil {
		m.refusef(d.pos, "%s: %s is not a struct with an exported field %s that crosses the wire", m.who, m.typeString(item), d.value)
		return
	}
	if !types.Identical(param.Type(), field.Type()) {
		m.refusef(d.pos, "%s: parameter %s is %s and field %s is %s: they must be of one type", m.who,
			d.key, m.typeString(param.Type()), d.value, m.typeString(field.Type()))
		return
	}
	m.out.Cursor = &model.Cursor{Param: valueNamed(m.out.Params, d.key).Wire, Field: d.value, Nilable: nilable}
	m.out.Idempotent = true
}

func (m *methodLoader) param(name string) *types.Var {
	for p := range m.sig.Params().Variables() {
		if p.Name() == name && !isContext(p.Type()) {
			return p
		}
	}
	return nil
}

// field is the exported field of a struct, or of what a pointer points to, that
// crosses the wire; and what may be nil on the way to it.
func (m *methodLoader) field(t types.Type, name string) (field *types.Var, nilable []string) {
	if _, ok := deref(t).Underlying().(*types.Struct); !ok || !token.IsExported(name) {
		return nil, nil
	}
	found, path, _ := types.LookupFieldOrMethod(t, true, nil, name)
	if _, ok := found.(*types.Var); !ok { // none, several, or a method
		return nil, nil
	}
	through := ""
	for _, i := range path {
		if deref(t) != t {
			nilable = append(nilable, through)
		}
		s := deref(t).Underlying().(*types.Struct)
		field = s.Field(i)
		t, through = field.Type(), field.Name()
		if f := fieldOf(s, i); f.Wire == "" && !f.Flat {
			return nil, nil
		}
	}
	return field, nilable
}

func isContext(t types.Type) bool { return isNamed(t, "context", "Context") }

func isError(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }

// isNamed reports whether t is the named type, or an alias of it or an
// instance of it.
func isNamed(t types.Type, pkg, name string) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == pkg
}
