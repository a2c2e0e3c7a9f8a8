package load

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"strings"

	"github.com/wirecall/wirecall/internal/model"
)

// Type errors are looked at only where they touch a service. Elsewhere they
// are none of our business, and most often code that mentions what is about to
// be generated.

// explainIn refuses with the type errors between two places, if there are any.
func (w *pkgLoader) explainIn(from, to token.Pos) bool {
	found := false
	for _, e := range w.errors() {
		if from <= e.Pos && e.Pos < to && !e.Soft && !strings.HasPrefix(e.Msg, "\t") { // a tab begins a remark on another
			w.refusef(e.Pos, "%s", e.Msg)
			found = true
		}
	}
	return found
}

// explain refuses with the reason why a type mentioned in the declaration at
// pos is invalid. what says who needs it.
func (w *pkgLoader) explain(pos token.Pos, what string) {
	f := w.fileAt(pos)
	if f != nil {
		for _, d := range f.Decls {
			if d.Pos() <= pos && pos < d.End() && w.explainIn(d.Pos(), d.End()) {
				return
			}
		}
		for _, i := range f.Imports {
			if w.explainIn(i.Pos(), i.End()) {
				return
			}
		}
	}
	if f != nil && constraintOf("", f).cgo {
		w.refusef(pos, "%s: types of C cannot cross the wire; use one of Go, such as int32", what)
		return
	}
	w.refusef(pos, "%s: its type does not compile", what)
}

// errors is all type errors so far. Those of dependencies count too: a struct
// there can be part of a signature here.
func (w *pkgLoader) errors() []types.Error {
	var all []types.Error
	for _, u := range w.units {
		all = append(all, u.errs...)
	}
	return all
}

func (w *pkgLoader) fileAt(pos token.Pos) *ast.File {
	for _, u := range w.units {
		for _, f := range u.files {
			if f.FileStart <= pos && pos < f.FileEnd {
				return f
			}
		}
	}
	return nil
}

// syntaxErrors refuses the files that do not parse: what they lack cannot be
// guessed.
func (w *pkgLoader) syntaxErrors(files []string) bool {
	found := false
	for _, file := range files {
		p := w.files[file]
		if p == nil || p.err == nil {
			continue
		}
		found = true
		list, _ := p.err.(scanner.ErrorList)
		for _, e := range list {
			w.problems = append(w.problems, model.Problem{Pos: w.place(e.Pos), Text: e.Msg})
		}
		if len(list) == 0 {
			w.problems = append(w.problems, model.Problem{Text: p.err.Error()})
		}
	}
	return found
}
