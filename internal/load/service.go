package load

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// A pkgLoader fills one model.Package.
type pkgLoader struct {
	*loader
	unit     *unit
	out      *model.Package
	defs     map[string]*model.Def    // by the type's full name
	seen     map[typeName]bool        // types that are for the user to change
	foreigns map[typeName]*foreign    // types that are not
	endless  map[*types.TypeName]bool // generic types that were refused for it
	generics map[*types.TypeName]*model.Generic
	trial    bool            // whether anything is refused is all that matters
	build    buildConstraint // of the files that the output is for
	problems model.Problems
}

// pkg is what the interfaces marked in files say, or nil if none is. The files
// are those of a variant that share an output. seen is the services of its other
// outputs, by their names on the wire in lower case.
func (l *loader) pkg(v *variant, files []string, seen map[string]*model.Service) (*model.Package, model.Problems) {
	p := v.pkg
	w := &pkgLoader{loader: l, defs: map[string]*model.Def{}, seen: map[typeName]bool{}, foreigns: map[typeName]*foreign{}, endless: map[*types.TypeName]bool{}, generics: map[*types.TypeName]*model.Generic{}}
	w.out = &model.Package{Path: p.PkgPath, Name: p.Name, Tests: v.kind != forPackage, Declared: v.declared, Elsewhere: v.elsewhere}
	var found []*decl
	for _, f := range l.parseAll(files) {
		found = append(found, w.find(f)...)
	}
	if len(found) == 0 {
		return nil, w.problems
	}
	unit, err := l.check(p)
	if err != nil {
		return nil, append(w.problems, model.Problem{Text: err.Error()})
	}
	w.unit = unit
	if w.syntaxErrors(p.GoFiles) {
		return nil, w.problems
	}
	w.build = found[0].build
	w.out.Build, w.out.Suffix = w.build.expr(), w.build.suffix()
	for _, d := range found {
		if d.build != w.build {
			w.refusef(d.spec.Name.Pos(), "%s: services of one package must be under the same build constraint, for their output is one file", d.spec.Name.Name)
		}
		w.alternative(v, d)
		w.service(d)
	}
	w.distinctServices(seen)
	return w.out, w.problems
}

// refuse notes a problem at a place. who is what the fact is said of, such as
// "Room.Post: ".
func (w *pkgLoader) refuse(at token.Pos, who, fact string) {
	w.problems = append(w.problems, model.Problem{Pos: w.pos(at), Text: who + fact, Fact: fact})
}

// refuseOnce notes a problem that is one for all places.
func (w *pkgLoader) refuseOnce(at token.Pos, who, fact string) {
	w.problems = append(w.problems, model.Problem{Pos: w.pos(at), Text: who + fact, Fact: fact, Once: true})
}

func (w *pkgLoader) refusef(at token.Pos, format string, args ...any) {
	w.refuse(at, "", fmt.Sprintf(format, args...))
}

// A decl is the declaration of a marked interface.
type decl struct {
	spec  *ast.TypeSpec
	doc   *ast.CommentGroup
	wire  string // given in the directive, or empty
	build buildConstraint

	naming *naming // of its methods; nil for Service.Method

	// What holds for all its methods that do not say otherwise.
	params  *paramsForm
	sub     *subscriptionForm
	json    model.JSON
	options []model.Option
	raised  []placedDirective // that declare errors
	errors  []*model.Error    // which are these
}

// find returns the marked interfaces of one file, and refuses directives
// wherever else they stand.
func (w *pkgLoader) find(f *ast.File) []*decl {
	var found []*decl
	placed := map[*ast.CommentGroup]bool{}
	for _, d := range f.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, s := range gen.Specs {
			spec := s.(*ast.TypeSpec)
			doc := spec.Doc
			if doc == nil && !gen.Lparen.IsValid() {
				doc = gen.Doc
			}
			placed[doc] = true
			if m := w.marked(spec, doc); m != nil {
				m.build = constraintOf(w.fset.PositionFor(f.Package, false).Filename, f)
				found = append(found, m)
			}
			w.placeMethods(spec, placed)
		}
	}
	for _, group := range f.Comments {
		if !placed[group] {
			w.misplaced(group)
		}
	}
	return found
}

// marked returns spec as a marked interface, or nil if it is none.
func (w *pkgLoader) marked(spec *ast.TypeSpec, doc *ast.CommentGroup) *decl {
	var found *decl
	var all decl // what the other directives say
	directives := w.directives(doc)
	service := slices.ContainsFunc(directives, func(d placedDirective) bool { return d.verb == "service" })
	for _, d := range directives {
		switch {
		case service && d.verb == "json":
			all.json = model.JSON(d.value)
		case service && d.verb == "option":
			all.options = append(all.options, model.Option{Key: d.key, Value: d.value})
		case service && d.verb == "error":
			all.raised = append(all.raised, d)
		case service && d.verb == "params":
			all.params = d.params
		case service && d.verb == "subscription":
			all.sub = d.sub
		case !service && d.verb == "bigint": // whether it is an integer is found out where it is used
		case d.verb != "service":
			w.refusef(d.pos, "//wirecall:%s is out of place: it belongs in the comment right above %s", d.verb, place(d.verb))
		case spec.TypeParams != nil:
			w.refusef(d.pos, "%s: a generic interface cannot be a service: mark one that embeds an instance, such as type %[2]s interface{ %[1]s[%[3]s] }",
				spec.Name.Name, another(spec.Name.Name), arguments(spec.TypeParams))
		case spec.Assign.IsValid():
			w.refusef(d.pos, "//wirecall:service belongs above an interface; %s is an alias: write type %s", spec.Name.Name, unaliased(spec))
		default:
			found = &decl{spec: spec, doc: doc, wire: d.value, naming: d.naming}
		}
	}
	if found != nil {
		found.json, found.options, found.raised = all.json, all.options, all.raised
		found.params, found.sub = all.params, all.sub
	}
	return found
}

// placeMethods notes the comments of the methods of spec, where directives for
// methods may stand, and refuses those that may not. Whether the interface is
// marked itself does not matter: it may be embedded in one that is.
func (w *pkgLoader) placeMethods(spec *ast.TypeSpec, placed map[*ast.CommentGroup]bool) {
	it, ok := spec.Type.(*ast.InterfaceType)
	if !ok {
		return
	}
	for _, m := range it.Methods.List {
		if len(m.Names) == 0 || m.Doc == nil {
			continue
		}
		placed[m.Doc] = true
		for _, d := range w.directives(m.Doc) {
			if d.verb == "service" || d.verb == "bigint" {
				w.refusef(d.pos, "//wirecall:%s is out of place: it belongs in the comment right above %s", d.verb, place(d.verb))
			}
		}
	}
}

func (w *pkgLoader) misplaced(group *ast.CommentGroup) {
	for _, c := range group.List {
		d, err := parseDirective(c.Text)
		if err != nil {
			w.refusef(c.Pos(), "%v", err)
		} else if d != nil {
			w.refusef(c.Pos(), "//wirecall:%s is out of place: it belongs in the comment right above %s", d.verb, place(d.verb))
		}
	}
}

// place is where a directive may stand.
func place(verb string) string {
	switch verb {
	case "service":
		return "an interface"
	case "bigint":
		return "an integer type"
	case "json", "option", "error", "params", "subscription":
		return "a marked interface or a method of an interface"
	}
	return "a method of an interface"
}

// A placedDirective is a directive and where it stands.
type placedDirective struct {
	*directive
	pos token.Pos
}

// directives reads those in a comment, and refuses a second of the same name, or, where
// that may stand more than once, of the same key.
func (w *pkgLoader) directives(doc *ast.CommentGroup) []placedDirective {
	var out []placedDirective
	if doc == nil {
		return nil
	}
	for _, c := range doc.List {
		d, err := parseDirective(c.Text)
		if err != nil {
			w.refusef(c.Pos(), "%v", err)
			continue
		}
		if d == nil {
			continue
		}
		if what, twice := repeated(out, d); twice {
			w.refusef(c.Pos(), "//wirecall:%s stands here twice", what)
			continue
		}
		out = append(out, placedDirective{d, c.Pos()})
	}
	return out
}

// repeated reports whether d stands among the others already, and as what.
func repeated(others []placedDirective, d *directive) (what string, twice bool) {
	what = d.verb
	if repeatable(d.verb) {
		what += " " + d.key
	}
	return what, slices.ContainsFunc(others, func(o placedDirective) bool {
		return o.verb == d.verb && (o.key == d.key || !repeatable(d.verb))
	})
}

// service adds one marked interface to the model.
func (w *pkgLoader) service(d *decl) {
	name := d.spec.Name
	if w.explainIn(d.spec.Pos(), d.spec.End()) {
		return
	}
	obj, ok := w.unit.info.Defs[name].(*types.TypeName)
	if !ok {
		w.refusef(name.Pos(), "%s: its declaration does not compile", name.Name)
		return
	}
	it, ok := obj.Type().Underlying().(*types.Interface)
	switch {
	case !ok:
		w.refusef(name.Pos(), "//wirecall:service belongs above an interface; %s is not one", name.Name)
		return
	case !it.IsMethodSet():
		w.refusef(name.Pos(), "%s: an interface that lists types is a constraint, and cannot be a service", name.Name)
		return
	case it.NumMethods() == 0:
		w.refusef(name.Pos(), "%s: a service needs at least one method", name.Name)
		return
	}
	s := &model.Service{Name: name.Name, Wire: d.wire, Doc: d.doc.Text(), Pos: w.pos(name.Pos())}
	if s.Wire == "" {
		s.Wire = s.Base()
	}
	if err := checkName(s.Wire); err != nil {
		w.refusef(name.Pos(), "%s: %v; give it another with //wirecall:service name=NAME", name.Name, err)
	}
	d.errors = w.declaredErrors(d.raised, obj.Pkg(), name.Name)
	for _, fn := range w.methodsOf(it) {
		if m := w.method(s, d, obj, fn); m != nil {
			s.Methods = append(s.Methods, m)
		}
	}
	w.out.Services = append(w.out.Services, s)
}

// methodsOf is the methods of an interface in the order written (go/types
// sorts them by name), and then those of each interface that it embeds.
func (l *loader) methodsOf(it *types.Interface) []*types.Func {
	own := slices.Collect(it.ExplicitMethods())
	slices.SortFunc(own, func(a, b *types.Func) int {
		if l.unchangeable(a.Pkg()) && l.source(a.Pos()).Line == l.source(b.Pos()).Line {
			return cmp.Compare(a.Name(), b.Name()) // the compiler does not keep columns
		}
		return cmp.Compare(a.Pos(), b.Pos())
	})
	for e := range it.EmbeddedTypes() {
		sub, ok := e.Underlying().(*types.Interface)
		if !ok {
			continue
		}
		for _, fn := range l.methodsOf(sub) {
			if !slices.ContainsFunc(own, func(o *types.Func) bool { return o.Id() == fn.Id() }) {
				own = append(own, fn)
			}
		}
	}
	return own
}

// distinctServices refuses services that a peer could not tell apart.
func (w *pkgLoader) distinctServices(seen map[string]*model.Service) {
	for _, s := range w.out.Services {
		key := strings.ToLower(s.Wire)
		if o := seen[key]; o != nil {
			w.problems = append(w.problems, model.Problem{Pos: s.Pos, Text: fmt.Sprintf(
				"%s: its name on the wire, %s, is that of %s too: give one of them another with //wirecall:service name=NAME", s.Name, s.Wire, o.Name)})
			continue
		}
		seen[key] = s
		w.sameButCase(s)
		w.sameCall(s)
	}
}

// sameButCase refuses names that a peer which folds case would confuse.
func (w *pkgLoader) sameButCase(s *model.Service) {
	seen := map[string]*model.Method{}
	for _, m := range s.Methods {
		key := strings.ToLower(m.Wire)
		if o := seen[key]; o != nil {
			w.problems = append(w.problems, model.Problem{Pos: m.Pos, Text: fmt.Sprintf(
				"%s.%s: the names %s and %s on the wire differ in case at most: rename one, or give it a name with //wirecall:name", s.Name, m.Name, o.Wire, m.Wire)})
		}
		seen[key] = m
	}
}
