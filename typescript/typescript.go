// Package typescript holds the sources that wirecall gen -ts writes beside its output.
package typescript

import "embed"

// Files is the sources, by their names.
//
//go:embed wirecall.ts wirecall_values.ts
var Files embed.FS
