// Package web is the page of the arena, written in TypeScript in src and bundled.
package web

import "embed"

//go:generate go run -C ../../../internal/browser ./bundle $PWD/src/main.ts $PWD

// Files are the page's.
//
//go:embed index.html main.js main.css
var Files embed.FS
