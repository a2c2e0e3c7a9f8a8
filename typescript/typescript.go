// Package typescript holds the sources that wirecall gen -ts writes beside its output.
package typescript

import "embed"

// Files is the sources, by their names. Each page needs those whose names begin with
// wirecall, and the others are for those who ask for them.
//
//go:embed wirecall.ts wirecall_values.ts react.ts post.ts
var Files embed.FS
