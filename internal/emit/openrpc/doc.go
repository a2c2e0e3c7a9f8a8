package openrpc

import (
	"go/doc"
	"strings"
)

// text is a comment as a description. Markdown, which that is in, and comments agree on
// paragraphs and on indented code.
func text(comment string) string { return strings.TrimSpace(comment) }

// summary is the first sentence of a comment, or empty where it is all of it.
func summary(comment string) string {
	s := new(doc.Package).Synopsis(comment)
	if s == strings.Join(strings.Fields(comment), " ") {
		return ""
	}
	return s
}

// deprecated reports whether a comment has a paragraph that says so.
func deprecated(comment string) bool {
	return strings.HasPrefix(comment, "Deprecated: ") || strings.Contains(comment, "\n\nDeprecated: ")
}

// described is a schema with a comment. Beside a reference draft-07 has it ignored.
func described(schema object, comment string) object {
	if comment = text(comment); comment == "" {
		return schema
	}
	if schema.get("$ref") != nil {
		schema = object{{"allOf", []object{schema}}}
	}
	schema = schema.with("description", comment)
	if deprecated(comment) {
		schema.set("deprecated", true)
	}
	return schema
}
