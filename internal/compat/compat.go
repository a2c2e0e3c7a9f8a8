// Package compat compares two descriptions of the same services, an older and a newer one,
// and says what the difference does to programs that know only one of them.
//
// Values that go towards the service, parameters and what is in them, are read by a newer
// program when an older one has written them; values that come from it, results, items
// and the data of errors, the other way round. A rule is therefore as severe as the
// direction makes it. A type that is used in both has the worse of the two.
package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/openrpc"
)

// A Severity says what a difference does.
type Severity int

const (
	None    Severity = iota
	Info             // nothing
	Warning          // it may break programs by position or in other languages, and newer clients of older servers
	Error            // it breaks older clients of newer servers
)

func (s Severity) String() string { return [...]string{"none", "info", "warning", "error"}[s] }

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Finding is a difference.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Path     string   `json:"path"` // of a method, a parameter, a type or a field
	Text     string   `json:"text"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s %s %s: %s", f.Severity, f.Rule, f.Path, f.Text)
}

// A direction is where a value goes.
type direction int

const (
	in  direction = iota // towards the service
	out                  // from it
)

// rules are the severities, towards the service and from it.
var rules = map[string][2]Severity{
	"SERVICE_REMOVED":    {Error, Error},
	"METHOD_REMOVED":     {Error, Error},
	"METHOD_ADDED":       {Info, Info},
	"METHOD_KIND":        {Info, Info},
	"IDEMPOTENT_REMOVED": {Error, Error},
	"IDEMPOTENT_ADDED":   {Warning, Warning},
	"CURSOR_REMOVED":     {Error, Error},
	"CURSOR_CHANGED":     {Error, Error},
	"CURSOR_ADDED":       {Warning, Warning},
	"PARAM_REMOVED":      {Error, Error},
	"PARAM_RENAMED":      {Warning, Warning},
	"ALIAS_REMOVED":      {Warning, Warning},
	"PARAM_ADDED":        {Info, Info},
	"PARAM_ADDED_STREAM": {Info, Info},
	"PARAM_ORDER":        {Warning, Warning},
	"RESULT_ARITY":       {Error, Error},
	"RESULT_REMOVED":     {Error, Error},
	"RESULT_RENAMED":     {Warning, Warning},
	"RESULT_ADDED":       {Info, Info},
	"STREAM_CHANGED":     {Error, Error},
	"ERROR_REMOVED":      {Warning, Warning},
	"ERROR_CODE":         {Warning, Warning},
	"TYPE_CHANGED":       {Error, Error},
	"TYPE_NARROWED":      {Error, Info},
	"TYPE_WIDENED":       {Info, Error},
	"NUMBER_NARROWED":    {Error, Info},
	"NUMBER_WIDENED":     {Info, Error},
	"NUMBER_IN_STRING":   {Error, Error},
	"ARRAY_LENGTH":       {Error, Error},
	"FIELD_REMOVED":      {Error, Error},
	"FIELD_CASE":         {Warning, Warning},
	"FIELD_ADDED":        {Info, Info},
	"OMIT_ADDED":         {Info, Warning},
	"OMIT_REMOVED":       {Warning, Info},
	"NULL_ADDED":         {Info, Warning},
	"NULL_REMOVED":       {Warning, Info},
	"ENUM_VALUE_REMOVED": {Error, Info},
	"ENUM_VALUE_ADDED":   {Info, Warning},
	"ENUM_VALUE_CHANGED": {Error, Error},
}

// Known reports whether there is a rule with that name.
func Known(rule string) bool { return rules[rule] != [2]Severity{} }

// A comparison collects what differs between two documents.
type comparison struct {
	old, new *openrpc.Document
	found    map[[2]string]*Finding // by rule and path
	seen     map[visit]bool
}

// Compare returns what differs between two OpenRPC documents, the worst first.
func Compare(older, newer []byte) ([]Finding, error) {
	c := &comparison{found: map[[2]string]*Finding{}, seen: map[visit]bool{}}
	var err error
	if c.old, err = openrpc.Parse(older); err != nil {
		return nil, fmt.Errorf("the older description: %w", err)
	}
	if c.new, err = openrpc.Parse(newer); err != nil {
		return nil, fmt.Errorf("the newer description: %w", err)
	}
	c.services()
	var all []Finding
	for _, f := range c.found {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), strings.Compare(a.Path, b.Path), strings.Compare(a.Rule, b.Rule))
	})
	return all, nil
}

// report adds a finding, unless there is a worse one of the same rule and path.
func (c *comparison) report(rule string, d direction, path, format string, args ...any) {
	severity, key := rules[rule][d], [2]string{rule, path}
	if f := c.found[key]; f == nil || f.Severity < severity {
		c.found[key] = &Finding{rule, severity, path, fmt.Sprintf(format, args...)}
	}
}
