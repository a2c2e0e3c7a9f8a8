// Package model is what a marked interface says, as the generator's two halves
// share it: load fills it from Go source, and each emitter writes it down in
// its own language. It knows neither go/types nor any target language, and it
// imports nothing but the means to print itself.
package model

import (
	"slices"
	"strings"
)

// A Package is the services that one output file is written for.
type Package struct {
	Path  string // import path; that of an external test package ends in _test
	Name  string // in its package clause
	Build string // the build constraint that its services are under, or empty

	Tests bool // the output is a file of tests

	Suffix string // of the output's name, where that says a part of the constraint, such as _linux

	Services []*Service // in the order of their files and declarations
	Types    []*Def     // every named type that can cross the wire, in the order met

	// Declared holds what the package's own files declare at package level,
	// which no output may declare again, and where.
	Declared map[string]Pos

	// Elsewhere is what files declare that are in other builds of the package.
	Elsewhere map[string]Pos
}

// A Service is one marked interface.
type Service struct {
	Name    string // of the interface
	Wire    string // the first part of its methods' names on the wire
	Doc     string // comment text, without markers and directives
	Pos     Pos
	Methods []*Method // its own in the order written, then those of embedded interfaces
}

// A Method is one method of a service.
type Method struct {
	Name string
	Wire string // the whole name on the wire, such as "Room.Post"
	Doc  string
	Pos  Pos

	Context  bool // a context.Context comes first
	Params   []*Value
	Variadic bool // the last of Params, whose type is a slice
	Results  []*Value
	Error    bool // an error comes last

	Notify     bool
	Idempotent bool     // one with a cursor is
	JSON       JSON     // what is generated for the JSON of its types
	Unordered  bool     // it neither holds up the calls of its service nor waits for its notifications
	Cursor     *Cursor  // nil where a stream does not continue
	Options    []Option // in the order written, the service's first; of one key there is one
	Errors     []*Error // that it declares, its service's first
	Plain      Plain    // what it is in plain mode
}

// Plain is how a method is called in plain mode. The zero Plain is by name.
type Plain struct {
	ByPosition   bool
	OmitEmpty    []string      // parameters that are left out if they are empty, by their names on the wire
	Subscription *Subscription // of the stream that is its result; nil if nothing is declared
}

// IsZero reports whether nothing is declared.
func (p Plain) IsZero() bool {
	return !p.ByPosition && len(p.OmitEmpty) == 0 && p.Subscription == nil
}

// A Subscription is a stream in plain mode: see rpc.Subscription.
type Subscription struct {
	Subscribe, Kind, Notify, Unsubscribe, Cancel, End, ID, Item string
}

// SubscriptionKeys are the keys of Subscription.Key, in the order of the fields.
var SubscriptionKeys = []string{"subscribe", "kind", "notify", "unsubscribe", "cancel", "end", "id", "item"}

// Key returns the field with the name that directives have for it, or nil.
func (s *Subscription) Key(name string) *string {
	fields := []*string{&s.Subscribe, &s.Kind, &s.Notify, &s.Unsubscribe, &s.Cancel, &s.End, &s.ID, &s.Item}
	if i := slices.Index(SubscriptionKeys, name); i >= 0 {
		return fields[i]
	}
	return nil
}

// JSON is for which types of a method JSON is generated: for those that are small
// or items of streams, for all, or for none.
type JSON string

const (
	JSONSmall JSON = ""
	JSONAll   JSON = "all"
	JSONNone  JSON = "none"
)

// A Value is one parameter or result.
type Value struct {
	Name   string // in Go; arg0 or r0 and so on where it has none there
	Wire   string // the name on the wire
	Type   *Type  // as written; for a stream, of its items
	Stream bool
	Named  bool // the source has the name

	Aliases []string // other names on the wire that are accepted
}

// Names are the names on the wire that are accepted, its own first.
func (v *Value) Names() []string { return append([]string{v.Wire}, v.Aliases...) }

// Cursor says that a stream continues after the item whose field Field is
// what parameter Param holds. Param is its name on the wire.
type Cursor struct {
	Param, Field string

	// Nilable is what may be nil on the way to the field: "" is the item itself,
	// anything else an embedded pointer in it.
	Nilable []string
}

// An Error is one that a method declares, so that callers are given what it returned.
type Error struct {
	Name string // on the wire, such as "auction.NotFound"
	Code int
	Type *Type // of its values; nil for a variable

	Pkg   Import // the package that declares the type or the variable
	Ident string // and its name there
}

// Is reports whether two errors are of one type or one variable.
func (e *Error) Is(o *Error) bool { return e.Pkg == o.Pkg && e.Ident == o.Ident }

// An Option is what a service or a method says to interceptors and tools.
type Option struct{ Key, Value string }

// A Def says what a named type looks like on the wire. An instance of a
// generic type is a Def of its own.
type Def struct {
	Type *Type  // a Named one
	Doc  string // of its declaration
	Is   *Type

	Alias     bool // of Is
	Own       bool // it has methods of its own that make its JSON, or read it
	Addressed bool // of those that make it, one is the pointer's alone: elements of maps do not have it
	Hidden    bool // generated code cannot name it
	BigInt    bool // an integer that TypeScript is to have as a bigint
	Varies    bool // it may be another type in other builds of the package

	Consts  []*Const // exported ones of the type, in the order declared
	Generic *Generic // what it is an instance of; nil where it is none
}

// A Const is a constant of a string or integer type.
type Const struct {
	Name  string
	Value string // the text of a string, the digits of an integer
	Doc   string
}

// A Generic is the declaration of a generic type. It is the same for all instances.
type Generic struct {
	Pkg    Import
	Name   string
	Params []string // the names of its type parameters
	Is     *Type    // written with them, as types of kind Param; nil where that is not known
}

// A Pos is a place in the source, its file relative to where the generator runs.
type Pos struct {
	File      string
	Line, Col int
}

// Base is the interface's name without a trailing Service: what is made for it
// is named after that.
func (s *Service) Base() string {
	if base, ok := strings.CutSuffix(s.Name, "Service"); ok && base != "" {
		return base
	}
	return s.Name
}
